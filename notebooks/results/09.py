"""Measure for lesson 09 which transformers learn without shortcuts: `make results ARGS=09`."""

from torch import nn

from course_utils import data, setup, training, transformers
from course_utils.environment import progress
from course_utils.wiring import Wiring

SETTINGS = {
    "nets": [
        "shortcuts, pre-norm",
        "attention's shortcuts",
        "feed-forward's shortcuts",
        "plain",
        "plain, norms",
        "plain, shaped",
        "plain, usual feed-forward",
        "plain, usual attention",
        "plain, usual attention, rotations",
        "plain, usual attention, rotations, q = 0",
    ],
    "depth": 6,
    "d_model": 32,
    "n_heads": 2,
    "steps": 600,
    "learning_rates": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.4, "steps": 600}


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
        if "usual" in name or "shaped" in name:
            left = {"mirrored": "usual feed" not in name, "shaped": "usual attention" not in name}
            made = transformers.ShapedBlock(d_model, n_heads, **left)
            attend = made.attend.branch
            if "rotations" in name:  # as shaped attention starts
                nn.init.orthogonal_(attend.value.weight)
                nn.init.orthogonal_(attend.out.weight)
            if "q = 0" in name:
                nn.init.zeros_(attend.query.weight)
            return made
        wiring = Wiring(a=float(not name.startswith("plain")), norm=place)
        made = transformers.EncoderBlock(d_model, n_heads, 2 * d_model, wiring=wiring)
        if name == "attention's shortcuts":
            transformers.cut_skips([made], "feed")
        if name == "feed-forward's shortcuts":
            transformers.cut_skips([made], "attend")
        return made

    blocks = [block() for _ in range(settings["depth"])]
    # where norms stand before the sublayers alone, the last stream needs one
    norm = nn.LayerNorm if "shortcuts" in name or name == "plain, norms" else None
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
        That of `training.soonest`.
    """
    return training.soonest(
        lambda: build(name, settings),
        data.reversal_task(),
        steps=settings["steps"],
        learning_rates=settings["learning_rates"],
        seeds=settings["seeds"],
        loss=training.cross_entropy,
        clip=1,
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
        A dict of `train` for each net.
    """
    setup(seed=0)
    return {name: train(name, settings) for name in progress(settings["nets"], "nets of lesson 09")}
