"""Decide whether an answer is right, and if not, say why. Every decision is made here.

`judge` knows the answer only through ``call(name, arguments, probe, timeout)``, which
returns plain data. Whether that call runs in this process or in a sandbox makes no
difference to the verdict.
"""

import contextlib
import copy
import warnings
from dataclasses import dataclass

import numpy as np

from course_utils.judging.exercise import Exercise
from course_utils.judging.protocol import CallFailed, Status
from course_utils.judging.values import Foreign, kind_of, show


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
        """Whether a case was run, and every one that was is correct."""
        return bool(self.findings) and self.status == Status.CORRECT

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
    held_back : {False, True, "only"}
        Also run the cases that the learner's notebook does not; or them alone.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> from course_utils.judging.exercise import choice
    >>> from course_utils.judging.protocol import Reply
    >>> fields = {"points": 1, "required": False, "minutes": 3, "difficulty": 1}
    >>> exercise = choice("which", "a_lesson", right="c", wrong={"a": "too small"}, **fields)
    >>> verdict = judge(exercise, lambda *call: Reply("c", {}))
    >>> verdict.correct, verdict.points
    (True, 1)
    """
    findings, trials = [], []
    for index, case in enumerate(exercise.cases):
        if case.held_back != (held_back == "only") and held_back is not True:
            continue
        arguments = case.arguments(np.random.default_rng([seed, index]))
        try:
            # the answer gets its own copies: what it does to them cannot reach the reference
            reply = call(exercise.name, copy.deepcopy(arguments), exercise.probe, exercise.timeout)
        except CallFailed as failure:
            message = failure.message
            if failure.status == Status.RAISED:
                message += _shapes(exercise, arguments)
                trials.append((arguments, None, failure.status))
            findings.append(Finding(case.title, failure.status, message, case.held_back))
            if failure.status in (Status.NOT_WRITTEN, Status.NOT_DEFINED, Status.TOO_SLOW):
                break  # the other cases would say the same, or cost as much
            continue
        with _quiet():
            status, message = _examine(exercise, arguments, reply)
        findings.append(Finding(case.title, status, message, case.held_back))
        trials.append((arguments, reply, status))
    mistake = ""
    if any(reply and status != Status.CORRECT for _, reply, status in trials):
        with _quiet():
            mistake = _known_mistake(exercise, trials)
    return Verdict(exercise, tuple(findings), mistake)


@contextlib.contextmanager
def _quiet():
    # odd values may overflow, whatever the notebook has set for that
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _examine(exercise, arguments, reply):
    if exercise.kind in ("choice", "number"):
        return _examine_variable(exercise, reply.value)
    changed = [
        name
        for name, before in arguments.items()
        if name in reply.after and not _same(before, reply.after[name])
    ]
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
        letter = value.strip().lower() if isinstance(value, str) else None
        if letter not in options:
            listed = ", ".join(f'"{option}"' for option in options)
            return Status.WRONG_TYPE, f"expected one of {listed}, got {show(value)}"
        if letter == right:
            return Status.CORRECT, ""
        return Status.WRONG_VALUE, f'"{letter}" is not it'
    status, message = compare(value, right, exercise.tolerance)
    if status != Status.WRONG_VALUE:
        return status, message
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
        value = f", {show(got)}" if not isinstance(got, Foreign) else ""
        return Status.WRONG_TYPE, f"expected {wanted}\ngot {kind_of(got)}{value}"
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
        if all(
            _equal(reply, mistake.value(**copy.deepcopy(arguments)), exercise.tolerance)
            for arguments, reply, _ in trials
        ):
            return mistake.hint
    return ""


def _equal(reply, value, tolerance):
    if reply is None or value is None:  # raised; with these arguments the mistake raises
        return reply is None and value is None
    if isinstance(value, str):
        return isinstance(reply.value, str) and reply.value.strip().lower() == value
    return compare(reply.value, value, tolerance)[0] == Status.CORRECT


def _same(before, after):
    return (
        isinstance(before, np.ndarray)
        and isinstance(after, np.ndarray)
        and (before.dtype, before.shape) == (after.dtype, after.shape)
        and np.array_equal(before, after, equal_nan=True)
    )


def _called(exercise, arguments):
    if exercise.kind == "module":  # the arguments are the probe's, not the learner's
        return ""
    listed = ", ".join(f"{name}={show(value, 60)}" for name, value in arguments.items())
    return f"{exercise.name}({listed})\n"


def _shapes(exercise, arguments):
    if exercise.kind == "module" or not arguments:
        return ""
    listed = [
        f"{name} of shape {value.shape}" if isinstance(value, np.ndarray) else f"{name}={value}"
        for name, value in arguments.items()
    ]
    return f"\n  called with {', '.join(listed)}"
