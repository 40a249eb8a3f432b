"""Measure for lesson 01 which targets one block and eight learn: `make results ARGS=01`."""

import numpy as np
import torch

from course_utils import blocks, data, setup, training
from course_utils.environment import progress
from course_utils.wiring import PLAIN, RESIDUAL, Wiring, scaled

SETTINGS = {
    "arms": ["plain", "plain, small", "residual", "residual, small", "residual, zero"],
    "targets": ["identity", "0.25", "π/2", "π", "one axis"],
    "depths": [1, 8],
    "width": 16,
    "hidden": 32,
    "steps": 200,
    "learning_rates": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"error": 0.1}
ANGLES = {"0.25": 0.25, "π/2": np.pi / 2, "π": np.pi}


def matrix(name, width) -> torch.Tensor:
    """Make what a net shall do to a row x: x @ matrix.

    Parameters
    ----------
    name : str
        A target of `SETTINGS`: an angle by which every vector is turned, or one that is not.
    width : int

    Returns
    -------
    Tensor, shape (width, width)
    """
    if name in ANGLES:
        return torch.from_numpy(data.rotation(width, ANGLES[name]))
    target = torch.eye(width)
    if name == "one axis":  # a reflection: the sign of the first entry changes
        target[0, 0] = -1
    return target


def train(wire, depth, zero, target, settings) -> dict:
    """Train one kind of stack at the learning rates around its best.

    Parameters
    ----------
    wire : Wiring
    depth : int
    zero : bool
        Whether the last layer of every branch starts at 0.
    target : Tensor
        Of `matrix`.
    settings : dict

    Returns
    -------
    dict
        That of `training.search`: ``loss``, of training over the last tenth, which decides, and
        ``error``, the mean squared error on inputs that were not seen.
    """
    width = settings["width"]
    x = torch.randn(1000, width, generator=torch.Generator().manual_seed(7))
    return training.search(
        lambda: blocks.Stack(depth, width, wire, settings["hidden"], zero_last=zero),
        data.linear_task(target),
        lambda run: {
            "loss": np.nan_to_num(run.loss[-settings["steps"] // 10 :, 0].mean(0), nan=np.inf),
            "error": run.evaluate(x, x @ target)[0],
        },
        lambda found: -found["loss"],
        learning_rates=settings["learning_rates"],
        steps=settings["steps"],
        seeds=settings["seeds"],
    )


def measure(settings) -> dict:
    """Train every arm on every target.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        For each depth as text, arm and target what `train` gives. At depth 1 small branches
        are of full size, and these arms are left out.
    """
    setup(seed=0)
    found = {}
    for depth in settings["depths"]:
        wires = {
            "plain": PLAIN,
            "plain, small": Wiring(a=0, b=depth**-0.5),
            "residual": RESIDUAL,
            "residual, small": scaled(depth),
            "residual, zero": RESIDUAL,
        }
        arms = [arm for arm in settings["arms"] if depth > 1 or "small" not in arm]
        found[str(depth)] = {
            arm: {
                target: train(
                    wires[arm],
                    depth,
                    "zero" in arm,
                    matrix(target, settings["width"]),
                    settings,
                )
                for target in settings["targets"]
            }
            for arm in progress(arms, f"arms of lesson 01, depth {depth}")
        }
    return found
