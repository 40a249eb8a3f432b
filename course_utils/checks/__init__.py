"""Know the exercises: a folder per lesson, a file per exercise, all of them data."""

import importlib
import pkgutil
from collections.abc import Mapping

from course_utils.judging.exercise import Exercise


class Unfinished(Exception):
    """Say what a lesson or one of its exercises still lacks."""


class Exercises(Mapping):
    """Map names to exercises, in the order of the lessons and of their notebooks.

    Names are known at once. An exercise is imported when it is first asked for, so that a
    check waits for one file, and an exercise that is half written stops no other.

    Parameters
    ----------
    package : str
        Holds the folders ``lesson_NN``. The ``__init__`` of each gives the stem of the
        notebook, ``LESSON``, and names the exercises in its order, ``EXERCISES``. The
        exercise ``affine`` is the ``EXERCISE`` of ``affine.py``.
    folders : list of str
        Where the package lies, its ``__path__``.

    Raises
    ------
    Unfinished
        If a lesson names no exercises, or one that another lesson has.

    Examples
    --------
    >>> list(EXERCISES)[:2]
    ['affine', 'central_difference']
    >>> EXERCISES["affine"].lesson
    '00_start_here'
    """

    def __init__(self, package, folders):
        self._lessons, self._loaded = {}, {}
        for name in sorted(found.name for found in pkgutil.iter_modules(folders)):
            lesson = importlib.import_module(f"{package}.{name}")
            for field in ("LESSON", "EXERCISES"):
                if not hasattr(lesson, field):
                    raise Unfinished(f"{lesson.__name__} has no {field}")
            for exercise in lesson.EXERCISES:
                if exercise in self._lessons:
                    other = self._lessons[exercise].__name__
                    raise Unfinished(f"{lesson.__name__} names {exercise!r}, as {other} does")
                self._lessons[exercise] = lesson

    def __getitem__(self, name):
        if name not in self._loaded:
            self._loaded[name] = _load(self._lessons[name], name)
        return self._loaded[name]

    def __contains__(self, name):
        return name in self._lessons

    def __iter__(self):
        return iter(self._lessons)

    def __len__(self):
        return len(self._lessons)


def _load(lesson, name):
    path = f"{lesson.__name__}.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        raise Unfinished(f"{lesson.__name__} names {name!r}, and {name}.py is missing") from None
    exercise = getattr(module, "EXERCISE", None)
    if not isinstance(exercise, Exercise):
        raise Unfinished(f"{path} has no EXERCISE = Exercise(...)")
    for field, wanted in (("name", name), ("lesson", lesson.LESSON)):
        if (came := getattr(exercise, field)) != wanted:
            raise Unfinished(f"{path}: expected {field}={wanted!r}, got {came!r}")
    return exercise


EXERCISES = Exercises(__name__, __path__)
