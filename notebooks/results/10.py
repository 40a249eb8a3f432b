"""Measure for lesson 10 how fast each placement of the norm learns: `make results ARGS=10`."""

import torch
from torch import nn

from course_utils import data, setup, training, transformers
from course_utils.environment import progress
from course_utils.wiring import Wiring

SETTINGS = {
    "nets": [
        "pre-norm",
        "post-norm",
        "post-norm, warm-up",
        "quiet post-norm",
        "Peri-LN",
        "DeepNorm",
        "DeepNorm, α alone",
        "DeepNorm, β alone",
        "ReZero",
    ],
    "depths": [6, 12, 24],
    "d_model": 32,
    "n_heads": 2,
    "steps": 400,
    "warm_up": 100,
    "quiet": 0.3,
    "learning_rates": [3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.4, "steps": 150}


def build(name, depth, settings):
    """Build a transformer that says sequences backwards.

    Parameters
    ----------
    name : str
    depth : int
    settings : dict

    Returns
    -------
    nn.Module
    """
    sizes = settings["d_model"], settings["n_heads"], 2 * settings["d_model"]
    name = name.removesuffix(", warm-up")
    if name == "Peri-LN":
        blocks = [transformers.PeriNormBlock(*sizes) for _ in range(depth)]
    else:
        alpha = (2 * depth) ** 0.25
        wiring = {
            "pre-norm": Wiring(norm="pre"),
            "post-norm": Wiring(norm="post"),
            "quiet post-norm": Wiring(b=settings["quiet"], norm="post"),
            "DeepNorm": Wiring(a=alpha, norm="post"),
            "DeepNorm, α alone": Wiring(a=alpha, norm="post"),
            "DeepNorm, β alone": Wiring(norm="post"),
            "ReZero": Wiring(),
        }[name]
        gate = 0.0 if name == "ReZero" else None
        blocks = [transformers.DeepTransformer(depth, *sizes, wiring=wiring, gate=gate)]
        if name in ("DeepNorm", "DeepNorm, β alone"):
            start_quietly(blocks[0])
    # where no norm stands on the trunk, the last stream needs one
    norm = nn.LayerNorm if name in ("pre-norm", "Peri-LN") else None
    return transformers.TokenNet(blocks, 8, 8, sizes[0], norm=norm)


@torch.no_grad()
def start_quietly(stack):
    """Draw the weights of a stack as DeepNorm does: all but queries and keys smaller by β.

    Parameters
    ----------
    stack : DeepTransformer
    """
    depth, d_model = len(stack.qkv), stack.out.shape[1]
    beta = (8 * depth) ** -0.25
    # queries, keys and values by themselves, as `DeepNormBlock` draws them: √2 larger than in one
    stack.qkv *= 2**0.5
    stack.qkv[:, 2 * d_model :] *= beta
    for weight in (stack.out, stack.inner, stack.outer):
        weight *= beta


def train(name, depth, settings) -> dict:
    """Train one net at the rate that suits it best.

    Parameters
    ----------
    name : str
    depth : int
    settings : dict

    Returns
    -------
    dict
        That of `training.soonest`.
    """
    return training.soonest(
        lambda: build(name, depth, settings),
        data.reversal_task(),
        steps=settings["steps"],
        learning_rates=settings["learning_rates"],
        seeds=settings["seeds"],
        loss=training.cross_entropy,
        warmup=settings["warm_up"] if name.endswith("warm-up") else 0,
    )


def measure(settings) -> dict:
    """Train all nets at all depths.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        For each net a list over the depths.
    """
    setup(seed=0)
    jobs = [(name, depth) for name in settings["nets"] for depth in settings["depths"]]
    found = {job: train(*job, settings) for job in progress(jobs, "nets of lesson 10")}
    return {name: [found[name, depth] for depth in settings["depths"]] for name in settings["nets"]}
