"""The loss as a function of the weights: along its gradient and on planes around a net."""

import numpy as np
import torch
from torch.func import functional_call, vmap


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
        # the step is `length` times as long as all weights together
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
    # filter-normalised: without it, a net with larger weights would seem flatter
    drawn *= weight.norm(dim=-1, keepdim=True) / drawn.norm(dim=-1, keepdim=True)
    return drawn.reshape(shape)


def losses_at(net, directions, places, loss, x, y, together=32, keep_rows=False):
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
    keep_rows : bool
        Whether each row of the moved weights gets the length that it has in the net. Without,
        a step makes rows longer, and each layer multiplies what it is given.

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
            if keep_rows:
                moved = {name: _as_long(name, w, weights[name]) for name, w in moved.items()}
            # many copies of the net in one run, each with weights of its own
            prediction = vmap(lambda w: functional_call(net, w, (x,)))(moved)
            found.append(loss(prediction, y.expand(len(some), *y.shape)))
    return torch.cat(found).reshape(np.shape(places)[:-1]).numpy()


def _as_long(name, moved, weight):
    last = name.rpartition(".")[2]
    if weight.ndim < 2 or last == "gate":
        return moved
    shape, bias = moved.shape, moved[..., :0]
    if last == "layers":  # of a DeepStack: the last column is the bias
        bias, moved, weight = moved[..., -1:], moved[..., :-1], weight[..., :-1]
    else:
        moved, weight = moved.flatten(2), weight.flatten(1)
    moved = moved * weight.norm(dim=-1, keepdim=True) / moved.norm(dim=-1, keepdim=True)
    return torch.cat([moved, bias], -1) if bias.numel() else moved.reshape(shape)


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
    # one run for both sides of every direction, and for the centre
    ways = step * np.eye(len(directions))
    places = np.concatenate([ways, -ways, 0 * ways[:1]])
    losses = losses_at(net, directions, places, loss, x, y)
    forth, back = losses[:-1].reshape(2, -1)
    return (forth + back - 2 * losses[-1]) / step**2
