"""Mark one submission: run its cells in a sandbox, judge here what its answers return.

`mark` is pure: bytes and settings in, plain data out. So it runs as well in another
process or on another machine, and the same input gives the same marks anywhere.
"""

import hashlib
import time
import traceback
from dataclasses import dataclass, replace

import numpy as np

from course_utils.checks import EXERCISES
from course_utils.grading import private, sandbox
from course_utils.grading.channel import ChannelError, decode, encode
from course_utils.grading.files import Unreadable
from course_utils.grading.graft import code_cells, graft, lesson_of
from course_utils.grading.names import clean
from course_utils.judging import messages
from course_utils.judging.judge import Finding, Verdict, judge
from course_utils.judging.protocol import CallFailed, Reply, Status

MAX_NOTES = 50


@dataclass(frozen=True)
class Limits:
    """Say how long a submission may take.

    Attributes
    ----------
    cell : float
        Seconds of computing for one cell; an exercise tells its own for a call.
    cells : float
        Seconds of computing after which cells that only experiment are left out.
    patience : float
        How many times longer all of this may take by the clock, for a busy machine.
    total : float
        Seconds by the clock for one submission.
    """

    cell: float = 10
    cells: float = 60
    patience: float = 4
    total: float = 240

    def wait(self, seconds) -> float:
        """Turn seconds of computing into seconds by the clock.

        Parameters
        ----------
        seconds : float

        Returns
        -------
        float
        """
        return self.patience * (seconds + 2)


