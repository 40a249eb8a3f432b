"""Step through a transformer block: each tensor, and the gradient that comes back there."""

import functools

import numpy as np

from course_utils import backprop, diagrams, plots, probes
from course_utils.widgets.panel import Panel, choice, slider
from course_utils.wiring import Wiring

SEQ, D_MODEL, N_HEADS, D_FF, LAST = 5, 8, 2, 16, 9
NORMS, MASKS = ("pre", "post"), ("none", "causal")
LABELS = ("q, k, v", "weigh", "mix"), ("ReLU", "outer")


def block_stepper(step=0, norm="pre", mask="none") -> Panel:
    """Walk through a small transformer block, forward with its tensors, back with the gradient.

    The loss is half the squared distance of the output from a fixed random target. The sum of
    squares of the output would not do: a norm at the end makes it the same for every weight.

    Parameters
    ----------
    step : int
        From 0, the stream that enters, to 9, the one that leaves.
    norm : {"pre", "post"}
        Where both norms sit.
    mask : {"none", "causal"}

    Returns
    -------
    Panel

    Examples
    --------
    >>> block_stepper(step=3).sentence[:67]
    'Step 3 of 9, attention weights (2, 5, 5): each row sums to 1.00; th'
    """

    def compute(step, norm, mask):
        return norm, step, *_tensors(norm, mask)[step]

    values = {"step": step, "norm": norm, "mask": mask}
    return Panel(
        {
            "step": slider("step", step, 0, LAST, 1),
            "norm": choice("norm", norm, NORMS),
            "mask": choice("mask", mask, MASKS),
        },
        compute,
        plots.block_stepper({norm: _sketch(norm) for norm in NORMS}, _limits()),
        _describe,
        {
            "attention": values | {"step": 3, "norm": "pre", "mask": "none"},
            "causal": values | {"step": 3, "norm": "pre", "mask": "causal"},
            "first sum": values | {"step": 5, "norm": "pre", "mask": "none"},
            "post-norm sum": values | {"step": 4, "norm": "post", "mask": "none"},
        },
    )


@functools.lru_cache
def _tensors(norm, mask):
    rng, width = np.random.default_rng(0), D_MODEL
    unit = backprop.LayerNorm(np.ones(width), np.zeros(width))
    parts = backprop.random_attention(rng, width), unit, backprop.random_branch(rng, width, D_FF)
    h, target = rng.normal(size=(2, SEQ, width))
    sees = np.tri(SEQ, dtype=bool) if mask == "causal" else None
    block, wiring = backprop.TransformerBlock(unit, *parts), Wiring(norm=norm)
    return [
        ("weights" if "weights" in each[0] else "tensor", *each)
        for each in probes.block_tensors(block, h, N_HEADS, wiring, target, sees)
    ]


def _limits():
    """Find the largest tensor and gradient of each kind, in any placement, with any mask."""
    limits = {}
    for kind, _, *arrays in (each for n in NORMS for m in MASKS for each in _tensors(n, m)):
        before = limits.get(kind, (0.0, 0.0))
        limits[kind] = tuple(max(b, abs(a).max()) for b, a in zip(before, arrays, strict=True))
    return limits


def _sketch(norm):
    shapes, stops = diagrams.sublayers(Wiring(norm=norm), LABELS)
    sizes = [getattr(stop, "size", (18, 18)) for stop in stops]  # of a ⊕, and of the letter h
    places = [(stop.x, stop.y, *size) for stop, size in zip(stops, sizes, strict=True)]
    return functools.partial(diagrams.draw, shapes=shapes), places


def _describe(values, arrays):
    _, step, _, name, tensor, gradient = arrays
    steps = _tensors(values["norm"], values["mask"])
    share = np.linalg.norm(gradient) / np.linalg.norm(steps[-1][-1])
    return (
        f"Step {step} of {LAST}, {name} {tensor.shape}: {_fact(steps, step)}; the gradient's "
        f"length here is {share:.2f} times that at the output."
    )


def _fact(steps, step):
    """Say in numbers what is to be seen in one tensor."""
    kind, name, tensor, _ = steps[step]
    if kind == "weights":
        seen = "" if tensor.all() else f", {(tensor == 0).sum()} of {tensor.size} are 0"
        return f"each row sums to {tensor.sum(-1).mean():.2f}{seen}"
    if name.startswith("norm"):
        return f"each token has mean {abs(tensor.mean(-1)).max():.2f} and is {_length(tensor)} long"
    if "ReLU" in name:
        return f"{(tensor == 0).sum()} of {tensor.size} are 0"
    if name.startswith("queries"):
        q, k, v = map(_length, tensor)
        return f"one head's query is {q} long, its key {k}, its value {v}"
    if name == "h + F(h)":
        before = steps[step - 1][2]
        part = np.linalg.norm(before) / np.linalg.norm(tensor - before)
        return f"F(h) is {part:.2f} times as long as the h it is added to"
    return f"each token is {_length(tensor)} long"


def _length(tensor):
    """Root mean square over tokens and heads."""
    return f"{np.sqrt((tensor**2).sum(-1).mean()):.2f}"
