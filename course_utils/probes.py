"""Measure a network: modules in, arrays out. Nothing here imports matplotlib."""

import numpy as np
import torch
from torch.func import functional_call, vmap

from course_utils import backprop, data
from course_utils.wiring import Wiring


def descent(learning_rate, curvature=1.0, start=1.0, steps=30):
    """Follow gradient descent on L(w) = ½ c w².

    Each step is w ← w − η c w, so that after t steps w = (1 − η c)^t · start.

    Parameters
    ----------
    learning_rate : float
        η.
    curvature : float
        c.
    start : float
    steps : int

    Returns
    -------
    ndarray, shape (steps + 1,)
        w before the first step and after each one.

    Examples
    --------
    >>> descent(0.5, steps=3)
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    return start * (1 - learning_rate * curvature) ** np.arange(steps + 1)


def grid_lines(lines=9, points=21, x_max=1.6, y_max=1.1):
    """Lay a grid of horizontal and vertical lines over a rectangle around 0.

    Parameters
    ----------
    lines : int
        Lines in each direction.
    points : int
        Points on each line.
    x_max, y_max : float
        Half the width and half the height.

    Returns
    -------
    ndarray, shape (2 * lines, points, 2)

    Examples
    --------
    >>> grid_lines(lines=3, points=5).shape
    (6, 5, 2)
    """
    x, y = np.linspace(-x_max, x_max, lines), np.linspace(-y_max, y_max, lines)
    fine_x, fine_y = np.linspace(-x_max, x_max, points), np.linspace(-y_max, y_max, points)
    horizontal = np.stack(np.broadcast_arrays(fine_x, y[:, None]), -1)
    vertical = np.stack(np.broadcast_arrays(x[:, None], fine_y), -1)
    return np.concatenate([horizontal, vertical])


def output(net, x):
    """Run a network on an array, without gradients.

    Parameters
    ----------
    net : nn.Module
        Maps (..., d_in) to (..., d_out).
    x : ndarray, shape (..., d_in)
        Of the network's own precision.

    Returns
    -------
    ndarray, shape (..., d_out)

    Examples
    --------
    >>> output(torch.nn.Identity(), np.ones((2, 3))).shape
    (2, 3)
    """
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def jacobian(net, x):
    """Measure ∂net/∂x at one point by autograd.

    Parameters
    ----------
    net : callable
        Maps a vector, shape (d_in,), to a vector, shape (d_out,).
    x : Tensor, shape (d_in,)

    Returns
    -------
    ndarray, shape (d_out, d_in)
        Row i is the gradient of output i.

    References
    ----------
    Derived in notebooks/00_start_here.ipynb.

    Examples
    --------
    >>> jacobian(lambda x: 3 * x, torch.ones(2))
    array([[3., 0.],
           [0., 3.]], dtype=float32)
    """
    return torch.autograd.functional.jacobian(net, x).detach().numpy()


def jacobian_by_differences(f, x, eps=1e-6):
    """Measure ∂f/∂x at one point by central differences.

    Column j is (f(x + eps·e_j) − f(x − eps·e_j)) / (2 eps), with an error of order eps².

    Parameters
    ----------
    f : callable
        Maps an array, shape (d_in,), to an array, shape (d_out,).
    x : ndarray, shape (d_in,)
        In float64; left unchanged.
    eps : float

    Returns
    -------
    ndarray, shape (d_out, d_in)

    References
    ----------
    Derived in notebooks/00_start_here.ipynb.

    Examples
    --------
    >>> jacobian_by_differences(lambda x: x**2, np.array([1.0, 2.0])).round(6)
    array([[2., 0.],
           [0., 4.]])
    """
    steps = eps * np.eye(len(x))
    columns = [(np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * eps) for step in steps]
    return np.stack(columns, axis=-1)


def gradient_norms(branches, x, dH, wiring: Wiring):
    """Measure how long the gradient is before each block, relative to its end.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    dH : ndarray, shape (..., batch, width)
        ∂L/∂H at the output.
    wiring : Wiring

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        Entry l is ‖∂L/∂h_l‖ / ‖∂L/∂H‖ over the batch, for each seed; the last is 1.

    References
    ----------
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0) for _ in range(3)]
    >>> x = rng.normal(size=(2, 4))
    >>> gradient_norms(silent, x, x, Wiring(a=0.5))
    array([0.125, 0.25 , 0.5  , 1.   ])
    """
    _, caches = backprop.forward(branches, x, wiring)
    stream, _ = backprop.backward(branches, caches, dH, wiring)
    norms = np.stack([np.sqrt((g**2).sum((-2, -1))) for g in stream])
    return norms / norms[-1]


def stream_gradients(net, x, loss):
    """Measure the length of ∂L/∂h after every part of a chain.

    Parameters
    ----------
    net : nn.Sequential
    x : Tensor, shape (batch, d_in)
    loss : callable
        Maps the output of the net to a number.

    Returns
    -------
    ndarray, shape (len(net),)
        Of the whole batch; the last entry belongs to the output of the net.

    References
    ----------
    Used in notebooks/05_degradation.ipynb.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    >>> stream_gradients(net, torch.ones(1, 4), torch.sum)
    array([2., 2.], dtype=float32)
    """
    h, streams = x.detach().requires_grad_(), []
    for part in net:
        h = part(h)
        streams.append(h)
    gradients = torch.autograd.grad(loss(h), streams)
    return torch.stack([gradient.norm() for gradient in gradients]).numpy()


def stream_lengths(branches, x, wiring: Wiring):
    """Measure how long the stream is before each block, relative to the input.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    wiring : Wiring

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        Entry l is ‖h_l‖ / ‖x‖ over the batch, for each seed; the first is 1.

    References
    ----------
    Derived in notebooks/03_signal_at_depth.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0) for _ in range(3)]
    >>> stream_lengths(silent, rng.normal(size=(2, 4)), Wiring(a=0.5))
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    streams = [x]
    for branch in branches:
        streams.append(backprop.forward([branch], streams[-1], wiring)[0])
    lengths = np.stack([np.sqrt((h**2).sum((-2, -1))) for h in streams])
    return lengths / lengths[0]


