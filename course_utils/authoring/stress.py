"""Run lessons under other arithmetics and other seeds, and measure how safely each assert holds.

A claim that holds for three seeds on one processor is not yet a claim. So every lesson runs under
three arithmetics and five draws of all its random numbers, each time in a process of its own.
What each assert compared is kept; its margin is the distance from its bound in units of the
spread over the runs. ``notebooks/stress/NN.json`` keeps the outcome, and tests read it.
"""

import contextlib
import hashlib
import importlib
import json
import multiprocessing
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from course_utils import asserts
from course_utils.authoring import notebooks

# instruction sets that libraries choose by themselves, or are held to
ARITHMETICS = {
    "native": {},
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    "SSE": {
        "ATEN_CPU_CAPABILITY": "default",
        "OPENBLAS_CORETYPE": "Nehalem",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
    },
}
SEEDS = (0, 1, 2, 3, 4)
MARGIN = 2  # spreads that an assert has to keep from its bound
SMALL = 1e-6  # what is below this part of its bound counts as this part of it
TIME_LIMIT = 900  # seconds for one run of one lesson


def run(stems=(), root=notebooks.ROOT, once=None) -> list:
    """Run lessons under every arithmetic and seed and store how safely their asserts hold.

    Runs that were finished before an interruption are not repeated, while neither the lesson nor
    the package nor a stored result has changed.

    Parameters
    ----------
    stems : sequence of str
        Beginnings of file names, such as ``"05"``; all lessons if empty.
    root : Path
        Folder that holds ``notebooks/``.
    once : tuple of str and int, optional
        One arithmetic and one seed; then nothing is stored.

    Returns
    -------
    list of str
        What did not hold, a sentence each.

    Raises
    ------
    FileNotFoundError
        If a beginning fits no lesson.
    """
    settings = dict.fromkeys(ARITHMETICS, SEEDS) if once is None else {once[0]: once[1:]}
    jobs = [(path, *each) for path in notebooks.lessons(stems, root) for each in settings.items()]
    outcomes, faults = {}, []
    with (
        tqdm(desc="runs", total=sum(len(seeds) for _, _, seeds in jobs)) as bar,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        found = pool.map(lambda job: _finished(*job, bar.update), jobs)
        for (path, name, seeds), each in zip(jobs, found, strict=True):
            outcomes |= {(name, seed): outcome for seed, outcome in zip(seeds, each, strict=True)}
            if len(outcomes) == sum(map(len, settings.values())):  # the lesson is through
                record = summary(path, outcomes)
                faults += failures(record) + ([] if once else _store(path, record))
                outcomes = {}
    return faults


def _store(path, record):
    """Write a lesson's record; say which asserts hold by too little."""
    stored_at(path).parent.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    stored_at(path).write_text(text + "\n", encoding="utf-8")
    smallest = min((margin for _, margin in _margins(record)), default=np.inf)
    tqdm.write(f"{path.stem}, {len(record['runs'])} runs: smallest margin {smallest:.1f} spreads")
    return thin(record)


def stored_at(path) -> Path:
    """Say where the outcome of a lesson is stored.

    Parameters
    ----------
    path : Path
        The lesson.

    Returns
    -------
    Path
    """
    return path.parent / "stress" / f"{path.stem[:2]}.json"


def stale(path) -> list:
    """Say which asserting cells of a lesson are not those that were run.

    Parameters
    ----------
    path : Path
        The lesson.

    Returns
    -------
    list of str
        A sentence each; empty if the stored outcome is that of these cells.
    """
    advice = f"run `make stress ARGS={path.stem[:2]}`"
    if not stored_at(path).exists():
        return [f"there is no {stored_at(path).name} in notebooks/stress: {advice}"]
    before = json.loads(stored_at(path).read_text(encoding="utf-8"))["cells"]
    now = asserting_cells(notebooks.read(path))
    return [
        f"cell {name} of {path.stem} asserts something else than was run: {advice}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def failures(record) -> list:
    """Say which runs of a lesson failed, and where.

    Parameters
    ----------
    record : dict
        That of `summary`.

    Returns
    -------
    list of str
    """
    return [
        f"{record['lesson']} under {run['arithmetic']} with seed {run['seed']}: {fault}"
        for run in record["runs"]
        for fault in run["faults"]
    ]


def thin(record) -> list:
    """Say which asserts hold by less than `MARGIN` spreads.

    Parameters
    ----------
    record : dict
        That of `summary`.

    Returns
    -------
    list of str
    """
    return [
        f"{record['lesson']}, {place}: margin {margin:.1f} spreads, at least {MARGIN} are needed"
        for place, margin in _margins(record)
        if margin < MARGIN
    ]


def _margins(record):
    for name, claims in record["asserts"].items():
        for claim in claims:
            if claim["margin"] is not None:
                yield f"cell {name}: {claim['closest']}", claim["margin"]


def asserting_cells(notebook) -> dict:
    """Hash every code cell that asserts.

    Parameters
    ----------
    notebook : NotebookNode

    Returns
    -------
    dict
        From the id of a cell to 16 digits.
    """
    return {
        cell.id: hashlib.sha256(cell.source.encode()).hexdigest()[:16]
        for cell in notebook.cells
        if cell.cell_type == "code" and "assert " in cell.source
    }


def summary(path, outcomes) -> dict:
    """Put the runs of one lesson together.

    Parameters
    ----------
    path : Path
        The lesson.
    outcomes : dict
        From (arithmetic, seed) to what `witness` wrote.

    Returns
    -------
    dict
        ``asserts``: for each cell and each of its asserts how often it held, and the smallest
        margin of what it compares, None where it compares nothing that varies. ``cells``,
        ``runs`` with their faults, ``versions``.
    """
    runs = [
        {"arithmetic": name, "seed": seed, "faults": outcome["faults"]}
        for (name, seed), outcome in outcomes.items()
    ]
    claims = [claim for outcome in outcomes.values() for claim in outcome["claims"]]
    key = lambda claim: (claim["cell"], claim["number"])  # noqa: E731
    found = {}
    for (cell, _), same in groupby(sorted(claims, key=key), key):
        same = list(same)
        margins = {}
        for text in {c["text"] for claim in same for c in claim["comparisons"]}:
            margins[text] = _smallest_margin(text, same, len(outcomes))
        known = {text: value for text, value in margins.items() if value is not None}
        closest = min(known, key=known.get, default=None)
        found.setdefault(cell, []).append(
            {
                "assert": same[0]["text"],
                "held": f"{sum(claim['holds'] for claim in same)} of {len(same)}",
                "margin": None if closest is None else round(known[closest], 1),
                "closest": closest,
            }
        )
    return {
        "lesson": path.stem,
        "asserts": found,
        "cells": asserting_cells(notebooks.read(path)),
        "runs": runs,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "torch")},
        },
    }


