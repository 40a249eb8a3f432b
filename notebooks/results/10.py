"""Measure for lesson 10 how fast each placement of the norm learns: `make results ARGS=10`."""

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
    "seeds": [0, 1, 2],
}
TOLERANCE = {"accuracy": 0.4, "steps": 150}


def build(name, depth, settings):
    """Build a transformer with its norm in the named place.

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
    make = {
        "pre-norm": lambda: transformers.PreNormBlock(*sizes),
        "post-norm": lambda: transformers.PostNormBlock(*sizes),
        "quiet post-norm": lambda: transformers.EncoderBlock(
            *sizes, wiring=Wiring(b=settings["quiet"], norm="post")
        ),
        "Peri-LN": lambda: transformers.PeriNormBlock(*sizes),
        "DeepNorm": lambda: transformers.DeepNormBlock(*sizes, depth=depth),
        "DeepNorm, α alone": lambda: transformers.EncoderBlock(
            *sizes, wiring=Wiring(a=(2 * depth) ** 0.25, norm="post")
        ),
        "DeepNorm, β alone": lambda: started_quietly(depth, sizes),
        "ReZero": lambda: transformers.ReZeroBlock(*sizes),
    }[name.removesuffix(", warm-up")]
    # where no norm stands on the trunk, the last stream needs one
    norm = nn.LayerNorm if name in ("pre-norm", "Peri-LN") else None
    return transformers.TokenNet([make() for _ in range(depth)], 8, 8, sizes[0], norm=norm)


def started_quietly(depth, sizes) -> nn.Module:
    """Build a post-norm block that starts with the weights of DeepNorm."""
    block = transformers.DeepNormBlock(*sizes, depth=depth)
    for sublayer in (block.attend, block.feed):
        sublayer.wiring = Wiring(norm="post")
    return block


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