def variance_ledger(branches, x, wiring: Wiring):
    """Split what each block does to the squared length of the stream into three terms.

    ‖a·h + b·F‖² = a²‖h‖² + b²‖F‖² + 2ab⟨h, F⟩: the shortcut's share, the branch's, and
    what they have in common.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    wiring : Wiring
        Without a post-norm, which sets the length by force.

    Returns
    -------
    ndarray, shape (3, depth, ...)
        Each relative to ‖h_l‖² over the batch, so that a block multiplies the squared
        length by the sum.

    Raises
    ------
    ValueError
        If the wiring has a post-norm.

    References
    ----------
    Taki (2017), "Deep Residual Networks and Weight Initialization", section 3.
    Derived in notebooks/03_signal_at_depth.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0)]
    >>> variance_ledger(silent, rng.normal(size=(2, 4)), Wiring(a=0.5)).ravel()
    array([0.25, 0.  , 0.  ])
    """
    if wiring.norm == "post":
        raise ValueError(f"a ledger needs a wiring without a post-norm, got {wiring}")
    h, rows = x, []
    for branch in branches:
        after, _ = backprop.forward([branch], h, wiring)
        shortcut = wiring.a * h
        step = after - shortcut
        terms = (shortcut**2, step**2, 2 * shortcut * step)
        size = (h**2).sum((-2, -1))
        size = np.where(size == 0, 1, size)  # a stream that is 0 stays 0
        rows.append([term.sum((-2, -1)) / size for term in terms])
        h = after
    return np.moveaxis(np.array(rows), 1, 0)


def cosines(branches, x, wiring: Wiring):
    """Measure how alike the first two examples are before each block.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
        At least two examples.
    wiring : Wiring

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        Cosine of the angle between the two streams; 1 where they point the same way, 0
        where one of them is 0.

    References
    ----------
    Poole et al. (2016), "Exponential expressivity in deep neural networks through transient
    chaos", eq. 4. Derived in notebooks/03_signal_at_depth.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=2, gain=0)]
    >>> cosines(silent, np.array([[1.0, 0.0], [1.0, 1.0]]), Wiring()).round(3)
    array([0.707, 0.707])
    """
    found, h = [], x
    for branch in [None, *branches]:
        if branch is not None:
            h, _ = backprop.forward([branch], h, wiring)
        length = np.linalg.norm(h, axis=-1, keepdims=True)
        unit = h / np.where(length == 0, 1, length)
        found.append((unit[..., 0, :] * unit[..., 1, :]).sum(-1))
    return np.stack(found)


def dilution(branches, x, wiring: Wiring):
    """Measure what the shortcuts bring of the input, and how far each block turns the stream.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    wiring : Wiring

    Returns
    -------
    left : ndarray, shape (depth + 1, ...)
        ‖c·x‖² / ‖h_l‖², where c·x has come along the shortcuts alone, through a norm on the
        trunk as well.
    turned : ndarray, shape (depth, ...)
        One minus the squared cosine between h_l and h_(l+1).

    References
    ----------
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0) for _ in range(2)]
    >>> left, turned = dilution(silent, rng.normal(size=(2, 4)), Wiring(a=0.5, norm="pre"))
    >>> left, abs(turned).max().round(6)
    (array([1., 1., 1.]), np.float64(0.0))
    """

    def product(one, other):
        return (one * other).sum((-2, -1))

    h, carried, left, turned = x, x, [np.ones(x.shape[:-2])], []
    for branch in branches:
        before, (h, caches) = h, backprop.forward([branch], h, wiring)
        carried = wiring.a * carried
        if wiring.norm == "post":
            carried = carried * caches[0][-1][1]  # the norm divides all that is in the stream
        left.append(product(carried, carried) / product(h, h))
        cosine2 = product(before, h) ** 2 / (product(before, before) * product(h, h))
        turned.append(1 - cosine2)
    return np.stack(left), np.stack(turned)


