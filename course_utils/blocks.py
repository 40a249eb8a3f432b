"""Build residual nets: a branch, a block that joins it to the stream, a stack of blocks.

`DeepStack`, `OneLayer` and `StochasticDepth`, for depths of a thousand, live in `fast` and can be
had from here too.
"""

import torch
from torch import nn

from course_utils import lazy
from course_utils.wiring import Wiring


class MLP(nn.Module):
    """Compute the branch F(x) = W2 relu(W1 x + c1) + c2.

    W1 has variance 1/d_in and W2 variance 2/hidden, the biases are 0. Since relu keeps
    half of the squared length, F(x) has on average d_out/d_in times that of x.

    Parameters
    ----------
    d_in : int
        Features of the input.
    hidden : int, optional
        Features between the two layers; `d_in` if not given.
    d_out : int, optional
        Features of the output; `d_in` if not given.
    zero_last : bool
        Start with W2 = 0, so that F(x) = 0 for every x.

    References
    ----------
    He et al. (2015), "Delving Deep into Rectifiers", section 2.2, for the factor 2.
    Used from notebooks/01_residual_block.ipynb on.

    Examples
    --------
    >>> MLP(3, d_out=5)(torch.ones(2, 3)).shape
    torch.Size([2, 5])
    """

    def __init__(self, d_in, hidden=None, d_out=None, zero_last=False):
        super().__init__()
        hidden, d_out = hidden or d_in, d_out or d_in
        self.inner = nn.Linear(d_in, hidden)
        self.outer = nn.Linear(hidden, d_out)
        # Var(W1 x) = |x|²/d_in; relu drops half of it, for which W2 makes up with its 2
        nn.init.normal_(self.inner.weight, std=d_in**-0.5)
        nn.init.normal_(self.outer.weight, std=0.0 if zero_last else (2 / hidden) ** 0.5)
        nn.init.zeros_(self.inner.bias)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x):
        """Map x, shape (..., d_in), to F(x), shape (..., d_out)."""
        return self.outer(torch.relu(self.inner(x)))


class Block(nn.Module):
    """Join a branch to the stream: h ← a·h + b·F(norm(h)).

    Parameters
    ----------
    branch : nn.Module
        F, from (..., d_in) to (..., d_out).
    wiring : Wiring
        a, b and the norm's place.
    width : int, optional
        d_in; needed for a norm and for a projection.
    d_out : int, optional
        Features of the output where they differ from `width`: the shortcut then
        becomes a matrix P, trained like any other, and the block a·P h + b·F(h).
    norm : type
        `nn.LayerNorm`, `nn.RMSNorm` or another module that is made from a width.
    gate : float, optional
        Start of a trained number that multiplies F; 0.0 is ReZero.

    Raises
    ------
    ValueError
        If the wiring has a norm, or `d_out` is given, without a `width`.

    References
    ----------
    He et al. (2015), "Deep Residual Learning", eq. 1 (identity) and 2 (projection);
    Bachlechner et al. (2021), "ReZero is All You Need", eq. 1, for the gate.
    Derived in notebooks/01_residual_block.ipynb.

    Examples
    --------
    >>> zero = MLP(3, zero_last=True)
    >>> Block(zero, Wiring())(torch.tensor([1.0, 2.0, 3.0]))
    tensor([1., 2., 3.], grad_fn=<AddBackward0>)
    """

    def __init__(
        self, branch, wiring: Wiring, width=None, d_out=None, *, norm=nn.LayerNorm, gate=None
    ):
        super().__init__()
        if width is None and (wiring.norm != "none" or d_out is not None):
            raise ValueError(f"a norm or a projection needs a width, got width=None and {wiring}")
        self.branch = branch
        self.wiring = wiring
        self.norm, self.norm_after = nn.Identity(), nn.Identity()
        # a post-norm stands behind the sum, so it is as wide as the output
        if wiring.norm != "none":
            self.norm = norm(d_out or width if wiring.norm == "post" else width)
        if wiring.norm == "peri":
            self.norm_after = norm(d_out or width)
        self.gate = None if gate is None else nn.Parameter(torch.tensor([float(gate)]))
        self.shortcut = nn.Identity()  # x itself, to the last bit, unless shapes differ
        if d_out is not None and d_out != width:
            self.shortcut = nn.Linear(width, d_out, bias=False)

    def forward(self, h, **options):
        """Map the stream h, shape (..., d_in), to its next state, shape (..., d_out).

        What else the branch wants, such as a mask, is passed on to it.
        """
        a, b = self.wiring.a, self.wiring.b
        before = self.wiring.norm in ("pre", "peri")
        f = b * self.norm_after(self.branch(self.norm(h) if before else h, **options))
        f = f if self.gate is None else self.gate * f
        # a plain net has no shortcut at all: 0·h would turn infinity into NaN
        h = f if a == 0 else a * self.shortcut(h) + f
        return self.norm(h) if self.wiring.norm == "post" else h


class Stack(nn.Sequential):
    """Chain `depth` equal blocks of two-layer branches.

    Parameters
    ----------
    depth : int
        Number of blocks.
    width : int
        Features of the stream.
    wiring : Wiring
        How each block joins its branch to the stream.
    hidden : int, optional
        Features inside each branch; `width` if not given.
    zero_last : bool
        Start each branch at F = 0.

    Examples
    --------
    >>> net = Stack(4, 3, Wiring(), zero_last=True)
    >>> x = torch.ones(2, 3)
    >>> len(net), torch.equal(net(x), x)
    (4, True)
    """

    def __init__(self, depth, width, wiring: Wiring, hidden=None, zero_last=False):
        branches = (MLP(width, hidden, zero_last=zero_last) for _ in range(depth))
        super().__init__(*(Block(branch, wiring, width) for branch in branches))


# what is fast stands above what is derived, and keeps its old name here
__getattr__, _, _ = lazy.attach(
    __name__, {"fast": ["DeepStack", "OneLayer", "StochasticDepth"]}, root="course_utils"
)
