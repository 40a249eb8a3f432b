"""Measure how fast submissions are marked: ``python -m benchmarks.grading``.

The same submissions, a mix of right and wrong answers to lesson 01, are marked by
``course grade`` and by nbgrader's autograde, one after the other in one run. Then a large
folder is marked while the memory of the marking process is watched. ``--submissions`` and
``--many`` set how many; ``--many 0`` leaves the second part out. Prints a table and, last, one
JSON object. Exits with 1 if the throughput is under 8 times nbgrader's or memory grows.

nbgrader is no part of the course: it is installed when it is needed, in a temporary environment
that is removed afterwards.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
from pathlib import Path

import numpy
import psutil
from tqdm import tqdm

from tests.answers import answers
from tests.house import ROOT

LESSON = "01_residual_block"
NBGRADER = "nbgrader==0.9.6"
RATIO, GROWTH_MB = 8, 60
ENVIRONMENT = {**os.environ, "COURSE_STATIC": "1", "OMP_NUM_THREADS": "1"}


def submissions(count):
    """Notebooks that differ: each mixes the answers of the test suite in another way."""
    released = json.loads((ROOT / "exercises" / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
    by_name = {}
    for answer in answers():
        by_name.setdefault(answer.exercise, []).append(answer.source)
    for number in range(count):
        nb = json.loads(json.dumps(released))
        for cell in nb["cells"]:
            sources = by_name.get(cell["id"].removesuffix("-answer"))
            if sources:
                cell["source"] = f"{sources[number % len(sources)]}\n# {number}"
        yield f"student{number:05d}", json.dumps(nb)


def grade(inbox, out, watch=None):
    """Run `course grade`; seconds."""
    argv = [sys.executable, "-c", "from course_utils.cli import main; main()"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*argv, "grade", str(inbox), "--out", str(out)], cwd=ROOT, env=ENVIRONMENT
    )
    if watch:
        threading.Thread(target=watch, args=(process.pid,), daemon=True).start()
    if process.wait():
        raise SystemExit("course grade failed")
    return time.perf_counter() - start


def install(folder) -> Path:
    """Install nbgrader in an environment of its own, on top of what is installed here.

    Parameters
    ----------
    folder : Path
        Made, and filled with what nbgrader needs beyond this environment.

    Returns
    -------
    Path
        The environment's programs.

    Raises
    ------
    SystemExit
        If it cannot be had; with pip's last words.
    """
    print(f"Installing {NBGRADER} in {folder}, for this run alone: about a minute.", flush=True)
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    # Python reads this file at its start: what is installed here is there too, the course as well
    (packages,) = folder.glob("lib/python*/site-packages")
    here = Path(numpy.__file__).parents[1]
    (packages / "here.pth").write_text(f"import site; site.addsitedir({str(here)!r})\n")
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"]
    run = subprocess.run(
        [*pip, "--constraint", ROOT / "constraints.txt", NBGRADER], capture_output=True, text=True
    )
    if run.returncode:
        raise SystemExit(
            f"{NBGRADER} cannot be installed, and without it there is nothing to compare with. "
            f"pip says:\n{run.stderr[-1000:].strip()}\n"
            "Check the network connection, or leave the comparison out: --submissions 0."
        )
    return programs


def autograde(inbox, folder, programs):
    """Run nbgrader's autograde on the same notebooks; seconds."""
    source = folder / "source" / "ps1"
    source.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / f"{LESSON}.ipynb", source)
    for file in inbox.glob("*.ipynb"):
        student = file.name.partition("_")[0]
        target = folder / "submitted" / student / "ps1"
        target.mkdir(parents=True)
        shutil.copy(file, target / f"{LESSON}.ipynb")
    log = folder / "log.txt"

    def run(*arguments):
        with log.open("a") as file:
            code = subprocess.run(
                [programs / "nbgrader", *arguments],
                cwd=folder,
                env={**ENVIRONMENT, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
                stdout=file,
                stderr=file,
            ).returncode
        if code:
            raise SystemExit(f"nbgrader failed:\n{log.read_text()[-2000:]}")

    run("generate_assignment", "ps1", "--force")
    expected = len(list((folder / "submitted").iterdir()))
    done = folder / "autograded"
    start = time.perf_counter()
    finished = threading.Event()

    def show():
        with tqdm(total=expected, desc="nbgrader") as bar:
            while not finished.wait(1):
                bar.update(len(list(done.glob("*"))) - bar.n)

    threading.Thread(target=show, daemon=True).start()
    run("autograde", "ps1")
    finished.set()
    seconds = time.perf_counter() - start
    marked = len(list(done.glob(f"*/ps1/{LESSON}.ipynb")))
    if marked != expected:
        raise SystemExit(f"nbgrader marked {marked} of {expected}")
    return seconds


def fill(inbox, count):
    """Write submissions as flat files."""
    inbox.mkdir()
    for student, text in submissions(count):
        (inbox / f"{student}_{LESSON}.ipynb").write_text(text, encoding="utf-8")
    return inbox


def main():
    """Run both parts and print what they measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--many", type=int, default=5000)
    options = parser.parse_args()
    figures = {"submissions": options.submissions}
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.submissions:
            programs = install(folder / "nbgrader")  # first: where it fails, no time is lost
            inbox = fill(folder / "inbox", options.submissions)
            ours = grade(inbox, folder / "out")
            theirs = autograde(inbox, folder, programs)
            figures |= {
                "per_minute": round(60 * options.submissions / ours),
                "nbgrader_per_minute": round(60 * options.submissions / theirs, 1),
                "ratio": round(theirs / ours, 1),
            }
            failed |= theirs < RATIO * ours
        if options.many:
            figures |= many(folder, options.many)
            failed |= figures["growth_mb"] > GROWTH_MB
    print(f"\n{'':26}{'course grade':>14}{'nbgrader':>12}")
    for label, keys in {
        "submissions per minute": ("per_minute", "nbgrader_per_minute"),
        "many: per minute": ("many_per_minute", ""),
        "many: MB after a tenth": ("early_mb", ""),
        "many: MB at the end": ("late_mb", ""),
    }.items():
        print(f"{label:26}{figures.get(keys[0], ''):>14}{figures.get(keys[1], ''):>12}")
    print(json.dumps(figures))
    return failed


def many(folder, count):
    """Mark a large folder and watch the memory of the process that marks."""
    seen = []

    def watch(pid):
        process, marks = psutil.Process(pid), folder / "many-out" / "marks"
        while process.is_running():
            try:
                memory = process.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                return
            done = len(list(marks.glob("*.json"))) if marks.exists() else 0
            seen.append((done, memory))
            time.sleep(0.5)

    seconds = grade(fill(folder / "many", count), folder / "many-out", watch)
    early = max(memory for done, memory in seen if 0 < done <= count / 10)
    late = max(memory for done, memory in seen)
    return {
        "many": count,
        "many_per_minute": round(60 * count / seconds),
        "early_mb": round(early),
        "late_mb": round(late),
        "growth_mb": round(late - early),
    }


if __name__ == "__main__":
    sys.exit(main())
