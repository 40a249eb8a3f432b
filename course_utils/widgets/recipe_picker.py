"""Put a recipe for a thousand blocks together, and train it."""

import functools

import torch
from torch import nn

from course_utils.fast import DeepStack
from course_utils.widgets.panel import choice, slider
from course_utils.widgets.training_panel import TrainingPanel
from course_utils.wiring import Wiring

WIDTH, MAX_DEPTH = 16, 1202
GATES = {"none": None, "starts at 0 (ReZero)": 0.0, "starts at 0.0001": 1e-4, "starts at 1": 1.0}
GAINS = {"1": lambda L: 1.0, "1/√L": lambda L: L**-0.5, "1/L": lambda L: 1 / L}


def recipe_picker(
    gate="none", b="1/L", norm="none", depth=MAX_DEPTH, learning_rate=3e-3
) -> TrainingPanel:
    """Choose gate, branch gain and norm of a deep net; see its start, and train it for 60 steps.

    Parameters
    ----------
    gate : {"none", "starts at 0 (ReZero)", "starts at 0.0001", "starts at 1"}
        A trained number for each feature of each block, or for each block where it starts at 0.
    b : {"1", "1/√L", "1/L"}
        Gain of the branch, which is not trained.
    norm : {"none", "pre", "post"}
    depth : int
        Blocks, at most 1202.
    learning_rate : float
        One of 3e-4, 1e-3, 3e-3, 1e-2, 3e-2.

    Returns
    -------
    TrainingPanel

    Examples
    --------
    >>> recipe_picker("starts at 0 (ReZero)", "1", depth=50).sentence[:67]
    'h + α·F(h), 50 blocks, the last stream 1 times as long as the first'
    """
    values = {
        "gate": gate, "b": b, "norm": norm, "depth": depth, "learning_rate": learning_rate,
    }  # fmt: skip
    return TrainingPanel(
        {
            "gate": choice("gate α", gate, GATES),
            "b": choice("branch gain b", b, GAINS),
            "norm": choice("norm", norm, ("none", "pre", "post")),
            "depth": slider("depth (blocks)", depth, 2, MAX_DEPTH, 1),
            "learning_rate": choice("learning rate", learning_rate, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
        },
        lambda chosen: nn.Sequential(nn.Linear(64, WIDTH), _stack(chosen), nn.Linear(WIDTH, 10)),
        _name,
        {
            "unscaled": values | {"b": "1"},
            "1/L": values | {"b": "1/L", "learning_rate": 1e-2},
            "pre-norm": values | {"b": "1", "norm": "pre"},
            "ReZero": values | {"b": "1", "gate": "starts at 0 (ReZero)"},
            "LayerScale": values | {"b": "1", "gate": "starts at 0.0001"},
        },
        steps=60,
    )


def example() -> TrainingPanel:
    """Begin with few blocks, which train in a moment.

    Returns
    -------
    TrainingPanel
    """
    return recipe_picker(depth=20)


def _stack(chosen):
    gate = GATES[chosen["gate"]]
    if gate:
        gate = torch.full((WIDTH,), gate)
    wiring = Wiring(b=GAINS[chosen["b"]](chosen["depth"]), norm=chosen["norm"])
    return DeepStack(chosen["depth"], WIDTH, wiring, gate=gate)


def _name(chosen):
    equation = Wiring(norm=chosen["norm"]).equation()
    factor = "" if chosen["b"] == "1" else f"{chosen['b']}·"
    factor += "" if chosen["gate"] == "none" else "α·"
    return (
        f"{equation.replace('F(', f'{factor}F(', 1)}, {chosen['depth']} blocks, the last stream "
        f"{_growth(*(chosen[name] for name in ('gate', 'b', 'norm', 'depth')))}"
    )


@functools.lru_cache
def _growth(gate, b, norm, depth):
    """Say how long the stream is at the end of an untrained stack."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        stack = _stack({"gate": gate, "b": b, "norm": norm, "depth": depth})
        x = torch.randn(4, WIDTH)
        length = (stack(x).norm() / x.norm()).item()
    return f"{length:.2g} times as long as the first" if length < 1e38 else "not finite"
