"""Stacks of a thousand one-layer branches, all layers in one tensor."""

from copy import deepcopy

import torch
from torch import nn

from course_utils.fast.autograd import DeepNet, run
from course_utils.fast.stack_kernel import ACTIVATIONS, Layers, deep_backward, deep_forward
from course_utils.wiring import Wiring


class DeepStack(DeepNet):
    """Chain `depth` blocks h ← a·h + b·gate ⊙ φ(W norm(h) + c), fast for a thousand of them.

    All layers lie in one tensor, and `stack_kernel.deep_backward` takes the place of autograd's
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
        # the bias is one more column, so that one product makes W u + c
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
        wiring, activation, keep = self.wiring, self.activation, torch.is_grad_enabled()
        H = run(
            lambda weights, x: deep_forward(Layers(*weights), x, wiring, keep, activation),
            lambda weights, cache, dH: deep_backward(Layers(*weights), cache, dH, wiring),
            x.reshape(1, -1, x.shape[-1]),
            layers[None],
            None if gate is None else gate[None],
        )
        return H.view_as(x)

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
        copy = deepcopy(self)  # with all that is not a parameter
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

    def _blocks(self):
        gates = [None] * len(self.layers) if self.gate is None else self.gate
        for layer, gate in zip(self.layers, gates, strict=True):
            options = layer[:, :-1], layer[:, -1], gate, self.wiring, self.activation
            yield lambda h, options=options: _one_layer(h, *options)


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
    # what the kernel does in every layer, in plain torch: the two are compared in tests
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
    # relu keeps half of the squared length; the 2 makes up for it
    W = torch.randn(depth, width, width) * (2 / width) ** 0.5
    return W, torch.zeros(depth, width, 1)


def _torch(depth, width):
    # variance 1/(3·width), a sixth of _he's: a plain net loses 5/6 of the squared length per layer
    both = torch.empty(depth, width, width + 1).uniform_(-(width**-0.5), width**-0.5)
    return both.split([width, 1], -1)


def _orthogonal(depth, width):
    Q, R = torch.linalg.qr(torch.randn(depth, width, width))
    # the signs of R's diagonal make every rotation and reflection equally likely
    return Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2), torch.zeros(depth, width, 1)


def _near_identity(depth, width):
    # near 0, where tanh is the identity, such a plain net is a residual one in disguise
    W = torch.eye(width) + 0.05 * torch.randn(depth, width, width)
    return W, torch.zeros(depth, width, 1)


_STARTS = {
    "he": _he, "torch": _torch, "orthogonal": _orthogonal, "near identity": _near_identity,
}  # fmt: skip


def _one_of(what, known, got):
    if got not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {got!r}")
    return got
