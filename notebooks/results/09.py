"""Measure for lesson 09 which transformers learn without shortcuts: `make results ARGS=09`."""

import numpy as np
from torch import nn

from course_utils import data, setup, training, transformers
from course_utils.environment import progress
from course_utils.wiring import Wiring

SETTINGS = {
    "nets": [
        "shortcuts, pre-norm",
        "plain",
        "plain, norms",
        "plain, shaped",
        "plain, usual feed-forward",
        "plain, usual attention",
    ],
    "depth": 6,
    "d_model": 32,
    "n_heads": 2,
    "steps": 600,
    "learning_rates": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.4, "steps": 600}
MEAN = 20  # steps of which the accuracy is a mean


def build(name, settings):
    """Build one of the nets, in the lesson's sizes.

    Parameters
    ----------
    name : str
    settings : dict

    Returns
    -------
    nn.Module
    """
    d_model, n_heads, seq = settings["d_model"], settings["n_heads"], 8
    place = "none" if name == "plain" else "pre"

    def block():
        if name in ("shortcuts, pre-norm", "plain", "plain, norms"):
            wiring = Wiring(a=float(not name.startswith("plain")), norm=place)
            return transformers.EncoderBlock(d_model, n_heads, 2 * d_model, wiring=wiring)
        left = {"mirrored": "usual feed" not in name, "shaped": "usual attention" not in name}
        return transformers.ShapedBlock(d_model, n_heads, **left)

    blocks = [block() for _ in range(settings["depth"])]
    norm = nn.LayerNorm if name == "shortcuts, pre-norm" else None
    return transformers.TokenNet(blocks, seq, seq, d_model, norm=norm)


def train(name, settings) -> dict:
    """Train one net at the rate with which it ends best.

    Parameters
    ----------
    name : str
    settings : dict

    Returns
    -------
    dict
        For each seed ``accuracy``, the mean of the last 20 steps, and ``steps`` until the mean of
        20 steps passes 0.99 (all steps, if it never does); and the ``learning_rate``.
    """
    tried = {}

    def score(rate):
        run = training.fit(
            lambda: build(name, settings),
            data.reversal_task(),
            steps=settings["steps"],
            learning_rates=(rate,),
            seeds=settings["seeds"],
            loss=training.cross_entropy,
            clip=1,
            measure=training.accuracy,
        )
        accuracy = np.nan_to_num(run.measured[-MEAN:, 0]).mean(0)
        steps = np.minimum(run.steps_to(0.99, mean=MEAN)[0], settings["steps"])
        tried[rate] = {"accuracy": accuracy.tolist(), "steps": steps.tolist()}
        # the sooner the better, among those who get there; the rest by how far they get
        return accuracy - steps / settings["steps"]

    rate, _ = training.at_best_rate(score, settings["learning_rates"])
    return tried[rate] | {"learning_rate": rate}


def measure(settings) -> dict:
    """Train all nets.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        A dict of `train` for each net.
    """
    setup(seed=0)
    return {name: train(name, settings) for name in progress(settings["nets"], "nets of lesson 09")}
