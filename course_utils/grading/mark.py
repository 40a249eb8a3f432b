"""Mark one submission: run its cells in a sandbox, judge here what its answers return.

`mark` is pure: bytes and settings in, plain data out. So it runs as well in another
process or on another machine, and the same input gives the same marks anywhere.
"""

import hashlib
import time
import traceback
from dataclasses import dataclass, field, replace

from course_utils.checks import EXERCISES, messages
from course_utils.checks.judge import Finding, Verdict, judge
from course_utils.checks.protocol import CallFailed, Reply, Status
from course_utils.grading import private, sandbox
from course_utils.grading.channel import ChannelError, decode, encode
from course_utils.grading.graft import code_cells, graft, lesson_of
from course_utils.grading.submissions import Unreadable, clean


@dataclass(frozen=True)
class Limits:
    """Say how long a submission may take.

    Attributes
    ----------
    cell : float
        Seconds of computing for one cell; an exercise tells its own for a call.
    patience : float
        How many times longer all of this may take by the clock, for a busy machine.
    total : float
        Seconds by the clock for one submission.
    """

    cell: float = 10
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
    private : dict of str to str
        File name → source of an instructor's own cases.
    version : str
        Changes when a check, the grader or a released notebook does.
    limits : Limits
    """

    released: dict
    seed: int
    sandbox: str = "bubblewrap"
    private: dict = field(default_factory=dict)
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
        lesson = lesson_of(submitted, settings.released) or lesson
        if lesson not in settings.released:
            raise Unreadable("it answers no exercise of this course")
    except Unreadable as error:
        return unreadable(str(error), lesson, settings)
    cells = graft(submitted, settings.released[lesson])
    attempt = _Attempt(sandbox.shared(settings.sandbox), cells, settings.limits)
    cases = private.cases(tuple(sorted(settings.private.items())))
    try:
        marked = [
            _mark_exercise(exercise, attempt, settings) for exercise in exercises_of(lesson, cases)
        ]
    finally:
        attempt.close()
    return {"lesson": lesson, "problem": "", "notes": attempt.notes, "exercises": marked}


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


def _mark_exercise(exercise, attempt, settings):
    error = ""
    try:
        with attempt.exercise() as call:
            verdict = judge(exercise, call, seed=settings.seed, held_back=True)
    except Exception:  # a fault of ours costs one mark, is kept, and is reported as such
        error = traceback.format_exc()
        finding = Finding("marking", Status.RAISED, "this answer could not be marked; ask")
        verdict = Verdict(exercise, (finding,))
    return {
        "name": exercise.name,
        "points": verdict.points,
        "max_points": exercise.points,
        "public": _count(exercise, verdict, held_back=False),
        "held_back": _count(exercise, verdict, held_back=True),
        "status": str(verdict.status),
        "reason": clean(messages.reason(verdict)),
        "mistake": verdict.mistake,
        "text": clean(messages.text(verdict, graded=True)),
        "html": clean(messages.as_html(verdict, graded=True)),
        "error": error,
    }


def _count(exercise, verdict, held_back):
    found = [f.status == Status.CORRECT for f in verdict.findings if f.held_back == held_back]
    return [sum(found), len(found), sum(case.held_back == held_back for case in exercise.cases)]


class _Attempt:
    """The cells of one submission, run again without the culprit when their process ends."""

    def __init__(self, box, cells, limits):
        self.box, self.cells, self.limits, self.notes = box, cells, limits, []
        self.left_out, self.room, self._context = set(), None, None
        self.until = time.monotonic() + limits.total

    def close(self):
        if self._context is not None:
            self._context.__exit__(None, None, None)
        self.room = self._context = None

    def exercise(self):
        return _Calls(self)

    def ready(self):
        """Open a room in which the cells have run, if there is none."""
        while self.room is None:
            self.check_time()
            self._context = self.box.room()
            room = self._context.__enter__()
            self.room = self._run_cells(room)
            if self.room is None:
                self.close()
        return self.room

    def _run_cells(self, room):
        for index, cell in enumerate(self.cells):
            if index in self.left_out:
                continue
            try:
                answer = room.ask(
                    self.limits.wait(self.limits.cell),
                    op="cell",
                    cell=cell.name,
                    source=cell.source,
                    seconds=self.limits.cell,
                )
            except sandbox.RoomEnded as error:
                self.left_out.add(index)
                self._note(f"{cell.name} was left out: {error}")
                return None
            notes = answer.get("notes")
            for note in notes if isinstance(notes, list) else []:
                self._note(f"{cell.name}: {note}")
        return room

    def _note(self, text):
        text = clean(str(text))[:300]
        if text not in self.notes and len(self.notes) < 50:
            self.notes.append(text)

    def check_time(self):
        if time.monotonic() > self.until:
            raise CallFailed(
                Status.TOO_SLOW, f"the whole notebook has used up its {self.limits.total} s"
            )


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
        self.attempt.check_time()
        room = self.attempt.ready()
        if not self.begun:
            room.begin()
            self.begun = True
        return room.ask(self.attempt.limits.wait(request["timeout"]), **request)

    def _forget(self, error):
        self.begun = False
        if not error.alive:
            self.attempt.close()


def _reply(name, answer):
    """Believe what the sandbox says to be a value, or a reason for none; nothing else."""
    try:
        if "failed" in answer:
            status, message = answer["failed"]
            raise CallFailed(status, clean(str(message))[:2000])
        return Reply(decode(answer["value"]), _arrays(decode(answer["after"])))
    except (ChannelError, KeyError, ValueError, TypeError) as error:
        raise CallFailed(
            Status.RAISED, f"`{name}` gave no value that can be read: {clean(str(error))[:200]}"
        ) from None


def _arrays(after):
    return after if isinstance(after, dict) else {}
