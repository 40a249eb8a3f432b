"""The backward passes that the lessons derive by hand, in NumPy.

A leading axis of every array may hold seeds: matrix products act on the last two
axes, so many networks are one batched tensor. float32 stays float32.

Two kinds of stack: `forward` and `backward` take blocks of two-layer branches one by one;
`deep_forward` and `deep_backward` take a thousand one-layer branches as one tensor.
"""

import threading
from typing import NamedTuple

import numpy as np

from course_utils.wiring import Wiring


class Branch(NamedTuple):
    """Hold the weights of F(x) = W2 relu(W1 x + c1) + c2, or their gradients.

    Attributes
    ----------
    W1 : ndarray, shape (..., hidden, width)
    c1 : ndarray, shape (..., hidden)
    W2 : ndarray, shape (..., width, hidden)
    c2 : ndarray, shape (..., width)
    """

    W1: np.ndarray
    c1: np.ndarray
    W2: np.ndarray
    c2: np.ndarray


class Gated(NamedTuple):
    """Hold the weights of a gated branch g ⊙ (W2 relu(W1 x + c1) + c2), or their gradients.

    Attributes
    ----------
    W1, c1, W2, c2 : ndarray
        Those of a `Branch`.
    gate : ndarray, shape (..., 1) or (..., width)
        One number for the block (SkipInit, ReZero) or one for each feature (LayerScale).

    References
    ----------
    De and Smith (2020), "Batch Normalization Biases Residual Blocks", section 4 (SkipInit);
    Bachlechner et al. (2021), "ReZero is All You Need", eq. 1; Touvron et al. (2021), "Going
    deeper with Image Transformers", eq. 4 (LayerScale).
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> branch = random_branch(np.random.default_rng(0), width=4)
    >>> F, _ = branch_forward(Gated(*branch, gate=np.zeros(1)), np.ones((2, 4)))
    >>> abs(F).max()
    np.float64(0.0)
    """

    W1: np.ndarray
    c1: np.ndarray
    W2: np.ndarray
    c2: np.ndarray
    gate: np.ndarray


def random_branch(rng, width, hidden=None, gain=1.0, seeds=()):
    """Draw the weights of one branch.

    Parameters
    ----------
    rng : numpy.random.Generator
    width : int
    hidden : int, optional
        `width` if not given.
    gain : float
        1 makes F(x) as long as x on average; W2 is multiplied by it.
    seeds : tuple of int
        Leading axes, such as ``(3,)`` for three networks at once.

    Returns
    -------
    Branch
        In float64; the biases are 0.

    Examples
    --------
    >>> random_branch(np.random.default_rng(0), width=4, hidden=8, seeds=(3,)).W1.shape
    (3, 8, 4)
    """
    hidden = hidden or width
    W1 = rng.normal(size=(*seeds, hidden, width)) / width**0.5
    W2 = rng.normal(size=(*seeds, width, hidden)) * gain * (2 / hidden) ** 0.5
    return Branch(W1, np.zeros((*seeds, hidden)), W2, np.zeros((*seeds, width)))


def branch_forward(branch, x):
    """Compute F(x) and keep what the backward pass needs.

    Parameters
    ----------
    branch : Branch or Gated
    x : ndarray, shape (..., batch, width)

    Returns
    -------
    F : ndarray, shape (..., batch, width)
    cache : tuple
        x, z = W1 x + c1 and, where there is a gate, F without it.

    References
    ----------
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> branch = random_branch(np.random.default_rng(0), width=4)
    >>> branch_forward(branch, np.zeros((2, 4)))[0]
    array([[0., 0., 0., 0.],
           [0., 0., 0., 0.]])
    """
    z = x @ branch.W1.mT + branch.c1[..., None, :]
    F = np.maximum(z, 0) @ branch.W2.mT + branch.c2[..., None, :]
    if isinstance(branch, Gated):
        return branch.gate[..., None, :] * F, (x, z, F)
    return F, (x, z)


