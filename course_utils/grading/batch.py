"""Mark a folder of submissions: in parallel, resumable, never stopped by one of them."""

import contextlib
import functools
import hashlib
import json
import multiprocessing
import os
import platform
import tempfile
import threading
import time
import traceback
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path

import joblib
from filelock import FileLock, Timeout

from course_utils.environment import progress
from course_utils.grading import private, sandbox
from course_utils.grading.files import Unreadable
from course_utils.grading.graft import code_cells
from course_utils.grading.mark import Settings, mark, unreadable
from course_utils.grading.names import ends_with
from course_utils.grading.submissions import Submission, find

WHOLE = {"lesson", "problem", "notes", "exercises"}  # what a result holds
COURSE = Path(__file__).resolve().parents[2]


class GradingError(Exception):
    """Say why a run cannot begin."""


@dataclass(frozen=True)
class Entry:
    """Join a submission to what its marks are stored under.

    Attributes
    ----------
    submission : Submission
    key : str
        "" where the file could not be read.
    digest : str
        SHA-256 of its content.
    problem : str
    """

    submission: Submission
    key: str
    digest: str
    problem: str = ""


def settings(kind="bubblewrap", checks=None, seed_file=None, course=COURSE) -> Settings:
    """Collect what all submissions of a run are marked with.

    Parameters
    ----------
    kind : {"bubblewrap", "none"}
    checks, seed_file : Path, optional
        An instructor's own cases and seed.
    course : Path
        Holds ``exercises/``.

    Returns
    -------
    Settings

    Raises
    ------
    GradingError
        If the released notebooks are not there.
    PrivateError
        If the instructor's own files are not as they should be.
    """
    notebooks = sorted((course / "exercises").glob("[0-9]*.ipynb"))
    if not notebooks:
        raise GradingError(
            f"there is no exercises/ in {course}: `course grade` needs the course's repository, "
            "installed with `make test` or `pip install -e .`"
        )
    own = private.sources(checks)
    private.cases(own)  # complain now, not in the middle of a run
    package = Path(__file__).resolve().parents[1]
    rooms = ("judging", "checks", "grading")
    code = [file for room in rooms for file in sorted((package / room).rglob("*.py"))]
    version = hashlib.sha256()
    for file in [*code, package / "data.py", *notebooks]:
        version.update(file.read_bytes())
    for name, source in own:
        version.update(f"{name}\n{source}".encode())
    return Settings(
        released={path.stem: code_cells(path.read_bytes()) for path in notebooks},
        seed=private.seed(seed_file),
        sandbox=kind,
        private=own,
        version=version.hexdigest(),
    )


def machines(cluster=None) -> set:
    """Name the kinds of machine that submissions will run on.

    Parameters
    ----------
    cluster : str, optional
        See `grade`.

    Returns
    -------
    set of str
        As `platform.machine` names them.

    Raises
    ------
    OSError
        If the scheduler does not answer.
    """
    if cluster is None:
        return {platform.machine()}
    from distributed import Client

    with Client(cluster, timeout=30) as client:
        return set(client.run(platform.machine).values())


def grade(source, out, settings, jobs=-1, cluster=None):
    """Mark every submission and store each result as it comes.

    Parameters
    ----------
    source : Path
        See `submissions.find`.
    out : Path
        Results go to ``out/marks/``, one JSON file for each content.
    settings : Settings
    jobs : int
        Processes; −1 for one per core.
    cluster : str, optional
        Address of a dask scheduler, such as ``tcp://host:8786``.

    Returns
    -------
    list of Entry
        Sorted by path.
    marked : int
        How many were marked now; the others were already.

    Raises
    ------
    GradingError
        If another run writes to `out`.
    Unreadable
        If `source` holds no submissions.
    SandboxUnavailable
        If there is no sandbox here.
    """
    store = Path(out) / "marks"
    store.mkdir(parents=True, exist_ok=True)
    submissions = find(source, list(settings.released), skip=out)
    if not submissions:
        raise Unreadable(f"there are no notebooks in {source}")
    try:
        with FileLock(store.parent / ".lock", timeout=0):
            return _grade(submissions, store, settings, jobs, cluster)
    except Timeout:
        raise GradingError(f"another `course grade` is writing to {out}") from None