def token_spread(x):
    """Measure how far the tokens of a sequence are from being all the same.

    Parameters
    ----------
    x : ndarray, shape (..., seq, d_model)

    Returns
    -------
    ndarray, shape (...)
        ‖X − 1·x̄ᵀ‖ / ‖X‖, where x̄ is the mean token: 0 where all are equal, at most 1.

    References
    ----------
    Dong et al. (2021), "Attention is not all you need: pure attention loses rank doubly
    exponentially with depth", section 2.1, with the Frobenius norm.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> token_spread(np.array([[1.0, 0.0], [-1.0, 0.0]])), token_spread(np.ones((5, 3)))
    (np.float64(1.0), np.float64(0.0))
    """
    rest = x - x.mean(-2, keepdims=True)
    return np.linalg.norm(rest, axis=(-2, -1)) / np.linalg.norm(x, axis=(-2, -1))


def rank_collapse(layers, x, n_heads, wiring: Wiring):
    """Measure the spread of the tokens before the first layer and after each one.

    Parameters
    ----------
    layers : sequence of (backprop.Attention, backprop.Branch or None)
        Attention and, where there is one, the feed-forward sublayer; may hold seeds on a
        leading axis.
    x : ndarray, shape (..., seq, d_model)
        In float64: float32 ends at a spread of 1e-7.
    n_heads : int
    wiring : Wiring
        How each sublayer joins the stream.

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        From `token_spread`.

    References
    ----------
    Dong et al. (2021), "Attention is not all you need", figure 2.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [(backprop.random_attention(rng, 4, gain=0), None)] * 2
    >>> rank_collapse(silent, np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]), 2, Wiring())
    array([1., 1., 1.])
    """
    place, h, found = wiring.one_norm(), x, [token_spread(x)]
    for attention, feed in layers:
        for weights in (attention,) if feed is None else (attention, feed):
            u = backprop.layer_norm_forward(h)[0] if place == "pre" else h
            if weights is attention:
                F, _ = backprop.multi_head_forward(attention, u, n_heads)
            else:
                F, _ = backprop.feed_forward(feed, u)
            h = wiring.a * h + wiring.b * F
            if place == "post":
                h, _ = backprop.layer_norm_forward(h)
        found.append(token_spread(h))
    return np.stack(found)


def block_steps(stack, h):
    """Measure how far each block of a stack moves the stream: ‖h_(l+1) − h_l‖ / ‖h_l‖.

    Parameters
    ----------
    stack : blocks.DeepStack
    h : Tensor, shape (batch, width)
        The stream before the first block.

    Returns
    -------
    ndarray, shape (depth,)

    References
    ----------
    Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> from course_utils.blocks import DeepStack
    >>> block_steps(DeepStack(3, 4, Wiring(a=0.5), gate=0.0), torch.ones(2, 4))
    array([0.5, 0.5, 0.5])
    """
    steps = []
    with torch.no_grad():
        for block in map(stack.block, range(len(stack.layers))):
            before, h = h, block(h)
            steps.append(((h - before).norm() / before.norm()).item())
    return np.array(steps)


def branch_jacobians(stack, h):
    """Measure M_l = J_l − I, what each block of a stack adds to the identity, at some inputs.

    Any block can be split like that, with a shortcut or without.

    Parameters
    ----------
    stack : blocks.DeepStack
    h : Tensor, shape (batch, width)
        The stream before the first block.

    Returns
    -------
    ndarray, shape (depth, batch, width, width)
        In float64.

    References
    ----------
    Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> from course_utils.blocks import DeepStack
    >>> silent = DeepStack(5, 4, Wiring(), gate=0.0)
    >>> branch_jacobians(silent, torch.ones(2, 4)).shape
    (5, 2, 4, 4)
    """
    found, h = [], h.detach()
    for block in map(stack.block, range(len(stack.layers))):
        J = torch.func.vmap(torch.func.jacrev(block))(h).detach().double()
        found.append(J - torch.eye(h.shape[-1], dtype=J.dtype))
        h = block(h).detach()
    return torch.stack(found).numpy()


def path_length_shares(depth, gain):
    """Compute how the squared length divides over path lengths, for random branches.

    There are C(L, k) paths with k branches, and each has the squared gain g^(2k). Different
    paths have nothing in common on average, so the share of length k is
    C(L, k) g^(2k) / (1 + g²)^L: each block tosses a coin that shows g² / (1 + g²).

    Parameters
    ----------
    depth : int
        L, the number of blocks.
    gain : float
        g: a branch multiplies the squared length by g² on average.

    Returns
    -------
    ndarray, shape (depth + 1,)

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow
    Networks", section 5, for the binomial. Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> path_length_shares(2, 1.0)
    array([0.25, 0.5 , 0.25])
    """
    coin = gain**2 / (1 + gain**2)
    shares = np.ones(1)
    for _ in range(depth):
        shares = (1 - coin) * np.append(shares, 0) + coin * np.append(0, shares)
    return shares


