"""Lesson 11: the transformer block."""

LESSON = "11_transformer_block"
EXERCISES = (
    "parallel_block_backward",
    "block_parameters",
    "block_diagnosis",
    "cached_step",
    "CausalBlock",
)
