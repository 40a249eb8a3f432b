"""Measure for lesson 11 what depth and shortcuts buy: `make results ARGS=11`."""

from torch import nn

from course_utils import data, setup, training, transformers
from course_utils.environment import progress
from course_utils.wiring import Wiring

SETTINGS = {
    "hops": [1, 2, 3, 4, 5],
    "depths": [1, 2, 4],
    "gains": {"shortcut": 1.0, "plain": 0.0},
    "distances": [1, 8, 24],
    "d_model": 32,
    "n_heads": 2,
    "steps": 1000,
    "learning_rates": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.4, "steps": 600}


def train(task, tokens, seq, depth, gain, settings) -> dict:
    """Train one pre-norm transformer at the rate that suits it best.

    Parameters
    ----------
    task : callable
        As `training.fit` wants it.
    tokens, seq, depth : int
    gain : float
        Of the shortcuts.
    settings : dict

    Returns
    -------
    dict
        That of `training.soonest`.
    """
    d_model = settings["d_model"]

    def build():
        wiring = Wiring(a=gain, norm="pre")
        stack = transformers.DeepTransformer(
            depth, d_model, settings["n_heads"], 2 * d_model, wiring=wiring
        )
        return transformers.TokenNet([stack], tokens, seq, d_model, norm=nn.LayerNorm)

    return training.soonest(
        build,
        task,
        steps=settings["steps"],
        learning_rates=settings["learning_rates"],
        seeds=settings["seeds"],
        loss=training.cross_entropy,
    )


def measure(settings) -> dict:
    """Train all nets.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        ``hops``: for each gain, number of hops and depth a dict of `train`; ``distance``: for
        each distance one of a net with a single layer.
    """
    setup(seed=0)
    jobs = [
        (name, hops, depth)
        for name in settings["gains"]
        for hops in settings["hops"]
        for depth in settings["depths"]
    ]
    found = {name: {str(hops): [] for hops in settings["hops"]} for name in settings["gains"]}
    for name, hops, depth in progress(jobs, "hops of lesson 11"):
        task = data.hops_task(hops)
        found[name][str(hops)].append(train(task, 8, 8, depth, settings["gains"][name], settings))
    far = {
        str(distance): train(data.shift_task(distance), 8, 32, 1, 1.0, settings)
        for distance in progress(settings["distances"], "distances of lesson 11")
    }
    return {"hops": found, "distance": far}
