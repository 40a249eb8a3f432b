"""Attention, transformer blocks and the networks of lessons 09 to 12, in torch.

`sublayers` holds the parts, `blocks` joins them to the stream as a `wiring.Wiring` says,
`models` goes from tokens to logits.
"""

from course_utils.transformers.blocks import (
    DecoderBlock,
    DeepNormBlock,
    EncoderBlock,
    PeriNormBlock,
    PostNormBlock,
    PostNormDecoderBlock,
    PreNormBlock,
    PreNormDecoderBlock,
    ReZeroBlock,
    copy_torch,
)
from course_utils.transformers.models import TokenNet
from course_utils.transformers.shaped import ShapedAttention, ShapedBlock, mirror
from course_utils.transformers.sublayers import (
    FeedForward,
    MultiHeadAttention,
    attention,
    attention_weights,
    causal_mask,
    padding_mask,
)

__all__ = [
    "DecoderBlock",
    "DeepNormBlock",
    "EncoderBlock",
    "FeedForward",
    "MultiHeadAttention",
    "PeriNormBlock",
    "PostNormBlock",
    "PostNormDecoderBlock",
    "PreNormBlock",
    "PreNormDecoderBlock",
    "ReZeroBlock",
    "ShapedAttention",
    "ShapedBlock",
    "TokenNet",
    "attention",
    "attention_weights",
    "causal_mask",
    "copy_torch",
    "mirror",
    "padding_mask",
]