def _grade(submissions, store, settings, jobs, cluster):
    entries, tasks, seen = [], [], set()
    for submission in progress(submissions, "reading"):
        entry = _entry(submission, settings)
        entries.append(entry)
        if entry.problem:
            continue
        if entry.key not in seen and load(store, entry.key) is None:
            tasks.append(entry)
        seen.add(entry.key)
    if not tasks:
        return entries, 0
    if cluster is None:  # say at once if there is no sandbox here
        probe = sandbox.shared(settings.sandbox)
        if jobs != 1:
            probe.close()
    with _backend(jobs, cluster) as parallel:
        _mark_all(tasks, store, settings, parallel)
    return entries, len(tasks)


def _mark_all(tasks, store, settings, parallel):
    try:
        # results come as they are ready; few notebooks are in memory at a time
        results = parallel(joblib.delayed(_task)(*_work(entry, settings)) for entry in tasks)
        for key, result in progress(results, "marking", total=len(tasks)):
            save(store, key, result)
    except BrokenExecutor:  # a process that marks was killed, perhaps by what it marked
        if len(tasks) == 1:
            (entry,) = tasks
            reason = "the process that marked it was killed"
            result = unreadable(reason, entry.submission.lesson, settings)
            save(store, entry.key, {**result, "error": reason})
            return
        for entry in tasks:
            if load(store, entry.key) is None:
                _mark_all([entry], store, settings, parallel)


def _entry(submission, settings):
    try:
        data = submission.read()
    except Unreadable as error:
        return Entry(submission, "", "", str(error))
    digest = hashlib.sha256(data).hexdigest()
    if not ends_with(submission.path, ".ipynb"):
        return Entry(submission, "", digest, "it is not a notebook (.ipynb)")
    return Entry(submission, settings.key(data, submission.lesson), digest)


def _work(entry, settings):
    try:
        data = entry.submission.read()
    except Unreadable:
        data = b""
    same = hashlib.sha256(data).hexdigest() == entry.digest
    return entry.key, data if same else None, entry.submission.lesson, settings


def _task(key, data, lesson, settings):
    """Mark one; a fault of ours is a result too, but one that the next run tries again."""
    _leave_with_parent()
    try:
        if data is None:
            raise Unreadable("the file has changed since it was first read")
        return key, mark(data, lesson, settings)
    except Exception as error:
        result = unreadable(f"it was not marked, run again: {error}", lesson, settings)
        return key, {**result, "error": traceback.format_exc()}


@functools.cache
def _leave_with_parent():
    """End a process of joblib's, and its sandbox, when the one that began it has gone."""
    parent = os.getppid()
    if not multiprocessing.current_process().name.startswith("Loky"):
        return

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _backend(jobs, cluster):
    options = {"return_as": "generator_unordered", "pre_dispatch": "3*n_jobs", "batch_size": 1}
    if cluster is None:
        yield joblib.Parallel(n_jobs=jobs, **options)
        return
    from distributed import Client

    with Client(cluster, timeout=30) as client, joblib.parallel_config("dask", client=client):
        yield joblib.Parallel(n_jobs=-1, **options)


def load(store, key, whole=True):
    """Read one stored result.

    Parameters
    ----------
    store : Path
    key : str
    whole : bool
        Leave out a result that an error of ours cut short.

    Returns
    -------
    dict or None
        None where there is none, or none that can be read.
    """
    try:
        result = json.loads((store / f"{key}.json").read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(result, dict) or not WHOLE <= result.keys():
        return None
    if whole and result.get("error"):
        return None
    return result


def save(store, key, result):
    """Write one result, whole or not at all.

    Parameters
    ----------
    store : Path
    key : str
    result : dict
    """
    with tempfile.NamedTemporaryFile("w", dir=store, suffix=".tmp", delete=False) as file:
        json.dump(result, file)
    os.replace(file.name, store / f"{key}.json")
