"""Read an instructor's own cases and seed, kept outside this repository."""

import functools
import hashlib
from pathlib import Path

from course_utils.checks import EXERCISES
from course_utils.judging.exercise import Case

COURSE_SEED = 20_260  # public, like all else in this repository


class PrivateError(Exception):
    """Say what is wrong with a private check or seed."""


def sources(folder):
    """Read the files of ``--checks``.

    Parameters
    ----------
    folder : Path or None
        Holds ``*.py`` files, each with a dict ``CASES``: the name of an exercise → a list of
        `judging.exercise.Case`.

    Returns
    -------
    tuple of (str, str)
        File name and source, sorted by name.

    Raises
    ------
    PrivateError
        If there is no such folder, or no file in it.
    """
    if folder is None:
        return ()
    files = sorted(Path(folder).glob("*.py"))
    if not files:
        raise PrivateError(f"--checks needs a folder with *.py files, got {folder}")
    return tuple((file.name, file.read_text(encoding="utf-8")) for file in files)


@functools.cache
def cases(files):
    r"""Run the files of an instructor and collect their cases; all are held back.

    Parameters
    ----------
    files : tuple of (str, str)
        From `sources`.

    Returns
    -------
    dict of str to tuple of Case
        By exercise.

    Raises
    ------
    PrivateError
        If a file has no ``CASES``, names no exercise of the course, or lists something else.

    Examples
    --------
    >>> source = "from course_utils.judging.exercise import normal_case\n"
    >>> source += "CASES = {'affine': [normal_case('wide', x=(1, 9), W=(2, 9), c=(2,))]}"
    >>> cases((("mine.py", source),))["affine"][0].held_back
    True
    """
    found = {}
    for name, source in files:
        namespace = {"__name__": name}
        try:
            exec(compile(source, name, "exec"), namespace)
        except Exception as error:
            raise PrivateError(f"{name} fails: {type(error).__name__}: {error}") from error
        listed = namespace.get("CASES")
        if not isinstance(listed, dict):
            raise PrivateError(f"{name}: expected a dict CASES, got {type(listed).__name__}")
        for exercise, added in listed.items():
            if exercise not in EXERCISES:
                raise PrivateError(f"{name}: there is no exercise {exercise!r} in the course")
            for case in added:
                if not isinstance(case, Case):
                    raise PrivateError(f"{name}: {exercise} lists {case!r}, which is no Case")
            own = tuple(Case(case.title, case.arguments, held_back=True) for case in added)
            found[exercise] = found.get(exercise, ()) + own
    return found


def seed(file):
    """Turn what a file holds into a seed.

    Parameters
    ----------
    file : Path or None
        Any text; without a file the seed is the public one of the course.

    Returns
    -------
    int

    Raises
    ------
    PrivateError
        If the file cannot be read or is empty.
    """
    if file is None:
        return COURSE_SEED
    try:
        text = Path(file).read_bytes().strip()
    except OSError as error:
        raise PrivateError(f"--seed-file cannot be read: {error}") from None
    if not text:
        raise PrivateError(f"--seed-file needs some text, {file} is empty")
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big")