def _smallest_margin(text, claims, runs):
    """Smallest margin over the rounds of a loop in which one comparison is made."""
    rounds = {}  # the n-th time that a run makes it, in every run
    for claim in claims:
        seen = [c for c in claim["comparisons"] if c["text"] == text and c["left"] is not None]
        for place, comparison in enumerate(seen):
            key = claim["round"], place, comparison["sign"]
            rounds.setdefault(key, []).append((comparison["left"], comparison["right"]))
    signs = {"<": 1, "<=": 1, ">": -1, ">=": -1}
    found = [margin(*np.transpose(sides), signs[key[2]]) for key, sides in rounds.items()]
    found = [value for value in found if value is not None]
    return min(found, default=None)


def margin(left, right, sign):
    """Measure how many spreads lie between what came and its bound.

    Parameters
    ----------
    left, right : ndarray, shape (runs,)
        Both sides of a comparison.
    sign : {1, -1}
        1 if the left side has to be smaller.

    Returns
    -------
    float or None
        Mean of the distance over its spread towards the bound: the standard deviation, counted
        on the near side of the mean alone, since what lies farther off does no harm. A claim may
        be about a difference or about a factor: where both sides are positive, the larger margin
        of distances and of those of logarithms. Not above 1000; None if nothing varies.

    Examples
    --------
    >>> float(margin(np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.5, 0.5]), 1).round(6))
    3.0
    >>> margin(np.array([1, 1]), np.array([2, 2]), 1) is None
    True
    """
    sides = np.array([left, right][::sign], float)  # the smaller side first
    if (sides >= 0).all():
        floor = np.where(np.isfinite(sides[1]), SMALL * sides[1], 0)
        sides[0] = np.maximum(sides[0], floor)
    distance = sides[1] - sides[0]
    if (distance == distance[0]).all():
        return None  # also where it is infinite in every run
    if not np.isfinite(distance).all():
        return 0.0
    scales = [distance]
    if (sides > 0).all():
        scales.append(np.log(sides[1] / sides[0]))
    return max(map(_in_spreads, scales))


