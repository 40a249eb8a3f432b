"""Run a thousand one-layer blocks forward and backward, all layers in one tensor, in NumPy."""

from typing import NamedTuple

import numpy as np

from course_utils.backprop.norms import layer_norm_backward, layer_norm_forward
from course_utils.fast.tapes import Tape
from course_utils.wiring import Wiring


class Layers(NamedTuple):
    """Hold a deep stack of one-layer branches F(u) = φ(W u + c), or its gradients.

    Attributes
    ----------
    W : ndarray, shape (copies, depth, width, width + 1)
        The bias c is the last column.
    gate : ndarray, shape (copies, depth, 1) or (copies, depth, width), or None
        Multiplies F: one number for each block (SkipInit, ReZero) or one for each feature
        (LayerScale).
    """

    W: np.ndarray
    gate: np.ndarray | None = None


ACTIVATIONS = ("relu", "tanh")
CHUNK = 16  # layers that share one call for all that need not wait for the layer before


@np.errstate(over="ignore", invalid="ignore")  # who trains is told by training.fit
def deep_forward(layers, x, wiring: Wiring, keep=True, activation="relu"):
    """Run copies of a stack of blocks h ← a·h + b·gate ⊙ F(norm(h)) through all layers.

    Inside, features come first, (width, copies, batch): each operation then runs over
    long rows. A last row of ones meets the biases in W.

    Parameters
    ----------
    layers : Layers
    x : ndarray, shape (copies, batch, width)
    wiring : Wiring
        Its norm is `layer_norm_forward`.
    keep : bool
        Keep what the backward pass needs.
    activation : {"relu", "tanh"}
        φ in F(u) = φ(W u + c).

    Returns
    -------
    H : ndarray, shape (copies, batch, width)
    cache : object
        For one call of `deep_backward`.

    Raises
    ------
    ValueError
        If there is no such activation, or the wiring has two norms.

    References
    ----------
    Bachlechner et al. (2021), "ReZero is All You Need", eq. 1.
    Used from notebooks/04_trainable_depth.ipynb on, derived in
    notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> layers = Layers(np.ones((1, 1000, 2, 3)), gate=np.zeros((1, 1000, 1)))
    >>> deep_forward(layers, np.ones((1, 4, 2)), Wiring())[0].sum()
    np.float64(8.0)
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    depth, norm = layers.W.shape[1], wiring.one_norm()
    pre, post, tanh = norm == "pre", norm == "post", activation == "tanh"
    tape = _Tape.take(depth, x.shape, x.dtype, keep, activation)
    weights, gates = list(layers.W.swapaxes(0, 1)), _gates(layers.gate, wiring.b, depth)
    streams, scales, zeros = tape.streams, tape.scales, tape.zeros
    # what a matrix is given is kept: the stream itself or, with a norm before, norm(h)
    h = tape.h if pre else streams[0]
    h[...] = np.moveaxis(x, -1, 0)
    for here in _chunks(depth):
        count = here.stop - here.start
        if gates is not None:
            tape.F[:count] = gates[here]  # a number for each entry multiplies twice as fast
        each = zip(range(depth)[here], weights[here], tape.inputs[here], tape.work, strict=False)
        for i, W, u, (z, z_by_copy, F) in each:
            if pre:
                _, (_, scales[i]) = layer_norm_forward(h, 0, out=streams[i])
            np.matmul(W, u, out=z_by_copy)  # z = W u + c
            if tanh:
                np.tanh(z, out=z)
            else:
                np.maximum(z, zeros, out=z)
            F = z if gates is None else np.multiply(z, F, out=F)
            h = np.add(times(wiring.a, h), F, out=h if pre else streams[i + 1])
            if post:
                _, (_, scales[i]) = layer_norm_forward(h, 0, out=h)
        # φ' is known from φ(z): relu' is 1 where it is above 0, tanh' = 1 − tanh²
        if keep and tanh:
            tape.marks[here] = tape.z[:count]
        elif keep:
            np.greater(tape.z[:count], 0, out=tape.marks[here])
    return np.ascontiguousarray(np.moveaxis(h, 0, -1)), tape


@np.errstate(over="ignore", invalid="ignore")
def deep_backward(layers, cache, dH, wiring: Wiring):
    """Send a gradient back through `deep_forward`.

    On the way back each block asks for two products: with Wᵀ for the stream, with its input
    for ∂L/∂W. The gate of a relu asks for none: relu(z) = relu'(z)·z, so that ∂L/∂gate is the
    sum of W ⊙ ∂L/∂W before the gate is multiplied in. A tanh has kept F, which gives both
    tanh'(z) = 1 − F² and ∂L/∂gate = Σ ∂L/∂H ⊙ b·F.

    Parameters
    ----------
    layers : Layers
    cache : object
        From `deep_forward`; used up, since its arrays are lent to the next call.
    dH : ndarray, shape (copies, batch, width)
        ∂L/∂H at the output.
    wiring : Wiring
        That of the forward pass.

    Returns
    -------
    dx : ndarray, shape (copies, batch, width)
    gradients : Layers
        Summed over the batch.

    Raises
    ------
    ValueError
        If the cache was used before, or does not hold what the backward pass needs.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 5.
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> layers = Layers(np.ones((1, 1000, 2, 3)), gate=np.zeros((1, 1000, 1)))
    >>> _, cache = deep_forward(layers, np.ones((1, 4, 2)), Wiring())
    >>> dx, gradients = deep_backward(layers, cache, np.ones((1, 4, 2)), Wiring())
    >>> dx.sum(), gradients.W.any(), gradients.gate[0, 0]
    (np.float64(8.0), np.False_, array([24.]))
    """
    tape, (depth, width) = cache, layers.W.shape[1:3]
    tape.open()
    pre, post, tanh = wiring.norm == "pre", wiring.norm == "post", tape.activation == "tanh"
    streams, scales = tape.streams, tape.scales
    # b·gate meets each W once, not each gradient on its way through
    factor = dH.dtype.type(wiring.b)
    if layers.gate is not None:
        factor = factor * layers.gate[..., None]
    np.multiply(factor, layers.W[..., :width], out=tape.back)
    dW = np.empty_like(layers.W)
    gate_errors = np.empty((depth, width, len(dH)), dH.dtype) if tanh else None
    d = np.ascontiguousarray(np.moveaxis(dH, -1, 0))
    for here in reversed(_chunks(depth)):
        errors = tape.z[: here.stop - here.start]
        errors[...] = tape.marks[here]  # a number multiplies faster than a bool
        each = list(zip(range(depth)[here], tape.backs[here], tape.work, strict=False))
        for i, W, (error, error_by_copy, _) in reversed(each):
            if post:  # streams[i + 1] is norm(h), all that the norm's Jacobian needs
                d = layer_norm_backward((streams[i + 1], scales[i]), d, 0)
            np.multiply(d, error, out=error)  # of a relu: ∂L/∂z = ∂L/∂F where z > 0
            if tanh:  # so far d·F; d·(1 − F²) = d − d·F·F
                np.add.reduce(error, -1, out=gate_errors[i])
                np.multiply(error, tape.marks[i], out=error)
                np.subtract(d, error, out=error)
            np.matmul(W, error_by_copy, out=tape.step_by_copy)
            step = tape.step
            if pre:
                step = layer_norm_backward((streams[i], scales[i]), step, 0)
            np.add(times(wiring.a, d), step, out=d)  # a·∂L/∂H + b·J_Fᵀ ∂L/∂H
        # weight gradients while their factors are still in the processor
        inputs = tape.X[here].swapaxes(1, 2)
        np.matmul(errors.swapaxes(1, 2), inputs.mT, out=dW[:, here].swapaxes(0, 1))
    dgate = None
    if layers.gate is not None:
        if tanh:
            dgate = wiring.b * gate_errors.transpose(2, 0, 1)
        else:
            dgate = wiring.b * np.einsum("cdij,cdij->cdi", layers.W, dW)
        if layers.gate.shape[-1] == 1:
            dgate = dgate.sum(-1, keepdims=True)
    dW *= factor
    tape.lend()
    return np.ascontiguousarray(np.moveaxis(d, 0, -1)), Layers(dW, dgate)


def _chunks(depth):
    """Cut the layers into slices of `CHUNK`, the last one shorter."""
    return [slice(low, min(low + CHUNK, depth)) for low in range(0, depth, CHUNK)]


def _gates(gate, b, depth):
    """Say by what each block multiplies F, as arrays that fit (width, copies, batch)."""
    if gate is None:
        return None if b == 1 else np.full((depth, 1, 1, 1), b)
    return (gate.dtype.type(b) * gate).transpose(1, 2, 0)[..., None]


def times(a, h):
    """Multiply a stream by its gain, without work where the gain is 1.

    Parameters
    ----------
    a : float
    h : ndarray

    Returns
    -------
    ndarray or scalar
        h itself for a = 1; 0 for a = 0, whatever h holds.

    Examples
    --------
    >>> h = np.ones(2)
    >>> times(1, h) is h, times(0, h), times(0.5, h)
    (True, np.float64(0.0), array([0.5, 0.5]))
    """
    return h if a == 1 else h.dtype.type(0) if a == 0 else h.dtype.type(a) * h


class _Tape(Tape):
    """What `deep_forward` leaves for `deep_backward`."""

    def __init__(self, depth, x_shape, dtype, keep, activation):
        super().__init__((depth, x_shape, dtype, keep, activation), keep)
        copies, batch, width = x_shape
        self.activation, shape = activation, (width, copies, batch)
        # inputs of the branches, each with its row of ones; without `keep` all in one place
        self.X = np.ones((depth + 1 if keep else 1, width + 1, copies, batch), dtype)
        if keep:
            # for the slope: of a relu whether z > 0, of a tanh F itself
            self.marks = np.empty((depth, *shape), bool if activation == "relu" else dtype)
            self.back = np.empty((copies, depth, width, width), dtype)
            self.backs = list(self.back.swapaxes(0, 1).mT)
        # φ(z) and gate ⊙ φ(z) of a few layers; on the way back ∂L/∂z takes the place of z
        self.z, self.F = np.empty((2, CHUNK, *shape), dtype)
        self.h, self.step, self.zeros = np.zeros((3, *shape), dtype)
        # views are made once: at this size making one costs as much as computing with it
        places = range(depth + 1) if keep else [0] * (depth + 1)
        self.streams = [self.X[i, :width] for i in places]
        self.inputs = [self.X[i].swapaxes(0, 1) for i in places[:-1]]
        self.work = list(zip(self.z, self.z.swapaxes(1, 2), self.F, strict=True))
        self.step_by_copy, self.scales = self.step.swapaxes(0, 1), [None] * depth