def squares_by_length(M, v):
    """Measure what all paths of each length make of a vector, after each block.

    Let v_k be the sum over the paths with k branches. A block h ← h + M h takes it to
    v_k + M v_(k−1).

    Parameters
    ----------
    M : ndarray, shape (depth, ..., n, n)
        The branches, linear; may hold seeds on axes between.
    v : ndarray, shape (..., n)

    Returns
    -------
    ndarray, shape (depth + 1, depth + 1, ...)
        ‖v_k‖² in row l, column k, after l blocks.

    References
    ----------
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> squares_by_length(np.ones((2, 1, 1)), np.ones(1))  # 1, 2 and 1 paths, squared
    array([[1., 0., 0.],
           [1., 1., 0.],
           [1., 4., 1.]])
    """
    parts = np.zeros((len(M) + 1, *v.shape))
    parts[0] = v
    found = [(parts**2).sum(-1)]
    for block in M:
        parts[1:] += np.einsum("...ij,k...j->k...i", block, parts[:-1])
        found.append((parts**2).sum(-1))
    return np.stack(found)


def flow(x, W, dt, c=0.0):
    """Follow points through blocks h ← h + tanh(W_l h + c_l)·dt, which are Euler's steps.

    Parameters
    ----------
    x : ndarray, shape (..., points, n)
    W : ndarray, shape (depth, ..., n, n)
        One matrix for each block, all equal where blocks share their weights; may hold seeds on
        axes between.
    dt : float
        1/depth follows dh/dt = tanh(W h + c) from time 0 to 1.
    c : float or ndarray, shape (n,) or (depth, ..., 1, n)

    Returns
    -------
    ndarray, shape (depth + 1, ..., points, n)
        The points before the first block and after each one.

    References
    ----------
    Haber and Ruthotto (2017), "Stable Architectures for Deep Neural Networks", section 2.
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> flow(np.zeros((1, 2)), np.zeros((2, 2, 2)), dt=0.5, c=np.array([9.0, -9.0]))[:, 0].round(3)
    array([[ 0. ,  0. ],
           [ 0.5, -0.5],
           [ 1. , -1. ]])
    """
    c = np.asarray(c, float)
    path = [np.broadcast_to(x, np.broadcast_shapes(x.shape, (*W.shape[1:-2], 1, 1)))]
    for index, block in enumerate(W):
        z = path[-1] @ block.mT + (c[index] if c.ndim > 1 else c)
        path.append(path[-1] + dt * np.tanh(z))
    return np.stack(path)


