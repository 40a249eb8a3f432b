"""Measure what does not fit in a lesson's minute, store it beside its script, compare it again.

A script ``notebooks/results/NN.py`` defines ``SETTINGS``, a dict; ``measure(settings)``, which
gives nested dicts and lists of numbers; and ``TOLERANCE``, which says how far from the stored
seeds of one name another run may lie. `data.results` reads what is stored.
"""

import hashlib
import json
import platform
import re
import runpy
from importlib.metadata import version

from course_utils.authoring.notebooks import ROOT


def run(stems=(), root=ROOT):
    """Run scripts and store what they measure as JSON, the same bytes for the same numbers.

    Parameters
    ----------
    stems : sequence of str
        Beginnings of file names, such as ``"04"``; all scripts if empty.
    root : Path
        Folder that holds ``notebooks/results/``.

    Raises
    ------
    FileNotFoundError
        If a beginning fits no script.
    """
    for path in _scripts(stems, root):
        print(f"measuring: {path.name}", flush=True)
        path.with_suffix(".json").write_text(_text(_record(path)), encoding="utf-8")


def check(stems=(), root=ROOT) -> list:
    """Run scripts again and compare with what is stored; nothing is written.

    Parameters
    ----------
    stems : sequence of str
    root : Path

    Returns
    -------
    list of str
        What is stale, a sentence each, and a table of what moved past its tolerance; empty if
        nothing did.

    Raises
    ------
    FileNotFoundError
        If a beginning fits no script.
    """
    sentences, rows = [], []
    for path in _scripts(stems, root):
        faults = stale(path)
        sentences += faults
        if not faults:
            print(f"measuring again: {path.name}", flush=True)
            stored = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            tolerance = runpy.run_path(str(path))["TOLERANCE"]
            now = {path.stem: _record(path)["results"]}
            rows += moved({path.stem: stored["results"]}, now, tolerance)
    head = ["| moved | stored | now | outside by more than |", "|---|---|---|---|"]
    return sentences + (head + rows if rows else [])


def stale(path) -> list:
    """Say why a stored result is not what the script beside it measured.

    Parameters
    ----------
    path : Path
        The script.

    Returns
    -------
    list of str
        Empty if it was made by this script, to the last character, with these settings.
    """
    stored = path.with_suffix(".json")
    advice = f"run `make results ARGS={path.stem}`"
    if not path.exists() or not stored.exists():
        lacking, other = sorted((path, stored), key=lambda p: p.exists())
        return [f"{other.name} has no {lacking.name} beside it: {advice}"]
    text = stored.read_text(encoding="utf-8")
    record, wanted = json.loads(text), _origin(path, runpy.run_path(str(path)))
    faults = [
        f"{stored.name} was made with another {key} than {path.name} has now: {advice}"
        for key, value in wanted.items()
        if record.get(key) != value
    ]
    if not faults and text != _text(record):
        faults = [f"{stored.name} is not as `make results` writes it: {advice}"]
    return faults


def moved(stored, now, tolerance) -> list:
    """List what lies outside the range of the stored seeds by more than its name allows.

    Other processors and versions round differently, and training multiplies that until it
    equals another seed. So the mean of the new seeds is held to the range of the stored ones.

    Parameters
    ----------
    stored, now : nested dict and list of numbers
        The innermost list of a name holds its seeds.
    tolerance : dict
        From a name to a distance; names that are not in it are not compared.

    Returns
    -------
    list of str
        Rows of a table: place, stored seeds, new seeds, what is allowed.

    Examples
    --------
    >>> old, new = {"net": [0.5, 0.6], "rate": 1}, {"net": [0.6, 0.8], "rate": 2}
    >>> moved(old, new, {"net": 0.1}), moved(old, new, {"net": 0.05})
    ([], ['| net | [0.5, 0.6] | [0.6, 0.8] | 0.05 |'])
    """
    before, after = dict(_leaves(stored)), dict(_leaves(now))
    rows = []
    for place in sorted(before | after, key=str):
        old, new = before.get(place), after.get(place)
        allowed = tolerance.get(next(key for key in reversed(place) if isinstance(key, str)))
        if old is None or new is None:
            same = False
        else:
            mean = sum(new) / len(new)
            same = allowed is None or min(old) - allowed <= mean <= max(old) + allowed
        if not same:
            rows.append(f"| {' '.join(map(str, place))} | {old} | {new} | {allowed} |")
    return rows


def _scripts(stems, root):
    found = sorted((root / "notebooks" / "results").glob("[0-9]*.py"))
    for stem in stems:
        if not any(path.stem.startswith(stem) for path in found):
            have = ", ".join(path.stem for path in found)
            raise FileNotFoundError(f"no script starts with {stem!r}; there are {have}")
    return [path for path in found if not stems or path.stem.startswith(tuple(stems))]


def _origin(path, script):
    """Say by what a result is made: the script's characters and its settings."""
    return {
        "script": path.name,
        # as text, so that a line ends alike on every system
        "sha256": hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest(),
        "settings": json.loads(json.dumps(script["SETTINGS"])),
    }


def _record(path):
    script = runpy.run_path(str(path))
    return {
        **_origin(path, script),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "torch")},
        },
        "results": _rounded(script["measure"](script["SETTINGS"])),
    }


def _rounded(value):
    """Keep three digits, of an accuracy as of a learning rate."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    return float(f"{value:.3g}") if isinstance(value, float) else value


def _text(record):
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    # a list of numbers on one line
    one_line = lambda found: f"[{' '.join(found[1].split())}]"  # noqa: E731
    return re.sub(r"\[([^\[\]{}]*)\]", one_line, text) + "\n"


def _leaves(value, place=()):
    """Give each innermost list of numbers with the keys that lead to it."""
    if isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], list | dict)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, (*place, key))
    else:
        yield place, value if isinstance(value, list) else [value]
