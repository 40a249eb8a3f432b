"""Attention, transformer blocks and the networks of lessons 09 to 12, in torch.

`sublayers` holds the parts, `blocks` joins them to the stream as a `wiring.Wiring` says,
`models` goes from tokens to logits, `shaped` does without shortcuts. `DeepTransformer`, a hundred
blocks at once, lives in `fast` and can be had from here too.
"""

from course_utils import lazy
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
    cut_skips,
)
from course_utils.transformers.models import EncoderDecoder, TokenNet, sinusoids
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
    "DeepTransformer",
    "EncoderBlock",
    "EncoderDecoder",
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
    "cut_skips",
    "mirror",
    "padding_mask",
    "sinusoids",
]

# what is fast stands above what is derived, and keeps its old name here
__getattr__, _, _ = lazy.attach(__name__, {"fast": ["DeepTransformer"]}, root="course_utils")
