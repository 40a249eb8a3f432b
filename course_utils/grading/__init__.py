"""Mark notebooks of people one does not trust: only values leave the sandbox."""
