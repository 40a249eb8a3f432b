"""Define every module that the lessons derive, once."""

from copy import deepcopy

import numpy as np
import torch
from torch import nn

from course_utils import backprop
from course_utils.backprop import ACTIVATIONS
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
        if wiring.norm != "none":
            self.norm = norm(d_out or width if wiring.norm == "post" else width)
        if wiring.norm == "peri":
            self.norm_after = norm(d_out or width)
        self.gate = None if gate is None else nn.Parameter(torch.tensor([float(gate)]))
        self.shortcut = nn.Identity()
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


class DeepStack(nn.Module):
    """Chain `depth` blocks h ← a·h + b·gate ⊙ φ(W norm(h) + c), fast for a thousand of them.

    All layers lie in one tensor, and `backprop.deep_backward` takes the place of autograd's
    record of each operation. Copies under `torch.vmap`, as in `training.fit`, run together.

    Parameters
    ----------
    depth, width : int
    wiring : Wiring
        Its norm has no gain and bias of its own.
    gate : float, Tensor of shape (width,), or None
        Start of a trained gate for each block: 0.0 is ReZero or SkipInit, a tensor such as
        ``torch.full((width,), 1e-4)`` LayerScale, None has no gate.
    gain : float
        Multiplies the start of W; depth**-0.5 is Fixup's idea.
    activation : {"relu", "tanh"}
        φ.
    start : {"he", "torch", "orthogonal", "near identity"}
        How W is drawn: normal with variance 2/width; uniform between ±1/√width, and c too, as
        `nn.Linear` does; with Wᵀ W = I, so that it turns every vector and stretches none; or as
        I plus normal numbers with standard deviation 0.05.

    Attributes
    ----------
    layers : Parameter, shape (depth, width, width + 1)
        W with the bias c, 0 unless torch draws it, as its last column.
    gate : Parameter, shape (depth, 1) or (depth, width), or None

    Raises
    ------
    ValueError
        If `depth` is smaller than 1, the gate is a tensor of another shape, the wiring has two
        norms, or there is no such activation or start.

    References
    ----------
    Bachlechner et al. (2021), "ReZero is All You Need", eq. 1; Touvron et al. (2021), "Going
    deeper with Image Transformers", eq. 4; Zhang et al. (2019), "Fixup Initialization",
    section 3; He et al. (2015), "Delving Deep into Rectifiers", eq. 10, for the variance;
    Saxe et al. (2014), "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", arXiv 1312.6120, for orthogonal starts, with which Xiao et al. (2018),
    "Dynamical Isometry and a Mean Field Theory of CNNs", train 10,000 layers of tanh.
    Used from notebooks/04_trainable_depth.ipynb on, derived in
    notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> net, x = DeepStack(1202, 16, Wiring(), gate=0.0), torch.ones(2, 16)
    >>> torch.equal(net(x), x), net.layers.shape
    (True, torch.Size([1202, 16, 17]))
    """

    def __init__(
        self, depth, width, wiring: Wiring, gate=None, gain=1.0, *, activation="relu", start="he"
    ):
        super().__init__()
        wiring.one_norm()  # has no place for two
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self.wiring, self.activation = wiring, _one_of("activation", ACTIVATIONS, activation)
        W, c = _STARTS[_one_of("start", _STARTS, start)](depth, width)
        self.layers = nn.Parameter(torch.cat([W * gain, c], -1))
        self.gate = None
        if gate is not None:
            gate = torch.as_tensor(gate, dtype=W.dtype).reshape(-1)
            if len(gate) not in (1, width):
                raise ValueError(f"a gate is one number or {width}, got {len(gate)}")
            self.gate = nn.Parameter(gate.repeat(depth, 1))

    def forward(self, x):
        """Map the stream x, shape (..., width), to its last state, of the same shape."""
        return self._run(x, self.layers, self.gate)

    def _run(self, x, layers, gate):
        gate = None if gate is None else gate[None]
        h, keep = x.reshape(1, -1, x.shape[-1]), torch.is_grad_enabled()
        options = self.wiring, keep, self.activation
        return _Deep.apply(h, layers[None], gate, *options, []).view_as(x)

    def only(self, order):
        """Copy the stack with these blocks alone, in this order.

        Parameters
        ----------
        order : sequence of int
            Blocks, counted from 0; a block may be left out, moved or used twice.

        Returns
        -------
        DeepStack
            Its parameters are its own.

        Raises
        ------
        ValueError
            If no block is left; `nn.Identity` is that stack.
        IndexError
            If there is no such block.

        References
        ----------
        Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow
        Networks", sections 4.1 and 4.2. Used in notebooks/07_many_paths.ipynb.

        Examples
        --------
        >>> net = DeepStack(24, 16, Wiring())
        >>> len(net.only([0, 2, 1]).layers)
        3
        """
        order = list(order)
        if not order:
            raise ValueError("at least one block has to stay, got an empty order")
        copy = deepcopy(self)
        copy.layers = nn.Parameter(self.layers.detach()[order])
        if self.gate is not None:
            copy.gate = nn.Parameter(self.gate.detach()[order])
        return copy

    def block(self, i) -> nn.Module:
        """Copy block i into an ordinary module with the same values.

        Parameters
        ----------
        i : int
            Counted from 0.

        Returns
        -------
        OneLayer

        Examples
        --------
        >>> net, x = DeepStack(1, 4, Wiring(b=0.5)), torch.ones(2, 4)
        >>> torch.allclose(net.block(0)(x), net(x))
        True
        """
        gate = None if self.gate is None else self.gate[i].detach().clone()
        block = OneLayer(self.layers.shape[1], self.wiring, gate, self.activation).to(self.layers)
        with torch.no_grad():
            block.linear.weight.copy_(self.layers[i, :, :-1])
            block.linear.bias.copy_(self.layers[i, :, -1])
        return block

    def first_nonfinite(self, x):
        """Find the first block that turns finite numbers into infinity or NaN.

        Parameters
        ----------
        x : Tensor, shape (..., width)

        Returns
        -------
        int or None
            Counted from 0; None where every block's output is finite.

        Examples
        --------
        >>> torch.manual_seed(0)
        <torch._C.Generator object at ...>
        >>> DeepStack(1202, 16, Wiring()).first_nonfinite(torch.ones(1, 16)) < 1202
        True
        """
        with torch.no_grad():
            for i, block in enumerate(self._blocks()):
                x = block(x)
                if not x.isfinite().all():
                    return i
        return None

    def _blocks(self):
        gates = [None] * len(self.layers) if self.gate is None else self.gate
        for layer, gate in zip(self.layers, gates, strict=True):
            options = layer[:, :-1], layer[:, -1], gate, self.wiring, self.activation
            yield lambda h, options=options: _one_layer(h, *options)


