"""Say what an exercise is: data that the notebook and the grader both read."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Case:
    """Give one set of arguments for the answer.

    Attributes
    ----------
    title : str
        Names the case in messages.
    arguments : callable
        Maps a `numpy.random.Generator` to the named arguments: arrays and scalars.
    held_back : bool
        Used by the grader alone.
    """

    title: str
    arguments: Callable
    held_back: bool = False


def normal_case(title, held_back=False, **arguments) -> Case:
    """Make a case whose arrays hold normal random numbers.

    Parameters
    ----------
    title : str
    held_back : bool
    **arguments
        A tuple is the shape of an array to draw; anything else is passed as it is.

    Returns
    -------
    Case

    Examples
    --------
    >>> import numpy as np
    >>> drawn = normal_case("small", x=(2, 3), steps=5).arguments(np.random.default_rng(0))
    >>> drawn["x"].shape, drawn["steps"]
    ((2, 3), 5)
    """

    def draw(rng):
        return {
            name: rng.normal(size=value) if isinstance(value, tuple) else value
            for name, value in arguments.items()
        }

    return Case(title, draw, held_back)


@dataclass(frozen=True)
class Mistake:
    """Recognise one known mistake by the value it returns.

    Attributes
    ----------
    hint : str
        Says which mistake was made, in a sentence to the learner.
    value : callable
        Takes the case's arguments, returns what an answer with this mistake returns;
        None where it would raise.
    """

    hint: str
    value: Callable


@dataclass(frozen=True)
class Property:
    """Test an answer that may take many forms.

    Attributes
    ----------
    title : str
    fault : callable
        Takes the case's arguments and the value; returns "" where the property
        holds, else a sentence that quotes what was expected and what came. May rely
        on the properties before it.
    """

    title: str
    fault: Callable


@dataclass(frozen=True)
class Exercise:
    """Describe one exercise completely.

    Attributes
    ----------
    name : str
        What the learner defines: a function, a class or a variable. Unique in the
        course; the answer cell's id is ``<name>-answer``.
    lesson : str
        Stem of the notebook.
    points : int
        Practice points in the notebook.
    required : bool
    minutes : int
    difficulty : int
        1 to 3.
    kind : {"function", "module", "choice", "number"}
        A function is called; a module is reached through `probe`; a choice and a
        number are variables.
    cases : tuple of Case
    reference : callable or None
        Takes a case's arguments, returns the right value; None where properties judge.
    properties : tuple of Property
        Tested in this order, after the reference.
    mistakes : tuple of Mistake
    hints : tuple of str
        Opened one at a time.
    tolerance : float
        Largest relative difference that counts as equal.
    timeout : float
        Seconds for one case.
    probe : str
        For modules: source text that defines ``probe(answer, **arguments)`` and returns
        a dict of arrays. It runs where the answer runs and knows no right values; see
        `probe_beside`.
    """

    name: str
    lesson: str
    points: int
    required: bool
    minutes: int
    difficulty: int
    kind: Literal["function", "module", "choice", "number"]
    cases: tuple
    reference: Callable | None = None
    properties: tuple = ()
    mistakes: tuple = ()
    hints: tuple = ()
    tolerance: float = 1e-6
    timeout: float = 5.0
    probe: str = ""


def choice(name, lesson, right, wrong, **fields):
    """Make an exercise whose answer is one letter, with feedback for each wrong one.

    Parameters
    ----------
    name, lesson : str
    right : str
    wrong : dict of str to str
        What to say for each wrong letter.
    **fields
        The other fields of `Exercise`.

    Returns
    -------
    Exercise
    """
    return Exercise(
        name=name,
        lesson=lesson,
        kind="choice",
        cases=(Case("your choice", lambda rng: {}),),
        reference=lambda: right,
        mistakes=tuple(
            Mistake(hint, lambda letter=letter: letter) for letter, hint in wrong.items()
        ),
        **fields,
    )


def probe_beside(module) -> str:
    """Read the probe that lies beside an exercise: for ``name.py`` that is ``name_probe.py``.

    It is read, never imported: it runs where the answer runs, and that may be a sandbox that
    holds no course.

    Parameters
    ----------
    module : str
        The exercise's own ``__name__``.

    Returns
    -------
    str
        Source text.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    package, _, name = module.rpartition(".")
    return pkgutil.get_data(package, f"{name}_probe.py").decode()
