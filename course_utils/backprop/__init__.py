"""The backward passes that the lessons derive by hand, in NumPy.

A leading axis of every array may hold seeds: matrix products act on the last two
axes, so many networks are one batched tensor. float32 stays float32.

Each forward pass returns its value and a cache, the backward pass of the same name takes the
cache and a gradient. `forward` and `backward` are a stack of two-layer branches,
`pre_norm_forward` and `pre_norm_backward` a transformer block, composed of its parts; both join
a branch to the stream with `joined_forward` and `joined_backward`.
"""

from course_utils import lazy
from course_utils.backprop.attention import (
    Attention,
    attention_backward,
    attention_forward,
    join_heads,
    multi_head_backward,
    multi_head_forward,
    random_attention,
    softmax,
    softmax_backward,
    split_heads,
)
from course_utils.backprop.branches import (
    Branch,
    Gated,
    branch_backward,
    branch_forward,
    random_branch,
)
from course_utils.backprop.joined import joined_backward, joined_forward
from course_utils.backprop.norms import (
    LayerNorm,
    RMSNorm,
    layer_norm_backward,
    layer_norm_forward,
    norm_backward,
    norm_forward,
    rms_norm_backward,
    rms_norm_forward,
)
from course_utils.backprop.positions import (
    feed_backward,
    feed_forward,
    linear_backward,
    linear_forward,
    rows,
)
from course_utils.backprop.stacks import (
    backward,
    forward,
)
from course_utils.backprop.transformer import (
    TransformerBlock,
    pre_norm_backward,
    pre_norm_forward,
)

__all__ = [
    "Attention",
    "Branch",
    "Gated",
    "LayerNorm",
    "RMSNorm",
    "TransformerBlock",
    "attention_backward",
    "attention_forward",
    "backward",
    "branch_backward",
    "branch_forward",
    "feed_backward",
    "feed_forward",
    "forward",
    "free",
    "join_heads",
    "joined_backward",
    "joined_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "linear_backward",
    "linear_forward",
    "multi_head_backward",
    "multi_head_forward",
    "norm_backward",
    "norm_forward",
    "pre_norm_backward",
    "pre_norm_forward",
    "random_attention",
    "random_branch",
    "rms_norm_backward",
    "rms_norm_forward",
    "rows",
    "softmax",
    "softmax_backward",
    "split_heads",
]

# what is fast stands above what is derived, and keeps its old name here
__getattr__, _, _ = lazy.attach(__name__, {"fast.tapes": ["free"]}, root="course_utils")
