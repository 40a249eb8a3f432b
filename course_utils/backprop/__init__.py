"""The backward passes that the lessons derive by hand, in NumPy.

A leading axis of every array may hold seeds: matrix products act on the last two
axes, so many networks are one batched tensor. float32 stays float32.

Two kinds of stack: `forward` and `backward` take blocks of two-layer branches one by one;
`deep_forward` and `deep_backward` take a thousand one-layer branches as one tensor.
"""

from course_utils.backprop.branches import (
    Branch,
    Gated,
    branch_backward,
    branch_forward,
    random_branch,
)
from course_utils.backprop.deep import ACTIVATIONS, Layers, deep_backward, deep_forward, free
from course_utils.backprop.norms import layer_norm_backward, layer_norm_forward
from course_utils.backprop.stacks import backward, forward

__all__ = [
    "ACTIVATIONS",
    "Branch",
    "Gated",
    "Layers",
    "backward",
    "branch_backward",
    "branch_forward",
    "deep_backward",
    "deep_forward",
    "forward",
    "free",
    "layer_norm_backward",
    "layer_norm_forward",
    "random_branch",
]