def branch_backward(branch, cache, dF):
    """Send a gradient back through F.

    Parameters
    ----------
    branch : Branch or Gated
    cache : tuple
        From `branch_forward`.
    dF : ndarray, shape (..., batch, width)
        ∂L/∂F, one row per example.

    Returns
    -------
    dx : ndarray, shape (..., batch, width)
        J_Fᵀ ∂L/∂F for each row.
    gradients : Branch or Gated
        ∂L/∂W1, ∂L/∂c1, ∂L/∂W2, ∂L/∂c2 and, where there is a gate, ∂L/∂gate, summed over
        the batch.

    References
    ----------
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> branch = random_branch(np.random.default_rng(0), width=4)
    >>> _, cache = branch_forward(branch, np.ones((2, 4)))
    >>> dx, gradients = branch_backward(branch, cache, np.ones((2, 4)))
    >>> dx.shape, gradients.W1.shape
    ((2, 4), (4, 4))
    """
    if isinstance(branch, Gated):
        dgate = (dF * cache[2]).sum(-2)
        if branch.gate.shape[-1] == 1:  # one number meets every feature
            dgate = dgate.sum(-1, keepdims=True)
        dF = branch.gate[..., None, :] * dF
        dx, gradients = branch_backward(Branch(*branch[:4]), cache, dF)
        return dx, Gated(*gradients, dgate)
    x, z = cache[:2]
    dW2 = dF.mT @ np.maximum(z, 0)
    dz = (dF @ branch.W2) * (z > 0)  # relu'(z) is 1 or 0
    return dz @ branch.W1, Branch(dz.mT @ x, dz.sum(-2), dW2, dF.sum(-2))


def layer_norm_forward(h, axis=-1, eps=1e-5, out=None):
    """Compute LayerNorm without gain and bias: y = (h − mean) / √(variance + eps).

    Parameters
    ----------
    h : ndarray
    axis : int
        Where the features lie.
    eps : float
    out : ndarray, of the shape of h, optional
        Where y is written.

    Returns
    -------
    y : ndarray, of the shape of h
    cache : tuple
        y and 1/√(variance + eps).

    References
    ----------
    Ba et al. (2016), "Layer Normalization", eq. 4.
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> layer_norm_forward(np.array([[1.0, 2.0, 3.0]]))[0].round(3)
    array([[-1.225,  0.   ,  1.225]])
    """
    y = np.subtract(h, _mean(h, axis), out=out)
    scale = 1 / np.sqrt(_mean(y * y, axis) + h.dtype.type(eps))
    y *= scale
    return y, (y, scale)


def layer_norm_backward(cache, dy, axis=-1):
    """Send a gradient back through `layer_norm_forward`.

    Two directions are taken out of it, since moving h along them leaves y as it is: along
    (1, …, 1) y does not shift, along y it does not stretch.

    Parameters
    ----------
    cache : tuple
        From `layer_norm_forward`.
    dy : ndarray
        ∂L/∂y.
    axis : int

    Returns
    -------
    ndarray, of the shape of dy
        ∂L/∂h = (dy − mean(dy) − y·mean(dy·y)) / √(variance + eps).

    References
    ----------
    Xu et al. (2019), "Understanding and Improving Layer Normalization", section 3.
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> _, cache = layer_norm_forward(np.array([[1.0, 2.0, 3.0]]))
    >>> layer_norm_backward(cache, np.array([[5.0, 5.0, 5.0]]))
    array([[0., 0., 0.]])
    """
    y, scale = cache
    dh = dy - _mean(dy, axis)
    dh -= y * _mean(dy * y, axis)
    dh *= scale
    return dh


def _mean(x, axis):
    return np.add.reduce(x, axis, keepdims=True) * x.dtype.type(1 / x.shape[axis])


