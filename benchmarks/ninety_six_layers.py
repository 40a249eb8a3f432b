"""Measure what makes 96 transformer layers cheap: ``python -m benchmarks.ninety_six_layers``.

Trains 96 layers, d_model 32, two heads, to say 8 tokens backwards, until 99 of 100 tokens of a
new batch are right, three seeds. On one side what a user would pick, pre-norm layers of
``nn.TransformerEncoderLayer`` with the fastest of torch's Adams, seed after seed; on the other
ReZero layers of ``transformers.DeepTransformer`` in ``training.fit``. Each recipe runs at its best
of three learning rates. In between stand variants that differ by one thing each, so that each
factor is seen by itself. CPU-seconds on one thread; each variant runs in a process of its own, so
that its peak memory is its own. Prints tables and, last, one JSON object. Exits with 1 past a bar.
"""

import json
import os
import resource
import subprocess
import sys
import time
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_info
from torch import nn
from tqdm import tqdm

from course_utils import training
from course_utils.data import reversal_task
from course_utils.transformers import DeepTransformer, TokenNet
from course_utils.wiring import Wiring
from tests import house

DEPTH, STEPS, SEEDS, LEVEL = 96, 300, (0, 1, 2), 0.99
SIZES = {"d_model": 32, "n_heads": 2, "d_ff": 64}
TOKENS, SEQ, BATCH = 8, 8, 32
RATES = (1e-3, 2e-3, 4e-3)
ADAMS = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}
RATIO, ACCURACY, PEAK_MB = 5, 0.97, 600


def _net(blocks, norm) -> TokenNet:
    return TokenNet(blocks, TOKENS, SEQ, SIZES["d_model"], norm)


def torchs(depth) -> TokenNet:
    """Build the pre-norm net of torch's own layers."""
    d_model, n_heads, d_ff = SIZES.values()
    options = {"dropout": 0, "batch_first": True, "norm_first": True}
    layers = (nn.TransformerEncoderLayer(d_model, n_heads, d_ff, **options) for _ in range(depth))
    return _net(layers, nn.LayerNorm)


def deep_pre_norm(depth) -> TokenNet:
    """Build the pre-norm net with all layers in a few tensors."""
    return _net([DeepTransformer(depth, **SIZES, wiring=Wiring(norm="pre"))], nn.LayerNorm)


def deep_rezero(depth) -> TokenNet:
    """Build the ReZero net with all layers in a few tensors."""
    return _net([DeepTransformer(depth, **SIZES, gate=0.0)], None)


def ordinary_rezero(depth) -> TokenNet:
    """Build the same net, with the same weights, of one module for each sublayer."""
    net = deep_rezero(depth)
    net.blocks = nn.Sequential(*(net.blocks[0].block(i) for i in range(depth)))
    return net


def one_by_one(make_model, adam, rate, steps=STEPS, depth=DEPTH, seeds=SEEDS):
    """Train seed after seed with the usual loop and one of torch's Adams.

    Parameters
    ----------
    make_model : callable
        Maps a depth to a net.
    adam : str
        A key of `ADAMS`.
    rate : float
    steps, depth : int
    seeds : tuple of int

    Returns
    -------
    seconds : float
        CPU time of the training.
    accuracy : float
        On a batch of 1024 sequences, mean over seeds.
    reached : list of float
        Batches until `LEVEL`, for each seed.
    """
    draw, scores, reached, seconds = reversal_task(BATCH, TOKENS, SEQ), [], [], 0
    for seed in seeds:
        torch.manual_seed(seed)
        model = make_model(depth)
        start, count = time.process_time(), np.inf
        generator = torch.Generator().manual_seed(training.BATCH_SEED + seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, **ADAMS[adam])
        for step in range(steps):
            x, y = draw(generator)
            logits = model(x)
            if (logits.argmax(-1) == y).float().mean() >= LEVEL:
                count = step + 1
                break
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += time.process_time() - start
        reached.append(count)
        with torch.no_grad():
            x, y = _test_set()
            scores.append((model(x).argmax(-1) == y).float().mean().item())
    return seconds, float(np.mean(scores)), reached


def fitted(make_model, seeds, rate, steps=STEPS, depth=DEPTH):
    """Train with `training.fit`, all `seeds` at once; gives what `one_by_one` gives."""
    start = time.process_time()
    run = training.fit(
        lambda: make_model(depth),
        reversal_task(BATCH, TOKENS, SEQ),
        steps=steps,
        learning_rates=(rate,),
        seeds=seeds,
        loss=training.cross_entropy,
        measure=training.accuracy,
        until=LEVEL,
    )
    seconds = time.process_time() - start
    accuracy = float(run.evaluate(*_test_set(), training.accuracy).mean())
    return seconds, accuracy, run.steps_to(LEVEL)[0].tolist()


def fitted_one_by_one(rate, **options):
    """Train with `training.fit`, one seed after the other."""
    runs = [fitted(deep_rezero, (seed,), rate, **options) for seed in SEEDS]
    seconds, scores, reached = zip(*runs, strict=True)
    return sum(seconds), float(np.mean(scores)), [steps for one in reached for steps in one]


def _test_set():
    return reversal_task(1024, TOKENS, SEQ)(torch.Generator().manual_seed(1))


VARIANTS = {
    **{f"torch's layers, {name} Adam": partial(one_by_one, torchs, name) for name in ADAMS},
    **{f"ReZero, {name} Adam": partial(one_by_one, ordinary_rezero, name) for name in ADAMS},
    **{f"ReZero by hand, {name} Adam": partial(one_by_one, deep_rezero, name) for name in ADAMS},
    "ReZero by hand, own Adam": fitted_one_by_one,
    "ReZero by hand, batched, own Adam": partial(fitted, deep_rezero, SEEDS),
    "ReZero, batched, own Adam": partial(fitted, ordinary_rezero, SEEDS),
    "pre-norm by hand, batched, own Adam": partial(fitted, deep_pre_norm, SEEDS),
}


