"""Lesson 12: encoder and decoder."""

LESSON = "12_encoder_decoder"
EXERCISES = (
    "memory_gradient",
    "exact_matches",
    "what_memory_lacks",
    "MendedDecoder",
    "look_back",
)