def forward(branches, x, wiring: Wiring):
    """Run a stack of blocks h ← a·h + b·F(norm(h)).

    Parameters
    ----------
    branches : sequence of Branch or Gated
    x : ndarray, shape (..., batch, width)
    wiring : Wiring
        Its norm is `layer_norm_forward`.

    Returns
    -------
    H : ndarray, shape (..., batch, width)
    caches : list of tuple
        For `backward`; entry l starts with what branch l was given: the stream h_l before
        block l or, with a norm before it, norm(h_l).

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 4.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> branches = [random_branch(rng, width=4, gain=0) for _ in range(5)]
    >>> x = rng.normal(size=(2, 4))
    >>> H, caches = forward(branches, x, Wiring())
    >>> np.array_equal(H, x), len(caches)
    (True, 5)
    """
    h, caches = x, []
    for branch in branches:
        u, norm = layer_norm_forward(h) if wiring.norm == "pre" else (h, None)
        F, cache = branch_forward(branch, u)
        h = wiring.a * h + wiring.b * F
        if wiring.norm == "post":
            h, norm = layer_norm_forward(h)
        caches.append(cache if norm is None else (*cache, norm))
    return h, caches


def backward(branches, caches, dH, wiring: Wiring):
    """Send a gradient back through a stack of blocks.

    In each block ∂L/∂h = a·∂L/∂H + b·J_Fᵀ ∂L/∂H: the shortcut passes the gradient on,
    the branch adds its share.

    Parameters
    ----------
    branches : sequence of Branch or Gated
    caches : list of tuple
        From `forward`.
    dH : ndarray, shape (..., batch, width)
        ∂L/∂H at the output of the stack.
    wiring : Wiring
        That of the forward pass.

    Returns
    -------
    stream : list of ndarray, each of shape (..., batch, width)
        ∂L/∂h_l for l = 0 … depth; entry 0 belongs to the input, the last is `dH`.
    gradients : list of Branch or Gated
        One for each block.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 5.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> branches = [random_branch(rng, width=4, gain=0) for _ in range(5)]
    >>> _, caches = forward(branches, rng.normal(size=(2, 4)), Wiring())
    >>> stream, _ = backward(branches, caches, np.ones((2, 4)), Wiring())
    >>> stream[0]
    array([[1., 1., 1., 1.],
           [1., 1., 1., 1.]])
    """
    stream, gradients = [dH], []
    for branch, cache in zip(reversed(branches), reversed(caches), strict=True):
        if wiring.norm == "post":
            dH = layer_norm_backward(cache[-1], dH)
        dx, gradient = branch_backward(branch, cache, wiring.b * dH)
        if wiring.norm == "pre":
            dx = layer_norm_backward(cache[-1], dx)
        dH = wiring.a * dH + dx
        stream.insert(0, dH)
        gradients.insert(0, gradient)
    return stream, gradients


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
CHUNK = 16  # layers whose weight gradients are taken in one product


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
        If there is no such activation.

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
    depth, pre, post = layers.W.shape[1], wiring.norm == "pre", wiring.norm == "post"
    tape = _Tape.take(depth, x, keep, activation)
    weights, gates = layers.W.swapaxes(0, 1), _gates(layers.gate, wiring.b, depth, x)
    streams, z, zero = tape.streams, tape.z, tape.zero
    h = tape.h if pre else streams[0]
    h[...] = np.moveaxis(x, -1, 0)
    for i, (W, u, gate, mark) in enumerate(
        zip(weights, tape.inputs, gates, tape.marks, strict=True)
    ):
        if pre:
            _, (_, tape.scales[i]) = layer_norm_forward(h, 0, out=streams[i])
        np.matmul(W, u, out=tape.z_by_copy)
        if activation == "tanh":
            F = np.tanh(z, out=mark)
        else:
            if keep:
                np.greater(z, zero, out=mark)
            F = np.maximum(z, zero, out=z)
        if gate is not None:
            F = np.multiply(F, gate, out=z)
        h = np.add(_times(wiring.a, h), F, out=h if pre else streams[i + 1])
        if post:
            _, (_, tape.scales[i]) = layer_norm_forward(h, 0, out=h)
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
    tanh = tape.activation == "tanh"
    pre, post, streams, scales = (
        wiring.norm == "pre",
        wiring.norm == "post",
        tape.streams,
        tape.scales,
    )
    factor = dH.dtype.type(wiring.b)
    if layers.gate is not None:
        factor = factor * layers.gate[..., None]
    back = list((factor * layers.W[..., :width]).swapaxes(0, 1).mT)
    dW = np.empty_like(layers.W)
    gate_errors = np.empty((depth, width, len(dH)), dH.dtype) if tanh else None
    d = np.ascontiguousarray(np.moveaxis(dH, -1, 0))
    # weight gradients a few layers at a time, while their factors are still in the processor
    for low in reversed(range(0, depth, CHUNK)):
        high = min(low + CHUNK, depth)
        for i in reversed(range(low, high)):
            if post:
                d = layer_norm_backward((streams[i + 1], scales[i]), d, 0)
            error = np.multiply(d, tape.numbers[i], out=tape.errors[i - low])
            if tanh:  # so far d·F; d·(1 − F²) = d − d·F·F
                np.add.reduce(error, -1, out=gate_errors[i])
                np.multiply(error, tape.numbers[i], out=error)
                np.subtract(d, error, out=error)
            np.matmul(back[i], tape.errors_by_copy[i - low], out=tape.z_by_copy)
            step = tape.z
            if pre:
                step = layer_norm_backward((streams[i], scales[i]), step, 0)
            np.add(_times(wiring.a, d), step, out=d)
        errors = tape.errors[: high - low].swapaxes(1, 2)
        inputs = tape.X[low:high].swapaxes(1, 2)
        np.matmul(errors, inputs.mT, out=dW[:, low:high].swapaxes(0, 1))
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


