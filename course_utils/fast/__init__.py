"""The nets of `blocks` and `transformers` by the thousand layers: same numbers, less waiting.

Nothing here is derived in a lesson. Two kernels, `stack_kernel` and `transformer_kernel`, run
all layers of many copies in NumPy and go back by hand; `tapes` lends their memory from one step
to the next; `autograd` lets torch call them. `DeepStack`, `StochasticDepth` and
`DeepTransformer` are the modules around them, and each can hand out an ordinary block to compare.
"""

from course_utils.fast.stack import DeepStack, OneLayer
from course_utils.fast.stochastic_depth import StochasticDepth
from course_utils.fast.transformer import DeepTransformer

__all__ = ["DeepStack", "DeepTransformer", "OneLayer", "StochasticDepth"]