def exact_flow(x, f, time=1.0, steps=64):
    """Follow dh/dt = f(h) so closely that nothing of the error shows.

    The classical Runge-Kutta method: its error falls like 1/steps⁴, that of Euler's like 1/steps.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        h at time 0.
    f : callable
        Maps h to an array of its shape.
    time : float
    steps : int

    Returns
    -------
    ndarray, shape (steps + 1, ..., n)

    References
    ----------
    Chen et al. (2018), "Neural Ordinary Differential Equations", eq. 2.
    Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> float(exact_flow(np.ones(1), lambda h: h)[-1, 0].round(6))
    2.718282
    """
    path, dt = [x], time / steps
    for _ in range(steps):
        h = path[-1]
        k1 = f(h)
        k2 = f(h + dt / 2 * k1)
        k3 = f(h + dt / 2 * k2)
        k4 = f(h + dt * k3)
        path.append(h + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return np.stack(path)


def path_shares(stack, x, dH, longest=60):
    """Split the gradient at the input of a deep stack by the length of its paths.

    On its way back through h ← a·h + b·gate·relu(W h + c) a gradient takes the shortcut or the
    branch, in every block. A path's length is the number of branches that it passes.

    Parameters
    ----------
    stack : blocks.DeepStack
        With ReLU and without a norm.
    x : Tensor, shape (batch, width)
    dH : Tensor, shape (batch, width)
        ∂L/∂H at the output.
    longest : int
        Longer paths are left out.

    Returns
    -------
    ndarray, shape (longest + 1,)
        What the paths of length 0, 1, … add to ∂L/∂x along its own direction; together 1 if the
        paths left out carry nothing.

    Raises
    ------
    ValueError
        If the stack has a norm, or another activation than ReLU.

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
    section 4.3, on single sampled paths; here all of them are summed.
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> from course_utils.blocks import DeepStack
    >>> x = torch.ones(2, 4)
    >>> path_shares(DeepStack(100, 4, Wiring(), gate=0.0), x, x, longest=2)
    array([1., 0., 0.])
    """
    wiring = stack.wiring
    if wiring.norm != "none" or stack.activation != "relu":
        raise ValueError(f"ReLUs without a norm are needed, got {stack.activation} and {wiring}")
    gates = torch.ones(len(stack.layers), 1) if stack.gate is None else stack.gate
    layers, gates, h, dH = (t.detach().double().numpy() for t in (stack.layers, gates, x, dH))
    slopes = []
    for layer, gate in zip(layers, gates, strict=True):
        z = h @ layer[:, :-1].T + layer[:, -1]
        slopes.append(wiring.b * gate * (z > 0))
        h = wiring.a * h + wiring.b * gate * np.maximum(z, 0)
    parts, whole = np.zeros((longest + 1, *h.shape)), dH  # whole: by backpropagation
    parts[0] = dH
    for layer, slope in zip(layers[::-1], slopes[::-1], strict=True):
        through = (parts[:-1] * slope) @ layer[:, :-1]
        parts *= wiring.a
        parts[1:] += through
        whole = wiring.a * whole + (whole * slope) @ layer[:, :-1]
    return (parts * whole).sum((1, 2)) / (whole**2).sum()


def input_gradients(branches, h, readout, wiring: Wiring, batch_norm=False):
    """Measure ∂y/∂h at many inputs h, for the number y = readout · H at the end of a stack.

    Parameters
    ----------
    branches : sequence of backprop.Branch
        May hold seeds on a leading axis.
    h : ndarray, shape (..., points, width)
        The stream before the first block.
    readout : ndarray, shape (..., 1, width)
    wiring : Wiring
        Without a norm.
    batch_norm : bool
        Give W1 h + c1 the mean 0 and the variance 1 over the points before the ReLU. The
        gradient is the slope of y at fixed mean and variance.

    Returns
    -------
    ndarray, shape (..., points, width)

    Raises
    ------
    ValueError
        If the wiring has a norm.

    References
    ----------
    Balduzzi et al. (2017), "The Shattered Gradients Problem", figure 1, for such a line.
    Derived in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=2, gain=0) for _ in range(3)]
    >>> input_gradients(silent, np.ones((1, 2)), np.array([[8.0, 16.0]]), Wiring(a=0.5))
    array([[1., 2.]])
    """
    if wiring.norm != "none":
        raise ValueError(f"a wiring without a norm is needed, got {wiring}")
    slopes = []
    for branch in branches:
        z = h @ branch.W1.mT + branch.c1[..., None, :]
        scale = 1
        if batch_norm:
            z = z - z.mean(-2, keepdims=True)
            scale = 1 / np.sqrt((z**2).mean(-2, keepdims=True) + z.dtype.type(1e-5))
            z *= scale
        slopes.append((z > 0) * scale)
        F = np.maximum(z, 0) @ branch.W2.mT + branch.c2[..., None, :]
        h = wiring.a * h + wiring.b * F
    gradient = np.broadcast_to(readout, h.shape)
    for branch, slope in zip(branches[::-1], slopes[::-1], strict=True):
        back = (gradient @ branch.W2 * slope).astype(h.dtype, copy=False) @ branch.W1
        gradient = wiring.a * gradient + wiring.b * back
    return gradient


def pair_cosines(vectors):
    """Measure how alike every two of many vectors are.

    Parameters
    ----------
    vectors : ndarray, shape (..., points, width)

    Returns
    -------
    ndarray, shape (..., points, points)
        Cosines; 0 where one of the two vectors is 0.

    References
    ----------
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> pair_cosines(np.array([[1.0, 0.0], [0.0, 2.0]]))
    array([[1., 0.],
           [0., 1.]])
    """
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = vectors / np.where(length == 0, 1, length)
    return unit @ unit.mT


def by_lag(pairs):
    """Average over all pairs of points that are equally far apart on a line.

    Parameters
    ----------
    pairs : ndarray, shape (..., points, points)
        One number for each pair, such as from `pair_cosines`.

    Returns
    -------
    ndarray, shape (points, ...)
        Entry k is the mean over the pairs (i, i + k).

    References
    ----------
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> by_lag(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 1.0]]))
    array([1. , 0.4, 0. ])
    """
    return np.stack([pairs.diagonal(k, -2, -1).mean(-1) for k in range(pairs.shape[-1])])


def autocorrelation(series, centred=True):
    """Measure how a series of numbers correlates with itself, lag by lag.

    r_k = mean_i g_i g_(i+k) / mean_i g_i², the first mean over the points − k pairs there are.

    Parameters
    ----------
    series : ndarray, shape (..., points)
    centred : bool
        Take the mean of each series away first, as is usual. On a short line that takes a part
        of a slow series for its mean: its long lags then come out near 0 or below.

    Returns
    -------
    ndarray, shape (points, ...)
        1 at lag 0.

    References
    ----------
    Balduzzi et al. (2017), "The Shattered Gradients Problem", figure 1.
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]))
    array([ 1., -1.,  1., -1.])
    """
    g = series - series.mean(-1, keepdims=True) if centred else series
    return by_lag(g[..., :, None] * g[..., None, :]) / (g**2).mean(-1)


def wide_cosines(c, depth, wiring: Wiring):
    """Predict how alike two streams and their gradients are in a stack of very wide blocks.

    Two streams at the angle θ = arccos c have (1 − θ/π)/2 of the ReLUs open in common. So a
    branch of `backprop.random_branch` hands on the part 1 − θ/π of what two gradients have in
    common, and the cosine c of two streams becomes (sin θ + (π − θ) c)/π. A block takes the
    means of shortcut and branch, with the weights a² and b².

    Parameters
    ----------
    c : float or ndarray
        Cosine between the two inputs of the stack.
    depth : int
    wiring : Wiring
        Without a norm.

    Returns
    -------
    stream : ndarray, shape (depth + 1, *c.shape)
        Cosine between the two streams before each block and at the end.
    gradient : ndarray, shape (depth + 1, *c.shape)
        Entry l is the cosine between ∂y/∂h at the two inputs of a stack of l blocks.

    Raises
    ------
    ValueError
        If the wiring has a norm.

    References
    ----------
    Cho and Saul (2009), "Kernel Methods for Deep Learning", eq. 6, for the streams; Balduzzi et
    al. (2017), "The Shattered Gradients Problem", for 1 − θ/π = 1/2 in every block.
    Derived in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> stream, gradient = wide_cosines(0.0, 2, Wiring(a=0))
    >>> stream.round(3), gradient.round(3)
    (array([0.   , 0.318, 0.494]), array([1.   , 0.5  , 0.302]))
    """
    if wiring.norm != "none":
        raise ValueError(f"a wiring without a norm is needed, got {wiring}")
    a2, b2 = wiring.a**2, wiring.b**2
    whole = (a2 + b2) or 1.0  # a silent block: both cosines are 0
    stream = [np.clip(np.asarray(c, float), -1, 1)]
    gradient = [np.ones_like(stream[0])]
    for _ in range(depth):
        angle = np.arccos(stream[-1])
        after = (np.sin(angle) + (np.pi - angle) * stream[-1]) / np.pi
        stream.append(np.clip((a2 * stream[-1] + b2 * after) / whole, -1, 1))
        gradient.append(gradient[-1] * (a2 + b2 * (1 - angle / np.pi)) / whole)
    return np.array(stream), np.array(gradient)


def step_cosines(net, loss, lengths):
    """Measure how long a gradient stays true: its cosine with the one after a step along it.

    Parameters
    ----------
    net : nn.Module
        Left unchanged.
    loss : callable
        Maps the net to a number, on one fixed batch.
    lengths : sequence of float
        Of the step down the gradient, relative to the length of all weights.

    Returns
    -------
    ndarray, shape (lengths,)

    References
    ----------
    Santurkar et al. (2018), "How Does Batch Normalization Help Optimization?".
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> net = torch.nn.Linear(2, 1)
    >>> x = torch.ones(4, 2)
    >>> step_cosines(net, lambda net: net(x).sum(), [0.1])
    array([1.], dtype=float32)
    """
    start = {name: p.detach() for name, p in net.named_parameters()}

    def gradient(weights):
        weights = {name: w.clone().requires_grad_() for name, w in weights.items()}
        value = loss(lambda x: functional_call(net, weights, (x,)))
        return dict(zip(weights, torch.autograd.grad(value, list(weights.values())), strict=True))

    def product(one, other):
        return sum((one[name] * other[name]).sum() for name in start)

    g, cosines = gradient(start), []
    for length in lengths:
        step = length * (product(start, start) / product(g, g)).sqrt()
        after = gradient({name: w - step * g[name] for name, w in start.items()})
        cosines.append(product(g, after) / (product(g, g) * product(after, after)).sqrt())
    return torch.stack(cosines).numpy()


def filter_directions(net, count=2, seed=0):
    """Draw random directions in the space of the weights, each row as long as the net's own.

    Parameters
    ----------
    net : nn.Module
    count : int
    seed : int
        Nets with the same shapes get the same draws, before their rows are scaled.

    Returns
    -------
    list of dict of str to Tensor
        By the names of the parameters. Biases, gains of norms and gates do not move: theirs is 0.

    References
    ----------
    Li et al. (2018), "Visualizing the Loss Landscape of Neural Nets", section 4.
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> net = torch.nn.Linear(3, 2)
    >>> (direction,) = filter_directions(net, count=1)
    >>> torch.allclose(direction["weight"].norm(dim=1), net.weight.norm(dim=1))
    True
    >>> direction["bias"]
    tensor([0., 0.])
    """
    generator = torch.Generator().manual_seed(seed)
    return [
        {name: _along(name, p.detach(), generator) for name, p in net.named_parameters()}
        for _ in range(count)
    ]


def _along(name, weight, generator):
    last = name.rpartition(".")[2]
    if weight.ndim < 2 or last == "gate":
        return torch.zeros_like(weight)
    shape, weight = weight.shape, weight.clone()
    drawn = torch.randn(shape, generator=generator, dtype=weight.dtype)
    if last == "layers":  # of a DeepStack: the last column is the bias
        drawn[..., -1] = weight[..., -1] = 0
    else:  # a filter is a row, of a matrix or of all kernels
        drawn, weight = drawn.flatten(1), weight.flatten(1)
    drawn *= weight.norm(dim=-1, keepdim=True) / drawn.norm(dim=-1, keepdim=True)
    return drawn.reshape(shape)


def losses_at(net, directions, places, loss, x, y, together=32):
    """Measure the loss where the weights have moved along some directions.

    Parameters
    ----------
    net : nn.Module
    directions : sequence of dict of str to Tensor
        From `filter_directions`.
    places : ndarray, shape (..., directions)
        How far along each direction.
    loss : callable
        Maps (copies, batch, ...) predictions and targets to (copies,), as in `training`.
    x, y : Tensor, shape (batch, ...)
    together : int
        Copies of the net that run at once.

    Returns
    -------
    ndarray, shape (...)

    References
    ----------
    Li et al. (2018), "Visualizing the Loss Landscape of Neural Nets", section 3.
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> torch.nn.init.ones_(net.weight)
    Parameter containing:
    tensor([[1.]], requires_grad=True)
    >>> mse = lambda prediction, y: (prediction - y).square().flatten(1).mean(1)
    >>> places = np.array([[0.0], [2.0]])
    >>> losses_at(net, [{"weight": torch.ones(1, 1)}], places, mse, *torch.ones(2, 3, 1))
    array([0., 4.], dtype=float32)
    """
    weights = {name: p.detach() for name, p in net.named_parameters()}
    flat = torch.as_tensor(places, dtype=x.dtype).reshape(-1, len(directions))
    found = []
    with torch.no_grad():
        for some in flat.split(together):
            moved = {
                name: w + torch.tensordot(some, torch.stack([d[name] for d in directions]), 1)
                for name, w in weights.items()
            }
            prediction = vmap(lambda w: functional_call(net, w, (x,)))(moved)
            found.append(loss(prediction, y.expand(len(some), *y.shape)))
    return torch.cat(found).reshape(np.shape(places)[:-1]).numpy()


def plane(points=21, reach=1.0):
    """Lay a square grid of places over two directions.

    Parameters
    ----------
    points : int
        Along each side; odd, so that one is the centre.
    reach : float
        Half the side.

    Returns
    -------
    ndarray, shape (points, points, 2)

    Examples
    --------
    >>> plane(3)[2, 1]
    array([1., 0.])
    """
    side = np.linspace(-reach, reach, points)
    return np.stack(np.meshgrid(side, side, indexing="ij"), -1)


def curvatures(net, directions, loss, x, y, step=0.05):
    """Measure the second derivative of the loss along directions, by differences.

    (L(w + step·d) − 2 L(w) + L(w − step·d)) / step².

    Parameters
    ----------
    net, directions, loss, x, y
        As in `losses_at`.
    step : float

    Returns
    -------
    ndarray, shape (directions,)

    References
    ----------
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> mse = lambda prediction, y: (prediction - y).square().flatten(1).mean(1)
    >>> curvatures(net, [{"weight": torch.ones(1, 1)}], mse, *torch.ones(2, 3, 1)).round(2)
    array([2.], dtype=float32)
    """
    ways = step * np.eye(len(directions))
    places = np.concatenate([ways, -ways, 0 * ways[:1]])
    losses = losses_at(net, directions, places, loss, x, y)
    forth, back = losses[:-1].reshape(2, -1)
    return (forth + back - 2 * losses[-1]) / step**2


def block_tensors(block, h, n_heads, wiring: Wiring, target, mask=None):
    """Follow a transformer block: each tensor on the way, and the gradient that comes back there.

    The loss is half the squared distance of the block's output from a target.

    Parameters
    ----------
    block : backprop.TransformerBlock
        Its norms are used where the wiring wants one.
    h : ndarray, shape (seq, d_model)
    n_heads : int
    wiring : Wiring
        How both sublayers join the stream.
    target : ndarray, shape (seq, d_model)
    mask : ndarray of bool, broadcastable to (seq, seq), optional
        True where a position may look.

    Returns
    -------
    list of tuple
        Name, tensor and ∂L/∂tensor, of one shape, in the order of the forward pass. Queries, keys
        and values are one tensor, shape (3, n_heads, seq, d_model / n_heads).

    Raises
    ------
    ValueError
        If the wiring has two norms.

    References
    ----------
    Used in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> rng, one = np.random.default_rng(0), backprop.RMSNorm(np.ones(4))
    >>> silent = backprop.random_attention(rng, 4, gain=0), one, backprop.random_branch(rng, 4)
    >>> block, h = backprop.TransformerBlock(one, *silent), rng.normal(size=(3, 4))
    >>> found = block_tensors(block, h, 2, Wiring(), np.zeros((3, 4)))
    >>> [(name, tensor.shape) for name, tensor, _ in found[1:3]]
    [('queries, keys, values', (3, 2, 3, 2)), ('attention weights', (2, 3, 3))]
    """
    place, (a, b) = wiring.one_norm(), (wiring.a, wiring.b)
    tensors, undo = [("stream h", h)], []  # undo: maps the gradient after a sublayer to that before
    for norm, run in ((block.norm1, _attention_tensors), (block.norm2, _feed_tensors)):
        u, norm_cache = h, None
        if place == "pre":
            u, norm_cache = backprop.norm_forward(norm, h)
            tensors.append(("norm(h)", u))
        inside, back = run(block, u, n_heads, mask)
        h = a * h + b * inside[-1][1]
        tensors += [*inside, (Wiring(a, b).equation(), h)]
        if place == "post":
            h, norm_cache = backprop.norm_forward(norm, h)
            tensors.append(("norm of the sum", h))
        undo.append((norm, norm_cache, back))
    dh = h - target
    gradients = [dh]
    for norm, cache, back in reversed(undo):
        if place == "post":
            dh, _ = backprop.norm_backward(norm, cache, dh)
            gradients.append(dh)
        inside, du = back(b * dh)
        gradients += inside
        if place == "pre":
            gradients.append(du)
            du, _ = backprop.norm_backward(norm, cache, du)
        dh = a * dh + du  # the sum sends the gradient both ways
        gradients.append(dh)
    return [(*tensor, dt) for tensor, dt in zip(tensors, reversed(gradients), strict=True)]


def _attention_tensors(block, u, n_heads, mask):
    """Tensors inside attention, and a map from ∂L/∂F to their gradients, last first, and ∂L/∂u."""
    weights = block.attention
    F, cache = backprop.multi_head_forward(weights, u, n_heads, mask)
    inner, joined = cache[2:]
    q, k, v, shares = inner

    def back(dF):
        dheads = backprop.split_heads(backprop.linear_backward(weights.Wo, joined, dF)[0], n_heads)
        dqkv = np.stack(backprop.attention_backward(inner, dheads))
        du, _, _ = backprop.multi_head_backward(weights, cache, dF)
        return [dF, dheads @ v.mT, dqkv], du  # heads = weights · v

    names = "queries, keys, values", "attention weights", "F(h): heads joined and mixed"
    return list(zip(names, (np.stack([q, k, v]), shares, F), strict=True)), back


def _feed_tensors(block, u, n_heads, mask):
    """Do the same inside the feed-forward sublayer, which has neither heads nor a mask."""
    branch = block.branch
    F, cache = backprop.feed_forward(branch, u)
    inner = np.maximum(cache[1], 0)

    def back(dF):
        du, _ = backprop.feed_backward(branch, cache, dF)
        return [dF, backprop.linear_backward(branch.W2, inner, dF)[0]], du

    return [("inner layer after ReLU", inner), ("F(h): outer layer", F)], back


@torch.no_grad()
def written_right(net, x, y):
    """Say of each sequence whether the likeliest token is the right one everywhere.

    The net is shown the right tokens so far. Where it is right everywhere, it writes the same
    sequence on its own, and only there: so this is the exact match of `write`, in one pass.

    Parameters
    ----------
    net : transformers.EncoderDecoder
    x : Tensor of int64, shape (batch, source_seq + target_seq)
    y : Tensor of int64, shape (batch, target_seq)
        `data.PAD` where a sequence is over.

    Returns
    -------
    ndarray of bool, shape (batch,)

    References
    ----------
    Used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> logits = torch.tensor([[[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    >>> written_right(lambda x: logits, None, torch.tensor([[1, data.PAD], [1, 1]]))
    array([ True, False])
    """
    return ((net(x).argmax(-1) == y) | (y == data.PAD)).all(1).numpy()


@torch.no_grad()
def cross_weights(net, x):
    """Measure how much each written token looks at each one that was read, in every decoder block.

    Parameters
    ----------
    net : transformers.EncoderDecoder
    x : Tensor of int64, shape (batch, source_seq + target_seq)

    Returns
    -------
    ndarray, shape (depth, batch, n_heads, target_seq, source_seq)

    References
    ----------
    Used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> from course_utils.transformers import EncoderDecoder
    >>> net = EncoderDecoder(30, 13, source_seq=8, d_model=16, n_heads=4, depth=2)
    >>> cross_weights(net, torch.ones(5, 8 + 6, dtype=torch.int64)).shape
    (2, 5, 4, 6, 8)
    """
    found = []

    def keep(attend, inputs, options, _out):
        found.append(attend.weights(*inputs, **options).numpy())

    handles = [
        block.cross.branch.register_forward_hook(keep, with_kwargs=True) for block in net.decoder
    ]
    try:
        net(x)
    finally:
        for handle in handles:
            handle.remove()
    return np.stack(found)


def own_share(net, words):
    """Measure how much of a row of the memory comes from the word at its own place.

    Parameters
    ----------
    net : transformers.EncoderDecoder
    words : Tensor of int64, shape (batch, source_seq)
        Padding is left out.

    Returns
    -------
    ndarray, shape (batch,)
        Means over the rows i of ‖∂M_i/∂h_i‖² / Σ_j ‖∂M_i/∂h_j‖², where h enters the encoder: 1
        where no other word matters, one over their number where all matter alike.

    References
    ----------
    Derived in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> from course_utils.transformers import EncoderDecoder
    >>> net = EncoderDecoder(30, 13, source_seq=8, d_model=16, n_heads=4, depth=2)
    >>> own_share(net, torch.tensor([[7], [9]]))  # a single word is all there is
    array([1., 1.], dtype=float32)
    """
    shares = []
    for row in words:
        h = net.embed(row[row != data.PAD][None])
        jacobians = torch.func.jacrev(net.read)(h)[0, :, :, 0]  # row, its features, word, its own
        squares = jacobians.square().sum((1, 3))
        shares.append((squares.diagonal() / squares.sum(1)).mean().item())
    return np.array(shares, np.float32)