def free():
    """Give back the memory that `deep_forward` holds for its next call.

    Examples
    --------
    >>> free()
    """
    _lent.tape = None


def _gates(gate, b, depth, x):
    """Say by what each block multiplies F, as an array over (width, copies, batch)."""
    if gate is None:
        return [None if b == 1 else x.dtype.type(b)] * depth
    gate = (x.dtype.type(b) * gate).transpose(1, 2, 0)[..., None]
    # one number for all features: whole rows of it multiply faster
    return list(gate.repeat(x.shape[1], -1) if gate.shape[1] == 1 else gate)


def _times(a, h):
    return h if a == 1 else h.dtype.type(0) if a == 0 else h.dtype.type(a) * h


_lent = threading.local()  # a panel may train on another thread than a cell


class _Tape:
    """What one forward pass leaves for the backward pass, in memory that is used again."""

    def __init__(self, depth, x, keep, activation):
        copies, batch, width = x.shape
        self.key, self.filled = (depth, x.shape, x.dtype, keep, activation), keep
        self.activation = activation
        shape = width, copies, batch
        # inputs of the branches, each with its row of ones; without `keep` all in one place
        self.X = np.ones((depth + 1 if keep else 1, width + 1, copies, batch), x.dtype)
        # for the slope: of a relu whether z > 0, of a tanh F itself
        kind = bool if activation == "relu" else x.dtype
        marks = np.empty((depth if keep else 1, *shape), kind)
        self.errors = np.empty((CHUNK, *shape), x.dtype)
        self.z, self.h, self.zero = (np.zeros(shape, x.dtype) for _ in range(3))
        # views are made once: at this size making one costs as much as computing with it
        places = range(depth + 1) if keep else [0] * (depth + 1)
        self.streams = [self.X[i, :width] for i in places]
        self.inputs = [self.X[i].swapaxes(0, 1) for i in places[:-1]]
        self.marks = [marks[i] for i in places[:-1]]
        # bool multiplies slowly
        self.numbers = [mark.view(np.int8) if kind is bool else mark for mark in self.marks]
        self.errors_by_copy = list(self.errors.swapaxes(1, 2))
        self.z_by_copy, self.scales = self.z.swapaxes(0, 1), [None] * depth

    @classmethod
    def take(cls, depth, x, keep, activation):
        tape, key = getattr(_lent, "tape", None), (depth, x.shape, x.dtype, keep, activation)
        if tape is None or tape.key != key:
            return cls(depth, x, keep, activation)
        _lent.tape, tape.filled = None, True
        return tape

    def open(self):
        if not self.filled:
            raise ValueError("the cache serves one backward pass, of a forward pass with keep=True")
        self.filled = False

    def lend(self):
        _lent.tape = self
