"""Lesson 02: the chain rule."""

LESSON = "02_chain_rule"
EXERCISES = (
    "chain_gradients",
    "block_gradient",
    "cancelled",
    "weight_gradient",
    "largest_gain",
)
