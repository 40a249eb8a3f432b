"""Lesson 06: a thousand layers."""

LESSON = "06_thousand_layers"
EXERCISES = (
    "gate_gradients",
    "by_path_length",
    "first_step",
    "fixup_std",
    "DeepBlock",
)