def _in_spreads(distance):
    mean = distance.mean()
    short = np.minimum(distance - mean, 0)
    return mean / max(np.sqrt(2 * (short**2).sum() / (len(short) - 1)), abs(mean) / 1000)


def _finished(path, arithmetic, seeds, tick):
    """Run a lesson once for each seed, or read what earlier runs of it wrote; tick after each."""
    folder = path.parents[1] / "build" / "stress" / _origin(path)
    folder.mkdir(parents=True, exist_ok=True)
    files = {seed: folder / f"{arithmetic}-{seed}.json" for seed in seeds}
    missing = [seed for seed in seeds if not files[seed].exists()]
    tick(len(seeds) - len(missing))
    ends = {}
    if missing:
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        shown = {"COURSE_STATIC": "1", "MPLBACKEND": "Agg"}
        command = [sys.executable, "-m", __name__, path, *(files[seed] for seed in missing)]
        with subprocess.Popen(
            command,
            env=os.environ | threads | shown | ARITHMETICS[arithmetic],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            for seed, line in zip(missing, process.stdout, strict=False):
                ends[seed] = line.strip()
                tick(1)
    return [
        json.loads(file.read_text(encoding="utf-8"))
        if file.exists()
        else {"claims": [], "faults": [ends.get(seed, "the process did not start")]}
        for seed, file in files.items()
    ]


def _origin(path):
    """Name what a run depends on: the lesson's code, the package, the stored results."""
    digest = hashlib.sha256()
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "code":
            digest.update(f"{cell.id}\n{cell.source}\n".encode())
    modules = Path(asserts.__file__).parent.rglob("*.py")
    results = (path.parent / "results").glob(f"{path.stem[:2]}*.json")
    for file in sorted([*modules, *results]):
        if "authoring" not in file.parts and "grading" not in file.parts:
            digest.update(file.read_bytes())
    return f"{path.stem[:2]}-{digest.hexdigest()[:16]}"


def main(path, *files):
    """Run a lesson for each file, named by its seed, and print a line at the end of each.

    On Linux the runs are forks of a process that has imported most of what a lesson needs.

    Parameters
    ----------
    path : Path
        The lesson.
    *files : Path
        Where to write, such as ``native-3.json``.
    """
    for name in ("IPython", "torch", "course_utils.plots.frame", "course_utils.training"):
        importlib.import_module(name)
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    for file in files:
        process = context.Process(target=witness, args=(path, file))
        process.start()
        process.join(TIME_LIMIT)
        if process.is_alive():
            process.kill()
            print(f"it ran longer than {TIME_LIMIT} s", flush=True)
        else:
            print(f"the process ended with {process.exitcode}", flush=True)


def witness(path, target):
    """Run a lesson in this process and write down what each of its asserts compared.

    An assert that does not hold is taken down and the lesson goes on; any other error ends it.

    Parameters
    ----------
    path, target : Path
        The lesson; where to write, a file named by its seed, such as ``native-3.json``.
    """
    from IPython.core.interactiveshell import InteractiveShell

    os.environ["COURSE_SEED"] = target.stem.rpartition("-")[2]
    claims, faults, rounds = [], [], {}

    def take_down(claim, _):
        key = claim.cell, claim.number
        rounds[key] = rounds.get(key, -1) + 1
        claims.append({**_plain(claim), "round": rounds[key]})
        if not claim.holds:
            faults.append(f"cell {claim.cell}: {claim}")

    os.chdir(path.parent)
    shell = InteractiveShell.instance()
    rewriter = asserts.install(shell, take_down)
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "code":
            rewriter.cell = cell.id
            with open(os.devnull, "w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
                error = shell.run_cell(cell.source).error_in_exec
            if error is not None:
                faults.append(f"cell {cell.id} raised {type(error).__name__}: {error}")
                break
    partly = target.with_suffix(".part")  # a run that is killed leaves no half of its outcome
    text = json.dumps({"claims": claims, "faults": faults}, ensure_ascii=False)
    partly.write_text(text, encoding="utf-8")
    partly.replace(target)


def _plain(claim):
    comparisons = [
        {"text": c.text, "left": c.left, "sign": c.sign, "right": c.right}
        for c in claim.comparisons
    ]
    return {
        "cell": claim.cell,
        "number": claim.number,
        "text": claim.text,
        "holds": claim.holds,
        "comparisons": comparisons,
    }


if __name__ == "__main__":
    main(*(Path(name).resolve() for name in sys.argv[1:]))
