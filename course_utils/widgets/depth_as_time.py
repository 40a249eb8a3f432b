"""Explore when more blocks come closer to a flow, and when they do not."""

import functools

import numpy as np

from course_utils import plots, probes
from course_utils.widgets.panel import Panel, choice, slider

STEPS = {"1/L": lambda depth: 1 / depth, "1/√L": lambda depth: depth**-0.5, "1": lambda depth: 1.0}
WEIGHTS = ("shared", "fresh")
W = np.array([[-0.5, 2.5], [-2.5, -0.5]])  # turns, and pulls inwards
NOISE, SEEDS, MAX_DEPTH = 1.0, 8, 128
DEPTHS = tuple(2**k for k in range(11))


def depth_as_time(depth=8, step="1/L", weights="shared") -> Panel:
    """Choose depth, step and weights; follow 12 points through blocks h ← h + tanh(W h)·dt.

    With a step of 1/L the stack runs for the time 1. Where all blocks share W, the error falls
    like 1/L. Where each draws its own, W plus independent normal numbers, the flow is that of the
    mean branch, and what the draws add to it averages out like 1/√L. With 1/√L the stack runs for
    the time √L and ends elsewhere: it does not converge to the flow at time 1. With a step of 1
    the points jump about, and more blocks bring them no closer.

    Parameters
    ----------
    depth : int
        Number of blocks, at most 128.
    step : {"1/L", "1/√L", "1"}
    weights : {"shared", "fresh"}
        Errors of fresh weights are means over 8 draws; the picture shows the first.

    Returns
    -------
    Panel

    References
    ----------
    Haber and Ruthotto (2017), "Stable Architectures for Deep Neural Networks", section 2.
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> depth_as_time(depth=1).sentence[:65]
    '1 block with the step 1/L and shared weights: the 12 points end 0'
    """

    def compute(depth, step, weights):
        paths = _paths(depth, step, weights)[:, 0]
        return paths, _exact(weights), _errors(step, weights), _error(depth, step, weights)

    for one in STEPS:  # half a second, so that no move has to wait
        for other in WEIGHTS:
            _errors(one, other)
    values = {"depth": depth, "step": step, "weights": weights}
    paths, exact, errors, error = compute(**values)
    usual = {"step": "1/L", "weights": "shared"}
    return Panel(
        {
            "depth": slider("depth (blocks)", depth, 1, MAX_DEPTH, 1),
            "step": choice("step", step, STEPS),
            "weights": choice("weights", weights, WEIGHTS),
        },
        compute,
        plots.flow(paths, exact, DEPTHS, errors, error),
        _describe,
        {
            "2 blocks": usual | {"depth": 2},
            "8 blocks": usual | {"depth": 8},
            "64 blocks": usual | {"depth": 64},
            "without 1/L": {"depth": 64, "step": "1", "weights": "shared"},
            "fresh weights": {"depth": 64, "step": "1/L", "weights": "fresh"},
        },
    )


def _start():
    """Twelve points, on two circles in turn."""
    angles = np.arange(12) * np.pi / 6
    radius = np.where(np.arange(12) % 2, 1.0, 1.8)
    return (radius * [np.cos(angles), np.sin(angles)]).T


@functools.lru_cache
def _drawn():
    return W + NOISE * np.random.default_rng(0).normal(size=(DEPTHS[-1], SEEDS, 2, 2))


def _paths(depth, step, weights):
    if weights == "shared":
        matrices = np.broadcast_to(W, (depth, 1, 2, 2))
    else:
        matrices = _drawn()[:depth]
    return probes.flow(_start(), matrices, STEPS[step](depth))


@functools.lru_cache
def _exact(weights):
    if weights == "shared":
        return probes.exact_flow(_start(), lambda h: np.tanh(h @ W.T))
    # the mean of tanh over the draws: W h is spread by NOISE·‖h‖, in each feature
    nodes, parts = np.polynomial.hermite_e.hermegauss(20)
    parts = parts / parts.sum()

    def mean_branch(h):
        z = h @ W.T
        spread = NOISE * np.linalg.norm(h, axis=-1, keepdims=True)
        return sum(p * np.tanh(z + n * spread) for n, p in zip(nodes, parts, strict=True))

    return probes.exact_flow(_start(), mean_branch)


@functools.lru_cache(maxsize=4096)
def _error(depth, step, weights):
    ends = _paths(depth, step, weights)[-1]
    return np.linalg.norm(ends - _exact(weights)[-1], axis=-1).mean()


@functools.lru_cache
def _errors(step, weights):
    return np.array([_error(depth, step, weights) for depth in DEPTHS])


def _describe(values, arrays):
    depth, step, weights = values.values()
    blocks = "1 block" if depth == 1 else f"{depth} blocks"
    flow = "the flow" if weights == "shared" else "the flow of the mean branch"
    twice = _error(2 * depth, step, weights)
    return (
        f"{blocks} with the step {step} and {weights} weights: the 12 points end "
        f"{arrays[-1]:.2g} from {flow} on average, with {2 * depth} blocks {twice:.2g}."
    )
