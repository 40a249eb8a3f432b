"""What a learner calls in a notebook, `check` and `hint`, and the progress it leaves behind."""
