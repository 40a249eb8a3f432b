"""The nets that lessons 04 and 06 to 08 compare, by name: each builds a stack of any depth."""

import torch
from torch import nn

from course_utils.fast import DeepStack
from course_utils.wiring import PLAIN, POST_NORM, PRE_NORM, RESIDUAL, Wiring, scaled

PIXELS, CLASSES = 64, 10  # of the digits


def _stack(wiring, **options):
    return lambda depth, width: DeepStack(depth, width, wiring, **options)


RECIPES = {  # each maps depth and width to a stack
    "plain, PyTorch": _stack(PLAIN, start="torch"),
    "plain, He": _stack(PLAIN),
    "plain, LayerNorm": _stack(Wiring(a=0, norm="post")),
    "plain, orthogonal tanh": _stack(PLAIN, start="orthogonal", activation="tanh"),
    "residual, b = 1": _stack(RESIDUAL),
    "residual, 1/√L": lambda L, n: DeepStack(L, n, scaled(L)),
    "residual, 1/L": lambda L, n: DeepStack(L, n, Wiring(b=1 / L)),
    "post-norm": _stack(POST_NORM),
    "pre-norm": _stack(PRE_NORM),
    "pre-norm, 1/√L": lambda L, n: DeepStack(L, n, scaled(L, norm="pre")),
    "ReZero": _stack(RESIDUAL, gate=0.0),
    "LayerScale": lambda L, n: DeepStack(L, n, RESIDUAL, gate=torch.full((n,), 1e-4)),
    "Fixup-like": lambda L, n: DeepStack(L, n, RESIDUAL, gate=1.0, gain=L**-0.5),
    "plain, near identity": _stack(PLAIN, start="near identity", activation="tanh"),
    "residual tanh, 1/√L": lambda L, n: DeepStack(
        L, n, scaled(L), start="orthogonal", activation="tanh"
    ),
    "residual tanh, b = 1": _stack(RESIDUAL, start="orthogonal", activation="tanh"),
}


def classifier(name, depth, width=32):
    """Build a net for the digits: one layer in, a stack of the named recipe, one layer out.

    Parameters
    ----------
    name : str
        One of `RECIPES`.
    depth : int
        Blocks of the stack.
    width : int

    Returns
    -------
    nn.Sequential
        Maps (batch, 64) to (batch, 10).

    Raises
    ------
    ValueError
        If there is no such recipe.

    References
    ----------
    Used in notebooks/04_trainable_depth.ipynb, notebooks/06_thousand_layers.ipynb,
    notebooks/07_many_paths.ipynb and notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> classifier("ReZero", depth=50)(torch.zeros(3, 64)).shape
    torch.Size([3, 10])
    """
    if name not in RECIPES:
        raise ValueError(f"the recipes are {list(RECIPES)}, got {name!r}")
    stack = RECIPES[name](depth, width)
    return nn.Sequential(nn.Linear(PIXELS, width), stack, nn.Linear(width, CLASSES))
