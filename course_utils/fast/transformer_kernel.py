"""Run a hundred transformer blocks forward and backward, one tensor for each kind of weight."""

from typing import NamedTuple

import numpy as np

from course_utils.backprop.norms import layer_norm_backward, layer_norm_forward
from course_utils.fast.stack_kernel import times
from course_utils.fast.tapes import Tape


class DeepBlocks(NamedTuple):
    """Hold the weights of a deep transformer, or their gradients.

    The bias of each matrix is its last column. Gates, and gains and biases of norms before the
    sublayers, are to be multiplied in: W (g ⊙ u + b) + c = (W g) u + (W b + c).

    Attributes
    ----------
    qkv : ndarray, shape (copies, depth, 3 * d_model, d_model + 1)
        Makes queries, keys and values.
    out : ndarray, shape (copies, depth, d_model, d_model + 1)
        Mixes the heads.
    inner : ndarray, shape (copies, depth, d_ff, d_model + 1)
    outer : ndarray, shape (copies, depth, d_model, d_ff + 1)
    norms : ndarray, shape (copies, depth, 4, d_model), or None
        Gain and bias of the norm after attention, then of that after feed-forward, where norms
        stand on the trunk.
    """

    qkv: np.ndarray
    out: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    norms: np.ndarray | None = None


