"""Measure what makes a thousand layers cheap: ``python -m benchmarks.thousand_layers``.

Trains 1202 ReZero layers of width 16 on the digits, batch 128, 60 steps, three seeds, from the
same weights on the same batches: as an ordinary ``nn.Sequential`` of modules with the fastest of
torch's Adams, seed after seed, and as ``blocks.DeepStack`` in ``training.fit``. In between stand
variants that differ by one thing each, so that each factor is seen by itself. Then the cost for
10 to 10,000 layers. CPU-seconds on one thread; each variant runs in a process of its own, so that
its peak memory is its own. Prints tables and, last, one JSON object. Exits with 1 past a bar.
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
from course_utils.blocks import DeepStack
from course_utils.data import digits, digits_task
from course_utils.wiring import RESIDUAL
from tests import house

DEPTH, WIDTH, STEPS, SEEDS, RATE = 1202, 16, 60, (0, 1, 2), 3e-3
DEPTHS = {10: SEEDS, 100: SEEDS, 1000: SEEDS, 10_000: (0,)}
ADAMS = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}
RATIO, GAP, PEAK_MB = 15, 0.03, 600
ROUNDS = 2


def deep(depth=DEPTH) -> nn.Sequential:
    """Build the net with all layers in one tensor."""
    stack = DeepStack(depth, WIDTH, RESIDUAL, gate=0.0)
    return nn.Sequential(nn.Linear(64, WIDTH), stack, nn.Linear(WIDTH, 10))


def ordinary(depth=DEPTH) -> nn.Sequential:
    """Build the same net, with the same weights, of one module for each layer."""
    first, stack, last = deep(depth)
    return nn.Sequential(first, *(stack.block(i) for i in range(depth)), last)


def one_by_one(make_model, adam, steps=STEPS, depth=DEPTH):
    """Train seed after seed with the usual loop and one of torch's Adams.

    Parameters
    ----------
    make_model : callable
        Maps a depth to a net.
    adam : str
        A key of `ADAMS`.
    steps, depth : int

    Returns
    -------
    seconds : float
        CPU time of the training.
    accuracy : float
        On the training digits, mean over seeds.
    """
    draw, scores, seconds = digits_task(), [], 0
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = make_model(depth)
        start = time.process_time()
        generator = torch.Generator().manual_seed(training.BATCH_SEED + seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE, **ADAMS[adam])
        for _ in range(steps):
            x, y = draw(generator)
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += time.process_time() - start
        with torch.no_grad():
            x, y = _train_set()
            scores.append((model(x).argmax(-1) == y).float().mean().item())
    return seconds, float(np.mean(scores))


def fitted(make_model, seeds, steps=STEPS, depth=DEPTH):
    """Train with `training.fit`, all `seeds` at once; gives what `one_by_one` gives."""
    draw = digits_task()
    start = time.process_time()
    run = training.fit(
        lambda: make_model(depth),
        draw,
        steps=steps,
        learning_rates=(RATE,),
        seeds=seeds,
        loss=training.cross_entropy,
    )
    seconds = time.process_time() - start
    return seconds, float(run.evaluate(*_train_set(), training.accuracy).mean())


def fitted_one_by_one(**options):
    """Train with `training.fit`, one seed after the other."""
    seconds, scores = zip(*(fitted(deep, (seed,), **options) for seed in SEEDS), strict=True)
    return sum(seconds), float(np.mean(scores))


def matmuls(steps=STEPS, depth=DEPTH):
    """Do nothing but the products of matrices that three seeds ask for."""
    W, h = np.ones((3, WIDTH, WIDTH + 1), np.float32), np.ones((3, WIDTH + 1, 128), np.float32)
    dW, back = np.ones_like(W), np.ones((3, WIDTH, WIDTH), np.float32)
    z, step = np.ones((2, 3, WIDTH, 128), np.float32)
    start = time.process_time()
    for _ in range(steps * depth):
        np.matmul(W, h, out=z)
        np.matmul(back, z, out=step)
        np.matmul(z, h.mT, out=dW)
    return time.process_time() - start, None


def _train_set():
    d = digits()
    return torch.from_numpy(d.x_train), torch.from_numpy(d.y_train)


VARIANTS = {
    **{f"modules, {name} Adam": partial(one_by_one, ordinary, name) for name in ADAMS},
    **{f"by hand, {name} Adam": partial(one_by_one, deep, name) for name in ADAMS},
    "by hand, own Adam": fitted_one_by_one,
    "modules, batched, own Adam": partial(fitted, ordinary, SEEDS),
    "by hand, batched, own Adam": partial(fitted, deep, SEEDS),
    "matmuls alone": matmuls,
    **{f"{len(seeds)} at once": partial(fitted, deep, seeds) for seeds in DEPTHS.values()},
}


def measure(name, steps=STEPS, depth=DEPTH) -> dict:
    """Run one variant in a process of its own.

    Parameters
    ----------
    name : str
        A key of `VARIANTS`.
    steps, depth : int

    Returns
    -------
    dict
        CPU seconds, accuracy, peak memory in MB.
    """
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.thousand_layers", name, str(steps), str(depth)],
        cwd=house.ROOT,
        env={**os.environ, **one_thread, "COURSE_STATIC": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def run(name, steps, depth):
    """Run one variant here and print what it took as JSON."""
    torch.set_num_threads(1)
    VARIANTS[name](steps=1, depth=2)  # imports and first calls are not training
    seconds, accuracy = VARIANTS[name](steps=int(steps), depth=int(depth))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = peak / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps({"seconds": seconds, "accuracy": accuracy, "peak_mb": peak_mb}))


def faults(summary) -> list:
    """Say what is past its bar.

    Parameters
    ----------
    summary : dict
        The figures that `main` prints last.

    Returns
    -------
    list of str
    """
    gap = abs(summary["accuracy_ours"] - summary["accuracy_theirs"])
    past = {
        f"{summary['ratio']:.1f} times as fast, at least {RATIO}": summary["ratio"] < RATIO,
        f"accuracies {gap:.3f} apart, at most {GAP}": not gap <= GAP,
        f"{summary['peak_mb']:.0f} MB at the peak, under {PEAK_MB}": summary["peak_mb"] >= PEAK_MB,
    }
    return [what for what, is_so in past.items() if is_so]


def main() -> bool:
    """Measure, print and judge."""
    bar = tqdm(total=len(ADAMS) + 6 * ROUNDS + len(DEPTHS))

    def timed(name, **options):
        bar.set_description(name)
        use = measure(name, **options)
        bar.update()
        return use

    adams = {name: timed(f"modules, {name} Adam", steps=6)["seconds"] for name in ADAMS}
    fastest = min(adams, key=adams.get)
    names = theirs, batched, hand, alone, ours, _ = (
        f"modules, {fastest} Adam",
        "modules, batched, own Adam",
        f"by hand, {fastest} Adam",
        "by hand, own Adam",
        "by hand, batched, own Adam",
        "matmuls alone",
    )
    # in turn, and each at its fastest: a busy machine slows one run and not the next
    rounds = [{name: timed(name) for name in names} for _ in range(ROUNDS)]
    use = {name: min((r[name] for r in rounds), key=lambda u: u["seconds"]) for name in names}
    depths = {depth: timed(f"{len(seeds)} at once", depth=depth) for depth, seeds in DEPTHS.items()}
    bar.close()
    _print_tables(adams, use, theirs, depths)
    seconds = {name: use[name]["seconds"] for name in names}
    summary = {
        "ratio": seconds[theirs] / seconds[ours],
        "accuracy_ours": use[ours]["accuracy"],
        "accuracy_theirs": use[theirs]["accuracy"],
        # one after the other, from theirs to ours; their product is the ratio
        "factors": {
            "backward by hand": seconds[theirs] / seconds[hand],
            "own Adam": seconds[hand] / seconds[alone],
            "batched seeds": seconds[alone] / seconds[ours],
        },
        "batched_modules": seconds[theirs] / seconds[batched],
        "fastest_adam": fastest,
        "blas": [pool.get("architecture") for pool in threadpool_info()],
        "peak_mb": max(use[ours]["peak_mb"], *(d["peak_mb"] for d in depths.values())),
        "seconds": seconds,
        "seconds_by_depth": {depth: d["seconds"] for depth, d in depths.items()},
    }
    wrong = faults(summary)
    print(*wrong, sep="\n")
    print(json.dumps(summary))
    return bool(wrong)


def _print_tables(adams, use, theirs, depths):
    print("| Adam of torch | CPU seconds, 6 steps |\n|---|---|")
    print(*(f"| {name} | {seconds:.2f} |" for name, seconds in adams.items()), sep="\n")
    print(
        f"\n| {DEPTH} layers, {STEPS} steps, {len(SEEDS)} seeds | CPU seconds | times as fast ",
        end="",
    )
    print("| accuracy | peak |\n|---|---|---|---|---|")
    for name, it in use.items():
        times = use[theirs]["seconds"] / it["seconds"]
        accuracy = "–" if it["accuracy"] is None else f"{it['accuracy']:.3f}"
        print(
            f"| {name} | {it['seconds']:.2f} | {times:.1f} | {accuracy} | {it['peak_mb']:.0f} MB |"
        )
    print(
        "\n| depth | seeds | CPU seconds | µs for a layer, a step and a seed |\n|---|---|---|---|"
    )
    for depth, seeds in DEPTHS.items():
        each = 1e6 * depths[depth]["seconds"] / (depth * STEPS * len(seeds))
        print(f"| {depth} | {len(seeds)} | {depths[depth]['seconds']:.2f} | {each:.1f} |")


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]) if len(sys.argv) > 1 else main())
