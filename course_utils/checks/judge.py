"""Decide whether an answer is right, and if not, say why. Every decision is made here.

`judge` knows the answer only through ``call(name, arguments, probe, timeout)``, which
returns plain data. Whether that call runs in this process or in a sandbox makes no
difference to the verdict.
"""

import copy
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from course_utils.checks.exercise import Exercise
from course_utils.checks.values import Foreign, kind_of, show


class Status(StrEnum):
    """What became of one case; the value is shown to the learner."""

    CORRECT = "correct"
    NOT_WRITTEN = "not written yet"
    NOT_DEFINED = "not defined"
    RAISED = "raised an error"
    TOO_SLOW = "too slow"
    WRONG_TYPE = "wrong type"
    WRONG_SHAPE = "wrong shape"
    CHANGED = "argument changed in place"
    WRONG_VALUE = "wrong value"


@dataclass(frozen=True)
class Reply:
    """Carry what one call returned.

    Attributes
    ----------
    value : object
        Plain data.
    after : dict
        The arguments as the call left them; those that arrays can show.
    """

    value: object
    after: dict


class CallFailed(Exception):
    """Say that a call gave no value.

    Attributes
    ----------
    status : Status
    message : str
    """

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = Status(status), message


@dataclass(frozen=True)
class Finding:
    """Report one case."""

    case: str
    status: Status
    message: str = ""
    held_back: bool = False


@dataclass(frozen=True)
class Verdict:
    """Report one exercise.

    Attributes
    ----------
    exercise : Exercise
    findings : tuple of Finding
        One for each case that was run.
    mistake : str
        The known mistake that explains every finding, or "".
    """

    exercise: Exercise
    findings: tuple
    mistake: str = ""

    @property
    def status(self) -> Status:
        """That of the first case that failed, or correct."""
        return next((f.status for f in self.findings if f.status != "correct"), Status.CORRECT)

    @property
    def correct(self) -> bool:
        """Whether every case that was run is correct."""
        return self.status == Status.CORRECT

    @property
    def points(self) -> int:
        """All points of the exercise, or none."""
        return self.exercise.points if self.correct else 0


def judge(exercise, call, seed=0, held_back=False) -> Verdict:
    """Judge one answer.

    Parameters
    ----------
    exercise : Exercise
    call : callable
        ``call(name, arguments, probe, timeout) → Reply``; raises `CallFailed`.
    seed : int
        Draws the arguments of the cases.
    held_back : bool
        Also run the cases that the learner's notebook does not.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> from course_utils.checks import EXERCISES
    >>> verdict = judge(EXERCISES["what_f_learns"], lambda *call: Reply("c", {}))
    >>> verdict.correct, verdict.points
    (True, 1)
    """
    findings, trials = [], []
    for index, case in enumerate(exercise.cases):
        if case.held_back and not held_back:
            continue
        arguments = case.arguments(np.random.default_rng([seed, index]))
        try:
            # the answer gets its own copies: what it does to them cannot reach the reference
            reply = call(exercise.name, copy.deepcopy(arguments), exercise.probe, exercise.timeout)
        except CallFailed as failure:
            message = failure.message
            if failure.status == Status.RAISED:
                message += _shapes(exercise, arguments)
            findings.append(Finding(case.title, failure.status, message, case.held_back))
            if failure.status in (Status.NOT_WRITTEN, Status.NOT_DEFINED, Status.TOO_SLOW):
                break  # the other cases would say the same, or cost as much
            continue
        status, message = _examine(exercise, arguments, reply)
        findings.append(Finding(case.title, status, message, case.held_back))
        trials.append((arguments, reply, status))
    mistake = ""
    if any(status != Status.CORRECT for _, _, status in trials):
        mistake = _known_mistake(exercise, trials)
    return Verdict(exercise, tuple(findings), mistake)


def _examine(exercise, arguments, reply):
    if exercise.kind in ("choice", "number"):
        return _examine_variable(exercise, reply.value)
    changed = [name for name, now in reply.after.items() if not _same(arguments.get(name), now)]
    if changed:
        return Status.CHANGED, (
            f"{_called(exercise, arguments)}"
            f"the call changed its argument {', '.join(changed)} in place. The caller still needs "
            f"it: an update such as `{changed[0]} += …` overwrites it, `{changed[0]} + …` makes "
            "a new array"
        )
    if exercise.reference is not None:
        expected = exercise.reference(**copy.deepcopy(arguments))
        status, message = compare(reply.value, expected, exercise.tolerance)
        if status != Status.CORRECT:
            return status, f"{_called(exercise, arguments)}{message}"
    elif reply.value is None:
        return Status.WRONG_TYPE, f"{_called(exercise, arguments)}{_NONE}"
    for prop in exercise.properties:
        fault = prop.fault(copy.deepcopy(arguments), reply.value)
        if fault:
            return (
                Status.WRONG_VALUE,
                f"{_called(exercise, arguments)}wanted: {prop.title}\n{fault}",
            )
    return Status.CORRECT, ""