@dataclass(frozen=True)
class Settings:
    """Hold what all submissions of a run are marked with.

    Attributes
    ----------
    released : dict of str to list of (str, str)
        The code cells of each released notebook, by lesson.
    seed : int
        Draws the arguments of all cases.
    sandbox : {"bubblewrap", "none"}
    private : tuple of (str, str)
        File name and source of an instructor's own cases.
    version : str
        Changes when a check, the grader or a released notebook does.
    limits : Limits
    """

    released: dict
    seed: int
    sandbox: str = "bubblewrap"
    private: tuple = ()
    version: str = ""
    limits: Limits = Limits()

    def key(self, data, lesson) -> str:
        """Name the result of one submission: the same for the same content and settings.

        Parameters
        ----------
        data : bytes
        lesson : str
            As the file's name tells it.

        Returns
        -------
        str
        """
        parts = (
            self.version,
            str(self.seed),
            self.sandbox,
            lesson,
            hashlib.sha256(data).hexdigest(),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def mark(data, lesson, settings) -> dict:
    """Mark one submission.

    Parameters
    ----------
    data : bytes
        The notebook as it was handed in.
    lesson : str
        The stem that its name tells, or ""; its content may tell another.
    settings : Settings

    Returns
    -------
    dict
        ``lesson``, ``problem`` ("" where it could be read), ``notes`` on its cells, and
        ``exercises``: for each a dict of name, points, max_points, public and held_back
        (each [passed, run, of]), status, reason, mistake, text, html, error.

    Raises
    ------
    SandboxUnavailable
        If no sandbox starts.
    """
    try:
        submitted = code_cells(data)
        lesson = lesson_of(submitted, settings.released, lesson) or lesson
        if lesson not in settings.released:
            raise Unreadable("it answers no exercise of this course")
    except Unreadable as error:
        return unreadable(str(error), lesson, settings)
    cells = graft(submitted, settings.released[lesson])
    exercises = exercises_of(lesson, private.cases(settings.private))
    attempt = _Attempt(sandbox.shared(settings.sandbox), cells, settings.limits)
    try:
        seen = [_judge(exercise, attempt, settings, held_back=False) for exercise in exercises]
        # only now, and nothing that is said from here on is shown: an answer could have kept
        # what it was called with, for another to tell
        notes, failed = list(attempt.notes), dict(attempt.failed)
        hidden = [_judge(exercise, attempt, settings, held_back="only") for exercise in exercises]
    finally:
        attempt.close()
    marked = [
        _report(exercise, *parts, failed)
        for exercise, *parts in zip(exercises, seen, hidden, strict=True)
    ]
    return {"lesson": lesson, "problem": "", "notes": notes, "exercises": marked}


def unreadable(reason, lesson, settings) -> dict:
    """Give no points for a submission that cannot be read, and say why.

    Parameters
    ----------
    reason, lesson : str
    settings : Settings

    Returns
    -------
    dict
        As `mark` returns it.
    """
    listed = exercises_of(lesson, {}) if lesson in settings.released else []
    blank = {"text": "", "html": "", "mistake": "", "error": "", "points": 0}
    exercises = [
        {
            **blank,
            "name": exercise.name,
            "max_points": exercise.points,
            "public": [0, 0, sum(not case.held_back for case in exercise.cases)],
            "held_back": [0, 0, sum(case.held_back for case in exercise.cases)],
            "status": "unreadable",
            "reason": clean(reason),
        }
        for exercise in listed
    ]
    return {"lesson": lesson, "problem": clean(reason), "notes": [], "exercises": exercises}


def exercises_of(lesson, cases) -> list:
    """List the exercises of a lesson, with an instructor's own cases added.

    Parameters
    ----------
    lesson : str
    cases : dict of str to tuple of Case
        By exercise.

    Returns
    -------
    list of Exercise
    """
    return [
        replace(exercise, cases=exercise.cases + cases.get(exercise.name, ()))
        for exercise in EXERCISES.values()
        if exercise.lesson == lesson
    ]


def _judge(exercise, attempt, settings, held_back):
    """Judge some cases of one exercise; also say what went wrong on our side."""
    try:
        with attempt.exercise() as call:
            return judge(exercise, call, seed=settings.seed, held_back=held_back), ""
    except Exception:  # a fault of ours costs one mark, is kept, and is reported as such
        finding = Finding("marking", Status.RAISED, "this answer could not be marked; ask")
        return Verdict(exercise, (finding,)), traceback.format_exc()


def _report(exercise, seen, hidden, failed):
    (public, error), (held_back, hidden_error) = seen, hidden
    unwritten = public.status in (Status.NOT_WRITTEN, Status.NOT_DEFINED)
    if unwritten and exercise.name in failed:
        message = f"its cell did not run: {failed[exercise.name]}"
        public = Verdict(exercise, (Finding("your cell", Status.RAISED, message),))
    verdict = Verdict(exercise, public.findings + held_back.findings, public.mistake)
    return {
        "name": exercise.name,
        "points": verdict.points,
        "max_points": exercise.points,
        "public": _count(exercise, public, held_back=False),
        "held_back": _count(exercise, held_back, held_back=True),
        "status": str(verdict.status),
        "reason": clean(messages.reason(verdict)),
        "mistake": verdict.mistake,
        "text": clean(messages.text(verdict, graded=True)),
        "html": clean(messages.as_html(verdict, graded=True)),
        "error": error + hidden_error,
    }


def _count(exercise, verdict, held_back):
    found = [f.status == Status.CORRECT for f in verdict.findings if f.held_back == held_back]
    return [sum(found), len(found), sum(case.held_back == held_back for case in exercise.cases)]


class _Attempt:
    """The cells of one submission, run again without the culprit when their process ends."""

    def __init__(self, box, cells, limits):
        self.box, self.cells, self.limits = box, cells, limits
        self.notes, self.failed, self.left_out, self.seconds = [], {}, set(), 0.0
        self.room, self._context = None, None
        self.until = time.monotonic() + limits.total

    def close(self):
        if self._context is not None:
            self._context.__exit__(None, None, None)
        self.room = self._context = None

    def exercise(self):
        return _Calls(self)

    def ask(self, seconds, /, **request):
        """Ask the room; wait as long as so many seconds of computing may take, and no longer."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise CallFailed(
                Status.TOO_SLOW, f"the whole notebook has used up its {self.limits.total:g} s"
            )
        return self.room.ask(min(left, self.limits.wait(seconds)), **request)

    def ready(self):
        """Open a room in which the cells have run, if there is none."""
        while self.room is None:
            self._context = self.box.room()
            self.room = self._context.__enter__()
            whole = False
            try:
                whole = self._run_cells()
            finally:
                if not whole:
                    self.close()

    def _run_cells(self):
        for index, cell in enumerate(self.cells):
            if index in self.left_out:
                continue
            if self.seconds > self.limits.cells and cell.is_experiment:
                self._note(f"{cell.name} was left out: those before it took {self.seconds:.0f} s")
                continue
            if not self._run(index, cell):
                return False
        return True

    def _run(self, index, cell):
        begun = time.monotonic()
        try:
            answer = self.ask(
                self.limits.cell,
                op="cell",
                cell=cell.name,
                source=cell.source,
                seconds=self.limits.cell,
            )
        except sandbox.RoomEnded as error:
            self.left_out.add(index)
            self._say(cell, f"was left out: {error}", failed=True)
            self.seconds += time.monotonic() - begun
            return False
        passed, computed = time.monotonic() - begun, answer.get("seconds")
        # its own word counts where it can be true: seconds of computing are the same anywhere
        honest = type(computed) is float and 0 <= computed <= passed
        self.seconds += computed if honest else passed
        notes = answer.get("notes")
        for note in notes if isinstance(notes, list) else []:
            if isinstance(note, str):
                self._say(cell, note, failed=answer.get("failed") is True)
        return True

    def _say(self, cell, text, failed):
        text = " ".join(clean(text[:1000]).split())[:300]
        self._note(f"{cell.name}: {text}")
        for name in cell.defines if failed else ():
            self.failed[name] = text

    def _note(self, text):
        if text not in self.notes and len(self.notes) < MAX_NOTES:
            self.notes.append(text)


class _Calls:
    """The calls of one exercise, in a process of their own."""

    def __init__(self, attempt):
        self.attempt, self.begun = attempt, False

    def __enter__(self):
        return self.call

    def __exit__(self, *_):
        if self.begun:
            try:
                self.attempt.room.leave()
            except sandbox.RoomEnded as error:
                self._forget(error)

    def call(self, name, arguments, probe, timeout):
        request = {
            "op": "call",
            "name": name,
            "arguments": encode(arguments),
            "probe": probe,
            "timeout": timeout,
        }
        innocent = self.attempt.room is not None and not self.begun
        try:
            try:
                answer = self._ask(request)
            except sandbox.RoomEnded as error:
                # what ended may be what an earlier exercise left behind: once more, from new
                if error.slow or not innocent:
                    raise
                self._forget(error)
                self.attempt.close()
                answer = self._ask(request)
        except sandbox.RoomEnded as error:
            self._forget(error)
            status = Status.TOO_SLOW if error.slow else Status.RAISED
            raise CallFailed(status, f"`{name}` gave no value: {error}") from None
        return _reply(name, answer)

    def _ask(self, request):
        self.attempt.ready()
        if not self.begun:
            self.attempt.room.begin()
            self.begun = True
        return self.attempt.ask(request["timeout"], **request)

    def _forget(self, error):
        self.begun = False
        if not error.alive:
            self.attempt.close()


def _reply(name, answer):
    """Believe what the sandbox says to be a value, or a reason for none; nothing else."""
    try:
        if "failed" in answer:
            status, message = answer["failed"]
            raise CallFailed(status, clean(message)[:2000])
        return Reply(decode(answer["value"]), _arrays(decode(answer["after"])))
    except (ChannelError, KeyError, ValueError, TypeError) as error:
        raise CallFailed(
            Status.RAISED, f"`{name}` gave no value that can be read: {clean(str(error))[:200]}"
        ) from None


def _arrays(after):
    after = after if isinstance(after, dict) else {}
    return {name: value for name, value in after.items() if isinstance(value, np.ndarray)}