def measure(name, rate, steps=STEPS, depth=DEPTH) -> dict:
    """Run one variant in a process of its own.

    Parameters
    ----------
    name : str
        A key of `VARIANTS`.
    rate : float
    steps, depth : int

    Returns
    -------
    dict
        CPU seconds, accuracy, steps to `LEVEL` for each seed, peak memory in MB.
    """
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    words = (name, str(rate), str(steps), str(depth))
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.ninety_six_layers", *words],
        cwd=house.ROOT,
        env={**os.environ, **one_thread, "COURSE_STATIC": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def run(name, rate, steps, depth):
    """Run one variant here and print what it took as JSON."""
    torch.set_num_threads(1)
    VARIANTS[name](float(rate), steps=1, depth=2)  # imports and first calls are not training
    seconds, accuracy, reached = VARIANTS[name](float(rate), steps=int(steps), depth=int(depth))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    use = {
        "rate": float(rate),
        "seconds": seconds,
        "accuracy": accuracy,
        "reached": [int(count) if np.isfinite(count) else None for count in reached],
        "peak_mb": peak / (2**20 if sys.platform == "darwin" else 2**10),
    }
    print(json.dumps(use))


def faults(summary) -> list:
    """Say what is past its bar.

    Parameters
    ----------
    summary : dict
        The figures that `main` prints last.

    Returns
    -------
    list of str

    Examples
    --------
    >>> good = {"ratio": 9, "accuracy_ours": 0.99, "accuracy_theirs": 0.99, "peak_mb": 400}
    >>> faults(good), faults(good | {"ratio": 4})
    ([], ['4.0 times as fast, at least 5'])
    """
    lowest = min(summary["accuracy_ours"], summary["accuracy_theirs"])
    past = {
        f"{summary['ratio']:.1f} times as fast, at least {RATIO}": summary["ratio"] < RATIO,
        f"an accuracy of {lowest:.3f}, at least {ACCURACY}": not lowest >= ACCURACY,
        f"{summary['peak_mb']:.0f} MB at the peak, under {PEAK_MB}": summary["peak_mb"] >= PEAK_MB,
    }
    return [what for what, is_so in past.items() if is_so]


def main() -> bool:
    """Measure, print and judge."""
    bar = tqdm(total=len(ADAMS) + 3 * len(RATES) + 3)

    def timed(name, rate, **options):
        bar.set_description(f"{name}, {rate:g}")
        use = measure(name, rate, **options)
        bar.update()
        return use

    def at_best_rate(name):
        return min((timed(name, rate) for rate in RATES), key=lambda use: use["seconds"])

    adams = {
        name: timed(f"torch's layers, {name} Adam", RATES[0], steps=6)["seconds"] for name in ADAMS
    }
    fastest = min(adams, key=adams.get)
    names = theirs, recipe, hand, alone, ours, batched, same_recipe = (
        f"torch's layers, {fastest} Adam",
        f"ReZero, {fastest} Adam",
        f"ReZero by hand, {fastest} Adam",
        "ReZero by hand, own Adam",
        "ReZero by hand, batched, own Adam",
        "ReZero, batched, own Adam",
        "pre-norm by hand, batched, own Adam",
    )
    use = {name: at_best_rate(name) for name in (theirs, ours, same_recipe)}
    # one recipe has one learning rate
    use |= {name: timed(name, use[ours]["rate"]) for name in (recipe, hand, alone, batched)}
    bar.close()
    _print_tables(adams, {name: use[name] for name in names}, theirs)
    seconds = {name: use[name]["seconds"] for name in names}
    summary = {
        "ratio": seconds[theirs] / seconds[ours],
        "accuracy_ours": use[ours]["accuracy"],
        "accuracy_theirs": use[theirs]["accuracy"],
        # one after the other, from theirs to ours; their product is the ratio
        "factors": {
            "pre-norm to ReZero": seconds[theirs] / seconds[recipe],
            "backward by hand": seconds[recipe] / seconds[hand],
            "own Adam": seconds[hand] / seconds[alone],
            "batched seeds": seconds[alone] / seconds[ours],
        },
        "same_recipe": seconds[theirs] / seconds[same_recipe],
        "steps": {name: use[name]["reached"] for name in names},
        "rates": {name: use[name]["rate"] for name in names},
        "fastest_adam": fastest,
        "blas": [pool.get("architecture") for pool in threadpool_info()],
        "peak_mb": use[ours]["peak_mb"],
        "seconds": seconds,
    }
    wrong = faults(summary)
    print(*wrong, sep="\n")
    print(json.dumps(summary))
    return bool(wrong)


def _print_tables(adams, use, theirs):
    print("| Adam of torch | CPU seconds, 6 steps |\n|---|---|")
    print(*(f"| {name} | {seconds:.2f} |" for name, seconds in adams.items()), sep="\n")
    print(f"\n| {DEPTH} layers, {len(SEEDS)} seeds | rate | steps | CPU seconds ", end="")
    print("| times as fast | accuracy | peak |\n|---|---|---|---|---|---|---|")
    for name, it in use.items():
        times = use[theirs]["seconds"] / it["seconds"]
        print(
            f"| {name} | {it['rate']:g} | {it['reached']} | {it['seconds']:.2f} | {times:.1f} "
            f"| {it['accuracy']:.3f} | {it['peak_mb']:.0f} MB |"
        )


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]) if len(sys.argv) > 1 else main())