class StochasticDepth(DeepStack):
    """Leave blocks out at random while training, and run all of them, weakened, afterwards.

    In training mode block l runs with probability p_l, which falls in a straight line to
    p_L = `last`; a block left out costs nothing. In evaluation mode a block takes the stream
    only the part p_l of its way, h ← h + p_l·(block(h) − h); with a shortcut that is h + p_l·F.
    All copies of `training.fit` share their coins.

    Parameters
    ----------
    depth, width : int
    wiring : Wiring
    last : float
        p_L, the probability that the last block runs.
    **options
        As for `DeepStack`.

    Attributes
    ----------
    survival : ndarray, shape (depth,)
        p_l = 1 − l/L·(1 − p_L) for l = 1 … L.

    Raises
    ------
    ValueError
        If `last` is not in (0, 1].

    References
    ----------
    Huang et al. (2016), "Deep Networks with Stochastic Depth", eqs. 2, 4 and 5.
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> net = StochasticDepth(4, 8, Wiring(), last=0.5)
    >>> net.survival
    array([0.875, 0.75 , 0.625, 0.5  ])
    >>> net.eval()(torch.ones(2, 8)).shape
    torch.Size([2, 8])
    """

    def __init__(self, depth, width, wiring: Wiring, last=0.5, **options):
        super().__init__(depth, width, wiring, **options)
        if not 0 < last <= 1:
            raise ValueError(f"last is a probability above 0, got {last}")
        self.survival = 1 - np.arange(1, depth + 1) / depth * (1 - last)
        self._coins = np.random.default_rng(torch.randint(2**31, ()).item())

    def forward(self, x):
        """Map the stream x, shape (..., width), to its last state, of the same shape."""
        if not self.training:
            for block, p in zip(self._blocks(), self.survival, strict=True):
                x = x + p * (block(x) - x)
            return x
        kept = np.flatnonzero(self._coins.random(len(self.survival)) < self.survival)
        if len(kept) == 0:
            return x
        return self._run(x, self.layers[kept], None if self.gate is None else self.gate[kept])

    def only(self, order):
        """Copy the stack with these blocks alone, in this order; each keeps its p_l."""
        copy = super().only(order)
        copy.survival = self.survival[list(order)]
        return copy


