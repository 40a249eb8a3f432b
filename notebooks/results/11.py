"""Measure for lesson 11 what depth and shortcuts buy: `make results ARGS=11`."""

import torch
from torch import nn

from course_utils import data, setup, training, transformers
from course_utils.environment import progress
from course_utils.wiring import Wiring

SETTINGS = {
    "hops": [1, 2, 3, 4, 5],
    "depths": [1, 2, 4],
    "gains": {"shortcut": 1.0, "plain": 0.0},
    "distances": [1, 8, 16, 24],
    "positions": ["drawn", "sines"],  # how the trained vectors of the places start
    "rezero": {"depths": [1, 96], "steps": 60},
    "d_model": 32,
    "n_heads": 2,
    "steps": 1000,
    "learning_rates": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.4, "steps": 600}


def build(tokens, seq, stack, norm=None):
    """Put a stack between tokens and logits.

    Parameters
    ----------
    tokens, seq : int
    stack : DeepTransformer
    norm : type, optional

    Returns
    -------
    TokenNet
    """
    d_model = stack.out.shape[1]
    return transformers.TokenNet([stack], tokens, seq, d_model, norm=norm)


def train(make, task, settings, **options) -> dict:
    """Train a net at the rate that suits it best.

    Parameters
    ----------
    make : callable
    task : callable
        As `training.fit` wants it.
    settings : dict
    **options
        Other arguments of `training.soonest`.

    Returns
    -------
    dict
        That of `training.soonest`.
    """
    usual = {"steps": settings["steps"], "loss": training.cross_entropy}
    rates, seeds = settings["learning_rates"], settings["seeds"]
    return training.soonest(make, task, learning_rates=rates, seeds=seeds, **usual | options)


def follow(name, hops, depth, settings) -> dict:
    """Train a pre-norm transformer to follow pointers.

    Parameters
    ----------
    name : str
        One of the gains.
    hops, depth : int
    settings : dict

    Returns
    -------
    dict
        That of `train`.
    """
    sizes = settings["d_model"], settings["n_heads"], 2 * settings["d_model"]
    wiring = Wiring(a=settings["gains"][name], norm="pre")

    def make():
        return build(8, 8, transformers.DeepTransformer(depth, *sizes, wiring=wiring), nn.LayerNorm)

    return train(make, data.hops_task(hops), settings)


def look_back(positions, distance, settings) -> dict:
    """Train one causal layer to say what stood some places before.

    Parameters
    ----------
    positions : str
        How the vectors of the places start.
    distance : int
    settings : dict

    Returns
    -------
    dict
        That of `train`.
    """
    sizes = settings["d_model"], settings["n_heads"], 2 * settings["d_model"]
    wiring = Wiring(norm="pre")

    def make():
        stack = transformers.DeepTransformer(1, *sizes, wiring=wiring, causal=True)
        net = build(8, 32, stack, nn.LayerNorm)
        if positions == "sines":
            with torch.no_grad():
                net.position.copy_(transformers.sinusoids(32, settings["d_model"]))
        return net

    def last(judge):  # the places that are asked
        return lambda logits, y: judge(logits[..., -y.shape[-1] :, :], y)

    judges = {"loss": last(training.cross_entropy), "measure": last(training.accuracy)}
    return train(make, data.lookback_task(distance), settings, **judges)


def rezero(depth, settings) -> dict:
    """Train a transformer that starts as the identity to say sequences backwards.

    Parameters
    ----------
    depth : int
    settings : dict

    Returns
    -------
    dict
        That of `train`; the steps are those until one batch has 0.99.
    """
    sizes = settings["d_model"], settings["n_heads"], 2 * settings["d_model"]

    def make():
        return build(8, 8, transformers.DeepTransformer(depth, *sizes, gate=0.0))

    steps = settings["rezero"]["steps"]
    return train(make, data.reversal_task(), settings, steps=steps, mean=1)


def measure(settings) -> dict:
    """Train all nets.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        ``hops``: for each gain, number of hops and depth a dict of `train`; ``lookback``: for
        each start of the positions and distance one; ``rezero``: for each depth one.
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
        found[name][str(hops)].append(follow(name, hops, depth, settings))
    looks = [(start, d) for start in settings["positions"] for d in settings["distances"]]
    far = {start: {} for start in settings["positions"]}
    for start, distance in progress(looks, "distances of lesson 11"):
        far[start][str(distance)] = look_back(start, distance, settings)
    depths = progress(settings["rezero"]["depths"], "depths of lesson 11")
    deep = {str(depth): rezero(depth, settings) for depth in depths}
    return {"hops": found, "lookback": far, "rezero": deep}
