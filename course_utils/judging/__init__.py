"""Decide whether an answer is right, and say why not. It knows no exercise and no lesson."""