_NONE = "returned None. Does the function end without a `return`?"


def _examine_variable(exercise, value):
    right = exercise.reference()
    if exercise.kind == "choice":
        options = sorted([right, *(mistake.value() for mistake in exercise.mistakes)])
        if not isinstance(value, str) or value not in options:
            listed = ", ".join(f'"{option}"' for option in options)
            return Status.WRONG_TYPE, f"expected one of {listed}, got {show(value)}"
        if value == right:
            return Status.CORRECT, ""
        return Status.WRONG_VALUE, f'"{value}" is not it'
    if isinstance(value, bool) or not isinstance(value, (int, float, np.ndarray)):
        return Status.WRONG_TYPE, f"expected a number, got {show(value)}"
    if np.shape(value) == () and np.isclose(value, right, rtol=exercise.tolerance, atol=1e-12):
        return Status.CORRECT, ""
    return Status.WRONG_VALUE, f"{show(value)} is not it"


def compare(got, expected, tolerance):
    """Compare plain data with what was expected.

    Parameters
    ----------
    got, expected : object
        Plain data; a dict is compared entry by entry, in the order of `expected`.
    tolerance : float
        Largest difference, relative to the largest expected entry.

    Returns
    -------
    status : Status
    message : str

    Examples
    --------
    >>> status, message = compare(np.array([1.0, 2.0]), np.array([2.0, 2.0]), 1e-6)
    >>> print(message)
    expected [2. 2.]
    got      [1. 2.]
    1 of 2 values differ; the largest difference, 1, is at index (0,)
    """
    if got is None:
        return Status.WRONG_TYPE, _NONE
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return Status.WRONG_TYPE, f"expected a dict, got {kind_of(got)}"
        for key, part in expected.items():
            status, message = compare(got.get(key), part, tolerance)
            if status != Status.CORRECT:
                return status, f"{key}: {message}"
        return Status.CORRECT, ""
    expected = np.asarray(expected)
    number = isinstance(got, (int, float, np.ndarray)) and not isinstance(got, bool)
    if not number or (isinstance(got, np.ndarray) and got.dtype.kind not in "iuf"):
        wanted = "a number" if expected.shape == () else f"an array of shape {expected.shape}"
        entries = f" of {got.dtype.name}" if isinstance(got, np.ndarray) else ""
        value = f", {show(got)}" if not isinstance(got, Foreign) else ""
        return Status.WRONG_TYPE, f"expected {wanted}\ngot {kind_of(got)}{entries}{value}"
    if np.shape(got) != expected.shape:
        return (
            Status.WRONG_SHAPE,
            f"expected shape {expected.shape}\ngot shape      {np.shape(got)}",
        )
    difference = np.abs(np.asarray(got, float) - expected)
    bound = tolerance * max(1.0, float(np.abs(expected).max(initial=0.0)))
    wrong = ~(difference <= bound)  # also where NaN came
    if not wrong.any():
        return Status.CORRECT, ""
    lines = [f"expected {show(expected)}", f"got      {show(np.asarray(got))}"]
    if expected.size > 1:
        worst = np.argmax(np.nan_to_num(difference, nan=np.inf))
        index = tuple(int(i) for i in np.unravel_index(worst, difference.shape))
        lines.append(
            f"{wrong.sum()} of {wrong.size} values differ; the largest difference, "
            f"{difference[index]:.3g}, is at index {index}"
        )
    return Status.WRONG_VALUE, "\n".join(lines)


def _known_mistake(exercise, trials):
    # a mistake is named only if it explains every value that came
    for mistake in exercise.mistakes:
        matches = [
            _equal(reply.value, mistake.value(**copy.deepcopy(arguments)), exercise.tolerance)
            for arguments, reply, _ in trials
        ]
        if all(matches):
            return mistake.hint
    return ""


def _equal(got, value, tolerance):
    if value is None:  # with these arguments the mistake would return nothing
        return False
    if isinstance(value, str):
        return isinstance(got, str) and got == value
    return compare(got, value, tolerance)[0] == Status.CORRECT


def _same(before, after):
    return isinstance(after, np.ndarray) and np.array_equal(before, after, equal_nan=True)


def _called(exercise, arguments):
    if exercise.kind == "module":  # the arguments are the probe's, not the learner's
        return ""
    listed = ", ".join(f"{name}={show(value, 60)}" for name, value in arguments.items())
    return f"{exercise.name}({listed})\n"


def _shapes(exercise, arguments):
    if exercise.kind == "module":
        return ""
    listed = [
        f"{name} of shape {value.shape}" if isinstance(value, np.ndarray) else f"{name}={value}"
        for name, value in arguments.items()
    ]
    return f"\n  called with {', '.join(listed)}"
