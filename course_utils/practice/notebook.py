"""What a learner calls: `check` and `hint`."""

import difflib
import html

from IPython import get_ipython
from IPython.display import display

from course_utils.checks import EXERCISES
from course_utils.judging import messages
from course_utils.judging.call import local_call
from course_utils.judging.judge import judge
from course_utils.practice import progress


def check(answer):
    """Check an answer, say what is wrong with it, and record the practice points.

    Parameters
    ----------
    answer : function, class or str
        The learner's own object, or its name in the notebook.

    Raises
    ------
    ValueError
        If no exercise has that name.
    """
    if isinstance(answer, str):
        name, namespace = answer, _notebook_names()
    else:
        name = str(getattr(answer, "__name__", type(answer).__name__))
        namespace = {name: answer}
    exercise = _find(name)
    verdict = judge(exercise, local_call(namespace))
    if verdict.correct:
        progress.add_points(name, verdict.points)
    _display(messages.text(verdict), messages.as_html(verdict))


def hint(name):
    """Open the next hint of an exercise; those before it stay open.

    Parameters
    ----------
    name : str

    Raises
    ------
    ValueError
        If no exercise has that name.
    """
    exercise = _find(name if isinstance(name, str) else str(getattr(name, "__name__", "this")))
    total = len(exercise.hints)
    opened = progress.add_hint(exercise.name, total)
    lines = [f"hint {i + 1} of {total}: {exercise.hints[i]}" for i in range(opened)]
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    _display("\n".join(lines), f"<ul role='status' style='list-style:none'>{listed}</ul>")


def _find(name):
    if name in EXERCISES:
        return EXERCISES[name]
    close = difflib.get_close_matches(name, EXERCISES, n=1)
    meant = f' Did you mean "{close[0]}"?' if close else ""
    raise ValueError(
        f'no exercise is called "{name}".{meant} Give the name of what you wrote, in quotes: '
        f'check("{close[0] if close else next(iter(EXERCISES))}")'
    )


def _notebook_names():
    shell = get_ipython()
    return shell.user_ns if shell is not None else vars(__import__("__main__"))


def _display(plain_text, rich):
    display({"text/plain": plain_text, "text/html": rich}, raw=True)