@np.errstate(over="ignore", invalid="ignore")  # who trains is told by training.fit
def deep_transformer_forward(blocks, x, n_heads, a=1.0, norm="none", causal=False, keep=True):
    """Run copies of a stack of blocks: h ← a·h + Attn(h), then h ← a·h + FFN(h).

    Inside, features come first, (features, copies, batch, seq), and keys come first among
    the attention weights, so that each operation runs over long rows and each product of
    matrices writes where the next one reads. A last row of ones meets the biases.

    Parameters
    ----------
    blocks : DeepBlocks
    x : ndarray, shape (copies, batch, seq, d_model)
    n_heads : int
        A divisor of d_model.
    a : float
        Gain of the shortcuts; 0 removes them.
    norm : {"none", "pre", "post"}
        Whether `layer_norm_forward` is applied to the input of each sublayer, or after each sum
        with the gains and biases in ``blocks.norms``.
    causal : bool
        Whether a position may look at itself and at those before it alone.
    keep : bool
        Keep what the backward pass needs.

    Returns
    -------
    H : ndarray, of the shape of x
    cache : object
        For one call of `deep_transformer_backward`.

    Raises
    ------
    ValueError
        If `n_heads` does not divide d_model.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3; Bachlechner et al. (2021),
    "ReZero is All You Need", section 5.
    Used in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> shapes = (12, 5), (4, 5), (8, 5), (4, 9)
    >>> blocks = DeepBlocks(*(np.zeros((1, 96, *shape)) for shape in shapes))
    >>> x = np.ones((1, 2, 3, 4))
    >>> np.array_equal(deep_transformer_forward(blocks, x, n_heads=2)[0], x)
    True
    """
    if x.shape[-1] % n_heads:
        raise ValueError(f"n_heads must divide d_model={x.shape[-1]}, got {n_heads}")
    depth, d_ff = blocks.inner.shape[1:3]
    tape = _Tape.take(depth, x.shape, d_ff, n_heads, x.dtype, a, norm, causal, keep)
    h, z, scale = tape.streams[0], tape.z, x.dtype.type((x.shape[-1] // n_heads) ** -0.5)
    h[...] = np.moveaxis(x, -1, 0).reshape(h.shape)
    norms = _by_feature(blocks.norms)
    for i, (qkv, out, inner, outer) in enumerate(zip(*_by_layer(blocks), strict=True)):
        it = tape.layers[i]
        if norm == "pre":
            _, (_, tape.scales[2 * i]) = layer_norm_forward(h, 0, out=it.attend_in)
        # attention: p = softmax(kᵀq / √d), heads = v p, with a column for each query
        np.matmul(qkv, it.u, out=it.qkv_by_copy)
        np.matmul(it.k.mT, it.q, out=it.p_by_head)
        _softmax_over_keys(it.p, scale, tape)
        np.matmul(it.v, it.p_by_head, out=it.heads)
        np.matmul(out, it.joined, out=tape.z_by_copy)
        h = np.add(times(a, h), z, out=tape.streams[2 * i + 1])
        if norm == "pre":
            _, (_, tape.scales[2 * i + 1]) = layer_norm_forward(h, 0, out=it.feed_in)
        if norm == "post":
            tape.norm(2 * i, h, norms[i, :2])
        # feed-forward: W2 relu(W1 u + c1) + c2
        np.matmul(inner, it.w, out=it.hidden_by_copy)
        np.maximum(it.hidden, tape.zero, out=it.hidden)
        np.matmul(outer, it.activated, out=tape.z_by_copy)
        h = np.add(times(a, h), z, out=tape.streams[2 * i + 2])
        if norm == "post":
            tape.norm(2 * i + 1, h, norms[i, 2:])
    return _batch_first(h, x.shape), tape


@np.errstate(over="ignore", invalid="ignore")
def deep_transformer_backward(blocks, cache, dH):
    """Send a gradient back through `deep_transformer_forward`.

    Parameters
    ----------
    blocks : DeepBlocks
    cache : object
        From `deep_transformer_forward`; used up, since its arrays are lent to the next call.
    dH : ndarray, shape (copies, batch, seq, d_model)
        ∂L/∂H at the output.

    Returns
    -------
    dx : ndarray, of the shape of dH
    gradients : DeepBlocks
        Summed over all positions.

    Raises
    ------
    ValueError
        If the cache was used before, or does not hold what the backward pass needs.

    References
    ----------
    Derived in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> shapes = (12, 5), (4, 5), (8, 5), (4, 9)
    >>> blocks = DeepBlocks(*(np.zeros((1, 96, *shape)) for shape in shapes))
    >>> _, cache = deep_transformer_forward(blocks, np.ones((1, 2, 3, 4)), n_heads=2)
    >>> dx, gradients = deep_transformer_backward(blocks, cache, np.ones((1, 2, 3, 4)))
    >>> dx.sum(), gradients.outer[0, 0, :, -1]
    (np.float64(24.0), array([6., 6., 6., 6.]))
    """
    tape = cache
    tape.open()
    gradients = DeepBlocks(*(None if W is None else np.empty_like(W) for W in blocks))
    scale = dH.dtype.type(tape.d_head**-0.5)
    d, z, error, dp, before = tape.d, tape.z, tape.error, tape.dp, tape.place == "pre"
    d[...] = np.moveaxis(dH, -1, 0).reshape(d.shape)
    weights, targets = _by_layer(blocks), _by_layer(gradients)
    norms, dnorms = _by_feature(blocks.norms), _by_feature(gradients.norms)
    for i in reversed(range(len(tape.layers))):
        it, at = tape.layers[i], 2 * i
        qkv, out, inner, outer = (W[i] for W in weights)
        dqkv, dout, dinner, douter = (W[i] for W in targets)
        if tape.place == "post":
            tape.norm_back(at + 1, norms[i, 2], dnorms[i, 2:])
        # feed-forward, the last sublayer first; relu'(z) is 1 or 0
        np.matmul(tape.d_by_copy, it.activated.mT, out=douter)
        np.matmul(outer[..., :-1].mT, tape.d_by_copy, out=tape.error_by_copy)
        np.greater(it.hidden, tape.zero, out=tape.mark)
        np.multiply(error, tape.number, out=error)
        np.matmul(tape.error_by_copy, it.w.mT, out=dinner)
        np.matmul(inner[..., :-1].mT, tape.error_by_copy, out=tape.z_by_copy)
        step = layer_norm_backward((it.feed_in, tape.scales[at + 1]), z, 0) if before else z
        np.add(times(tape.a, d), step, out=d)
        # attention: heads = v p gives ∂L/∂v = ∂L/∂heads pᵀ and ∂L/∂p = vᵀ ∂L/∂heads
        if tape.place == "post":
            tape.norm_back(at, norms[i, 0], dnorms[i, :2])
        np.matmul(tape.d_by_copy, it.joined.mT, out=dout)
        np.matmul(out[..., :-1].mT, tape.d_by_copy, out=tape.z_by_copy)
        np.matmul(tape.dheads, it.p_by_head.mT, out=tape.dv)
        np.matmul(it.v.mT, tape.dheads, out=tape.dp_by_head)
        # ∂L/∂score = p ⊙ (∂L/∂p − Σ p ∂L/∂p) / √d
        np.multiply(it.p, dp, out=tape.work)
        np.subtract(dp, np.add.reduce(tape.work, 0, out=tape.row), out=dp)
        np.multiply(it.p, scale, out=tape.work)
        np.multiply(dp, tape.work, out=dp)
        # score = kᵀq: ∂L/∂q = k ∂L/∂score, ∂L/∂k = q (∂L/∂score)ᵀ
        np.matmul(it.k, tape.dp_by_head, out=tape.dq)
        np.matmul(it.q, tape.dp_by_head.mT, out=tape.dk)
        np.matmul(tape.dqkv_by_copy, it.u.mT, out=dqkv)
        np.matmul(qkv[..., :-1].mT, tape.dqkv_by_copy, out=tape.z_by_copy)
        step = layer_norm_backward((it.attend_in, tape.scales[at]), z, 0) if before else z
        np.add(times(tape.a, d), step, out=d)
    tape.lend()
    return _batch_first(d, dH.shape), gradients


def _softmax_over_keys(p, scale, tape):
    """Turn scores into shares in place; keys lie on axis 0."""
    np.multiply(p, scale, out=p)
    if tape.hidden is not None:
        np.add(p, tape.hidden, out=p)
    # a shift by the largest changes no share, and exp cannot overflow
    np.subtract(p, np.maximum.reduce(p, 0, out=tape.row), out=p)
    np.exp(p, out=p)
    np.divide(p, np.add.reduce(p, 0, out=tape.row), out=p)


def _by_layer(blocks):
    return [list(W.swapaxes(0, 1)) for W in blocks[:4]]


def _by_feature(norms):
    """See (copies, depth, 4, d_model) as (depth, 4, d_model, copies, 1), to multiply streams."""
    return None if norms is None else np.moveaxis(norms, 0, -1)[..., None]


def _batch_first(h, shape):
    return np.ascontiguousarray(np.moveaxis(h.reshape(-1, *shape[:-1]), 0, -1))


class _Layer:
    """Views of what one layer keeps; made once, since making one costs as much as using it."""

    def __init__(self, attend_in, qkv, p, joined, feed_in, activated, sizes):
        d_model, d_ff, n_heads = sizes
        copies, batch, seq = p.shape[2], p.shape[3], p.shape[4]
        self.u, self.attend_in = attend_in.swapaxes(0, 1), attend_in[:d_model]
        self.w, self.feed_in = feed_in.swapaxes(0, 1), feed_in[:d_model]
        self.qkv_by_copy = qkv.swapaxes(0, 1)
        self.q, self.k, self.v = _heads(qkv, 3, n_heads, copies, batch, seq)
        self.p, self.p_by_head = p, p.transpose(1, 2, 3, 0, 4)
        self.joined = joined.swapaxes(0, 1)
        (self.heads,) = _heads(joined[:d_model], 1, n_heads, copies, batch, seq)
        self.hidden, self.activated = activated[:d_ff], activated.swapaxes(0, 1)
        self.hidden_by_copy = self.hidden.swapaxes(0, 1)


def _heads(rows, parts, n_heads, copies, batch, seq):
    """See (parts * n_heads * d, copies, batch * seq) as matrices (d, seq) for each head."""
    apart = rows.reshape(parts, n_heads, -1, copies, batch, seq)
    return apart.transpose(0, 1, 3, 4, 2, 5)


class _Tape(Tape):
    """What `deep_transformer_forward` leaves for `deep_transformer_backward`."""

    def __init__(self, depth, x_shape, d_ff, n_heads, dtype, a, norm, causal, keep):
        key = depth, x_shape, d_ff, n_heads, dtype, a, norm, causal, keep
        super().__init__(key, keep)
        copies, batch, seq, d_model = x_shape
        shape, scores = (copies, batch * seq), (seq, n_heads, copies, batch, seq)
        self.a, self.place, self.d_head = a, norm, d_model // n_heads
        self.scales = [None] * 2 * depth
        places = depth if keep else 1  # without `keep` all layers in one place
        # what enters a matrix has a row of ones
        inputs = np.ones((2 * places + 1, d_model + 1, *shape), dtype)
        joined = np.ones((places, d_model + 1, *shape), dtype)
        activated = np.ones((places, d_ff + 1, *shape), dtype)
        qkv, p = (np.empty((places, *s), dtype) for s in ((3 * d_model, *shape), scores))
        sizes = d_model, d_ff, n_heads
        self.layers = [
            _Layer(inputs[2 * i], qkv[i], p[i], joined[i], inputs[2 * i + 1], activated[i], sizes)
            for i in range(places)
        ] * (1 if keep else depth)
        # the streams are the inputs, unless a norm stands in between
        if norm == "pre":
            self.streams = [np.empty((d_model, *shape), dtype)] * (2 * depth + 1)
        elif keep:
            self.streams = list(inputs[:, :d_model])
        else:
            self.streams = [inputs[i % 2, :d_model] for i in range(2 * depth + 1)]
        self.z, self.d = (np.empty((d_model, *shape), dtype) for _ in range(2))
        if norm == "post":  # what each norm puts out, before gain and bias
            normed = np.empty((2 * depth if keep else 1, d_model, *shape), dtype)
            self.normed = list(normed) if keep else [normed[0]] * (2 * depth)
        self.z_by_copy, self.d_by_copy = self.z.swapaxes(0, 1), self.d.swapaxes(0, 1)
        self.zero, self.error = (np.zeros((d_ff, *shape), dtype) for _ in range(2))
        self.error_by_copy, self.mark = self.error.swapaxes(0, 1), np.empty((d_ff, *shape), bool)
        self.number = self.mark.view(np.int8)  # bool multiplies slowly
        dqkv = np.empty((3 * d_model, *shape), dtype)
        self.dqkv_by_copy = dqkv.swapaxes(0, 1)
        self.dq, self.dk, self.dv = _heads(dqkv, 3, n_heads, copies, batch, seq)
        (self.dheads,) = _heads(self.z, 1, n_heads, copies, batch, seq)
        self.dp, self.work = (np.empty(scores, dtype) for _ in range(2))
        self.dp_by_head, self.row = self.dp.transpose(1, 2, 3, 0, 4), np.empty(scores[1:], dtype)
        self.hidden = None
        if causal:  # keys on axis 0, queries on the last
            future = np.where(np.tri(seq, dtype=bool).T, 0, -np.inf).astype(dtype)
            self.hidden = future.reshape(seq, 1, 1, 1, seq)

    def norm(self, i, h, gain_and_bias):
        """Put the norm of the stream h, with gain and bias, in its place: sublayer i is done."""
        y, (_, self.scales[i]) = layer_norm_forward(h, 0, out=self.normed[i])
        np.multiply(y, gain_and_bias[0], out=h)
        np.add(h, gain_and_bias[1], out=h)

    def norm_back(self, i, gain, into):
        """Send the gradient d back through the norm behind sublayer i, in place."""
        # y = gain·norm(h) + bias: ∂L/∂gain = Σ d·norm(h), ∂L/∂bias = Σ d, over all positions
        np.add.reduce(self.d * self.normed[i], -1, out=into[0, ..., 0])
        np.add.reduce(self.d, -1, out=into[1, ..., 0])
        np.multiply(self.d, gain, out=self.d)
        self.d[...] = layer_norm_backward((self.normed[i], self.scales[i]), self.d, 0)
