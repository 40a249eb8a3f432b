"""The backward passes that the lessons derive by hand, in NumPy.

A leading axis of every array may hold seeds: matrix products act on the last two
axes, so many networks are one batched tensor. float32 stays float32.

Two kinds of stack: `forward` and `backward` take blocks of two-layer branches one by one;
`deep_forward` and `deep_backward` take a thousand one-layer branches as one tensor.
`pre_norm_forward` and `pre_norm_backward` are a transformer block, composed of its parts,
`deep_transformer_forward` and `deep_transformer_backward` a hundred of them as four tensors.
"""

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
from course_utils.backprop.deep import (
    ACTIVATIONS,
    Layers,
    deep_backward,
    deep_forward,
)
from course_utils.backprop.deep_transformer import (
    DeepBlocks,
    deep_transformer_backward,
    deep_transformer_forward,
)
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
from course_utils.backprop.tapes import (
    free,
)
from course_utils.backprop.transformer import (
    TransformerBlock,
    pre_norm_backward,
    pre_norm_forward,
)

__all__ = [
    "ACTIVATIONS",
    "Attention",
    "Branch",
    "DeepBlocks",
    "Gated",
    "LayerNorm",
    "Layers",
    "RMSNorm",
    "TransformerBlock",
    "attention_backward",
    "attention_forward",
    "backward",
    "branch_backward",
    "branch_forward",
    "deep_backward",
    "deep_forward",
    "deep_transformer_backward",
    "deep_transformer_forward",
    "feed_backward",
    "feed_forward",
    "forward",
    "free",
    "join_heads",
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