class OneLayer(nn.Module):
    """Compute one block of a `DeepStack`: h ← a·h + b·gate ⊙ φ(W norm(h) + c).

    Parameters
    ----------
    width : int
    wiring : Wiring
        Its norm has no gain and bias of its own.
    gate : Tensor, shape (1,) or (width,), optional
        Start of a trained gate.
    activation : {"relu", "tanh"}
        φ.

    Raises
    ------
    ValueError
        If there is no such activation.

    References
    ----------
    He et al. (2015), "Delving Deep into Rectifiers", eq. 10, for the variance 2/width.
    Used from notebooks/06_thousand_layers.ipynb on.

    Examples
    --------
    >>> OneLayer(3, Wiring(), gate=torch.zeros(1))(torch.ones(3))
    tensor([1., 1., 1.], grad_fn=<AddBackward0>)
    """

    def __init__(self, width, wiring: Wiring, gate=None, activation="relu"):
        super().__init__()
        self.wiring, self.activation = wiring, _one_of("activation", ACTIVATIONS, activation)
        self.linear = nn.Linear(width, width)
        nn.init.normal_(self.linear.weight, std=(2 / width) ** 0.5)
        nn.init.zeros_(self.linear.bias)
        self.gate = None if gate is None else nn.Parameter(gate)

    def forward(self, h):
        """Map the stream h, shape (..., width), to its next state, of the same shape."""
        W, c = self.linear.weight, self.linear.bias
        return _one_layer(h, W, c, self.gate, self.wiring, self.activation)


def _one_layer(h, W, c, gate, wiring, activation):
    norm, a, b = wiring.one_norm(), wiring.a, wiring.b
    z = nn.functional.linear(_layer_norm(h) if norm == "pre" else h, W, c)
    f = torch.tanh(z) if activation == "tanh" else torch.relu(z)
    f = f if gate is None else gate * f
    f = f if b == 1 else b * f
    h = f if a == 0 else (h if a == 1 else a * h) + f
    return _layer_norm(h) if norm == "post" else h


def _layer_norm(h):
    return nn.functional.layer_norm(h, h.shape[-1:])


def _he(depth, width):
    W = torch.randn(depth, width, width) * (2 / width) ** 0.5
    return W, torch.zeros(depth, width, 1)


def _torch(depth, width):
    both = torch.empty(depth, width, width + 1).uniform_(-(width**-0.5), width**-0.5)
    return both.split([width, 1], -1)


def _orthogonal(depth, width):
    Q, R = torch.linalg.qr(torch.randn(depth, width, width))
    # the signs of R's diagonal make every rotation and reflection equally likely
    return Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2), torch.zeros(depth, width, 1)


def _near_identity(depth, width):
    W = torch.eye(width) + 0.05 * torch.randn(depth, width, width)
    return W, torch.zeros(depth, width, 1)


_STARTS = {
    "he": _he, "torch": _torch, "orthogonal": _orthogonal, "near identity": _near_identity,
}  # fmt: skip


def _one_of(what, known, got):
    if got not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {got!r}")
    return got


class _Deep(torch.autograd.Function):
    """Lets autograd call `backprop.deep_forward` and `deep_backward`, copies on axis 0."""

    @staticmethod
    def forward(x, layers, gate, wiring, keep, activation, kept):
        H, cache = backprop.deep_forward(_arrays(layers, gate), x.numpy(), wiring, keep, activation)
        kept.append(cache)
        return torch.from_numpy(H)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, layers, gate, ctx.wiring, *_, kept = inputs
        ctx.save_for_backward(layers, gate)
        ctx.cache = kept.pop()

    @staticmethod
    def backward(ctx, dH):
        layers = _arrays(*ctx.saved_tensors)
        dx, gradients = backprop.deep_backward(layers, ctx.cache, dH.numpy(), ctx.wiring)
        back = (None if g is None else torch.from_numpy(g) for g in (dx, *gradients))
        return (*back, None, None, None, None)

    @staticmethod
    def vmap(info, in_dims, *inputs):
        H = _Deep.apply(*merge_copies(inputs[:3], in_dims, info.batch_size), *inputs[3:])
        return H.unflatten(0, (info.batch_size, -1)), 0


def merge_copies(tensors, in_dims, batch_size):
    """Put the copies of a `vmap` where each tensor has an axis of length 1 for them.

    Parameters
    ----------
    tensors : sequence of Tensor or None
        Each with an axis 0 of its own, for copies.
    in_dims : sequence of int or None
        Where `vmap` put its axis; None for a tensor that all copies share.
    batch_size : int
        How many copies there are.

    Returns
    -------
    list of Tensor or None
        With all copies on axis 0.

    Examples
    --------
    >>> each, shared = merge_copies([torch.ones(1, 4, 3), torch.ones(1, 3)], [1, None], 4)
    >>> each.shape, shared.shape
    (torch.Size([4, 3]), torch.Size([4, 3]))
    """
    merged = []
    for t, dim in zip(tensors, in_dims, strict=False):
        if t is not None:
            t = t[None].expand(batch_size, *t.shape) if dim is None else t.movedim(dim, 0)
            t = t.flatten(0, 1)
        merged.append(t)
    return merged


def _arrays(layers, gate):
    return backprop.Layers(*(t if t is None else t.detach().numpy() for t in (layers, gate)))
