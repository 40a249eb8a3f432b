"""Measure for lesson 10 how fast each placement of the norm learns: `make results ARGS=10`."""

import torch
from torch import nn

from course_utils import data, probes, setup, training, transformers
from course_utils.environment import progress
from course_utils.wiring import Wiring, deep_norm

SETTINGS = {
    "nets": [
        "pre-norm",
        "pre-norm, β",
        "post-norm",
        "post-norm, warm-up",
        "quiet post-norm",
        "quiet attention",
        "quiet feed-forward",
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
    "learning_rates": [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
    "seeds": [0, 1, 2, 3, 4],
    "long": {  # post-norm alone
        "depth": 24,
        "steps": 2000,
        "warm_ups": [0, 100, 400, 800],
        "learning_rates": [1e-4, 3e-4, 1e-3, 3e-3],
        "seeds": [0, 1, 2],
    },
}
TOLERANCE = {"accuracy": 0.4, "steps": 600, "spread": 0.5}


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
        alpha, beta = deep_norm(depth), (8 * depth) ** -0.25
        post = Wiring(norm="post")
        wiring, options = {
            "pre-norm": (Wiring(norm="pre"), {}),
            "pre-norm, β": (Wiring(norm="pre"), {"beta": beta}),
            "post-norm": (post, {}),
            "quiet post-norm": (Wiring(b=settings["quiet"], norm="post"), {}),
            "quiet attention": (post, {"gate": 1.0}),
            "quiet feed-forward": (post, {"gate": 1.0}),
            "DeepNorm": (alpha, {"beta": beta}),
            "DeepNorm, α alone": (alpha, {}),
            "DeepNorm, β alone": (post, {"beta": beta}),
            "ReZero": (Wiring(), {"gate": 0.0}),
        }[name]
        blocks = [transformers.DeepTransformer(depth, *sizes, wiring=wiring, **options)]
        if name in ("quiet attention", "quiet feed-forward"):
            fix_gates(blocks[0], ["quiet attention", "quiet feed-forward"].index(name), settings)
    # where no norm stands on the trunk, the last stream needs one
    norm = nn.LayerNorm if name in ("pre-norm", "pre-norm, β", "Peri-LN") else None
    return transformers.TokenNet(blocks, 8, 8, sizes[0], norm=norm)


def fix_gates(stack, place, settings):
    """Make one kind of branch quiet: its gate is b, and none is trained.

    Parameters
    ----------
    stack : DeepTransformer
    place : int
        0 for attention, 1 for feed-forward.
    settings : dict
    """
    gate = stack.gate.detach().clone()
    gate[:, place] = settings["quiet"]
    del stack.gate
    stack.register_buffer("gate", gate)


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


def train_longer(warm_up, settings) -> dict:
    """Train post-norm for many steps, after a warm-up.

    Parameters
    ----------
    warm_up : int
    settings : dict

    Returns
    -------
    dict
        That of `training.search`: for each seed ``accuracy``, the mean of the last 20 batches;
        ``steps`` until such a mean is 0.99, or all of them; and the ``spread`` of the tokens
        behind the last block of the net as it ends.
    """
    long = settings["long"]
    x, _ = data.reversal_task()(torch.Generator().manual_seed(0))

    @torch.no_grad()
    def spread(net):
        last = net.blocks(net.token(x) + net.position)
        return probes.token_spread(last.numpy()).mean()

    def evaluate(run):
        nets = [run.model(0, place) for place in range(len(long["seeds"]))]
        return {
            "accuracy": run.measured[-20:, 0].mean(0),
            "steps": run.steps_to(0.99, mean=20)[0].clip(max=long["steps"]),
            "spread": torch.tensor([spread(net) for net in nets]),
        }

    return training.search(
        lambda: build("post-norm", long["depth"], settings),
        data.reversal_task(),
        evaluate,
        lambda found: found["accuracy"] - found["steps"] / long["steps"],
        steps=long["steps"],
        learning_rates=long["learning_rates"],
        seeds=long["seeds"],
        loss=training.cross_entropy,
        measure=training.accuracy,
        until=0.99,
        mean=20,
        warmup=warm_up,
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
        For each net a list over the depths; and ``warm-up``, from a number of steps to what
        `train_longer` gives.
    """
    setup(seed=0)
    jobs = [(name, depth) for name in settings["nets"] for depth in settings["depths"]]
    found = {job: train(*job, settings) for job in progress(jobs, "nets of lesson 10")}
    by_net = {
        name: [found[name, depth] for depth in settings["depths"]] for name in settings["nets"]
    }
    warm_ups = progress(settings["long"]["warm_ups"], "warm-ups of lesson 10")
    return by_net | {"warm-up": {str(n): train_longer(n, settings) for n in warm_ups}}
