"""Write what is generated: stored outputs of lessons, exercises from solutions."""
