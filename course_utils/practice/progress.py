"""Keep a learner's practice points in one JSON file, and never lose it."""

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from course_utils.environment import is_static

VERSION = 1
_unsaved = {}  # what could not be written; it lives as long as the kernel


@dataclass(frozen=True)
class Record:
    """Hold what is known of one exercise."""

    points: int = 0
    hints: int = 0


def path() -> Path:
    """Tell where the progress is kept.

    Returns
    -------
    Path
        `COURSE_PROGRESS` where it is set, else ``progress.json`` in the course's folder;
        links are followed, so that a link stays one.
    """
    if os.environ.get("COURSE_PROGRESS"):
        file = Path(os.environ["COURSE_PROGRESS"]).expanduser()
        return Path(os.path.realpath(file))
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "exercises").is_dir() and (folder / "notebooks").is_dir():
            return Path(os.path.realpath(folder / "progress.json"))
    return here / "progress.json"


def load(text=None) -> dict:
    """Read the progress.

    Parameters
    ----------
    text : str, optional
        Read this instead of the file, such as a copy that was saved elsewhere.

    Returns
    -------
    dict of str to Record
        Empty where there is no file.

    Raises
    ------
    ValueError
        If the text is not a progress file; a damaged file itself is set aside instead.

    Examples
    --------
    >>> load('{"version": 1, "exercises": {"what_f_learns": {"points": 1, "hints": 0}}}')
    {'what_f_learns': Record(points=1, hints=0)}
    """
    if text is not None:
        return _parse(text)
    file = path()
    try:
        return _merged(_read(file), _unsaved)
    except OSError as error:
        print(_trouble("read", file, error))
        return dict(_unsaved)


def _read(file):
    try:
        return _parse_file(file)
    except ValueError:
        with _lock(file):
            return _set_aside(file)


def _parse_file(file):
    try:
        return _parse(file.read_text(encoding="utf-8-sig"))  # an editor may have added a mark
    except FileNotFoundError:
        return {}


def _set_aside(file):
    try:  # once more, under the lock: another notebook may have mended it
        return _parse_file(file)
    except ValueError as error:
        names = (file.with_name(f"{file.name}.damaged-{n}") for n in itertools.count(1))
        aside = next(name for name in names if not name.exists())
        os.replace(file, aside)
        print(
            f"Your score card {file.name} could not be read ({error}). It is kept as {aside.name} "
            "and a new one is started; run the checks again to fill it."
        )
        return {}


def _lock(file):
    return FileLock(f"{file}.lock", timeout=5, is_singleton=True)


def _trouble(verb, file, error):
    if isinstance(error, Timeout):
        return f"Your score card was not saved: another notebook keeps {file.name} busy. Try again."
    return (
        f"Your score card {file} could not be {verb} ({error.strerror or error}). Set "
        "COURSE_PROGRESS to a file that you can write; your answers are not affected."
    )


def _parse(text):
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise ValueError(f'expected "version": {VERSION}')
    records = {}
    exercises = data.get("exercises")
    if not isinstance(exercises, dict):
        raise ValueError('expected "exercises" to be an object')
    for name, entry in exercises.items():
        fields = [
            entry.get(key) if isinstance(entry, dict) else None for key in ("points", "hints")
        ]
        if not all(type(value) is int and value >= 0 for value in fields):
            raise ValueError(f"expected whole points and hints for {name!r}, got {entry!r}")
        records[name] = Record(*fields)
    return records


def dump(records) -> str:
    """Write the progress as text.

    Parameters
    ----------
    records : dict of str to Record

    Returns
    -------
    str
        JSON that `load` reads back.
    """
    exercises = {name: vars(record) for name, record in sorted(records.items())}
    return json.dumps({"version": VERSION, "exercises": exercises}, indent=1) + "\n"


def update(change) -> dict:
    """Change the progress, safely with several notebooks open.

    Parameters
    ----------
    change : callable
        Maps the records to the new records.

    Returns
    -------
    dict of str to Record
        The new records. With `COURSE_STATIC=1` nothing is written to disk.
    """
    if is_static():
        return _keep(change(dict(_unsaved)))
    file = path()
    known = dict(_unsaved)
    try:
        with _lock(file):
            known = _merged(_read(file), known)
            records = change(known)
            _write(file, dump(records))
    except OSError as error:
        print(_trouble("saved", file, error))
        return _keep(change(known))
    _unsaved.clear()
    return records


def _keep(records):
    _unsaved.update(records)
    return records


def _merged(old, new):
    merged = dict(old)
    for name, record in new.items():
        known = merged.get(name, Record())
        merged[name] = Record(max(known.points, record.points), max(known.hints, record.hints))
    return merged


def _write(file, text):
    # a reader sees the old file or the new one, never half of it
    draft = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, file)


def add_points(name, points) -> dict:
    """Record the points of one exercise; the best result counts.

    Parameters
    ----------
    name : str
    points : int

    Returns
    -------
    dict of str to Record
    """
    return merge({name: Record(points=points)})


def add_hint(name, most) -> int:
    """Record that one more hint was opened.

    Parameters
    ----------
    name : str
    most : int
        Number of hints there are.

    Returns
    -------
    int
        How many are open now.
    """

    def change(records):
        old = records.get(name, Record())
        return {**records, name: Record(old.points, min(old.hints + 1, most))}

    return update(change)[name].hints


def merge(records) -> dict:
    """Add a saved copy to the progress; the better result of each exercise counts.

    Parameters
    ----------
    records : dict of str to Record

    Returns
    -------
    dict of str to Record
    """
    return update(lambda old: _merged(old, records))
