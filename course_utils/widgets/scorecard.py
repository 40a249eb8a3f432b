"""Show the score card; save it to a file and restore it in one click."""

import html
from base64 import b64encode

import ipywidgets as W
from IPython.display import display

from course_utils.checks import EXERCISES
from course_utils.environment import is_static
from course_utils.practice import progress
from course_utils.widgets.guard import guarded


def scorecard():
    """Show the practice points of every lesson, with save and restore."""
    records = {} if is_static() else progress.load()
    still = {"text/plain": text(records), "text/html": as_html(records)}
    if is_static():
        display(still, raw=True)
        return
    view = W.HTML(as_html(records) + _save_link(records))
    upload = W.FileUpload(accept=".json", description="Restore", tooltip="Restore from a file")
    message = W.HTML()

    def restore(_change):
        try:
            merged = progress.merge(progress.load(bytes(upload.value[0].content).decode()))
        except ValueError as error:
            message.value = f"<span role='alert'>Not restored: {html.escape(str(error))}</span>"
            return
        view.value = as_html(merged) + _save_link(merged)
        message.value = "<span role='status'>Restored: the better result of each counts.</span>"

    upload.observe(restore, "value")
    display(guarded(W.VBox([view, W.HBox([upload, message])])))


def rows(records) -> list:
    """Add up the points by lesson.

    Parameters
    ----------
    records : dict of str to Record

    Returns
    -------
    list of tuple
        Lesson, points, points there are, required exercises solved, required ones there are.

    Examples
    --------
    >>> rows({"what_f_learns": progress.Record(points=1)})[1][:2]
    ('01_residual_block', 1)
    """
    table = []
    for lesson in sorted({exercise.lesson for exercise in EXERCISES.values()}):
        mine = [exercise for exercise in EXERCISES.values() if exercise.lesson == lesson]
        points = {e.name: min(e.points, _points(records, e.name)) for e in mine}
        required = [e for e in mine if e.required]
        solved = sum(points[e.name] == e.points for e in required)
        total = sum(e.points for e in mine)
        table.append((lesson, sum(points.values()), total, solved, len(required)))
    return table


def _points(records, name):
    return records[name].points if name in records else 0


def text(records) -> str:
    """Write the score card as plain text.

    Parameters
    ----------
    records : dict of str to Record

    Returns
    -------
    str
    """
    return "\n".join(
        f"{lesson}: {points} of {total} practice points, {solved} of {required} required exercises"
        for lesson, points, total, solved, required in rows(records)
    )


def as_html(records) -> str:
    """Write the score card as an HTML table with one bar per lesson.

    Parameters
    ----------
    records : dict of str to Record

    Returns
    -------
    str
    """
    body = "".join(
        f"<tr><th scope='row' style='text-align:left'>{lesson}</th>"
        f"<td><progress max='{total}' value='{points}' aria-label='points of {lesson}'></progress>"
        f"</td><td>{points} of {total}</td><td>{solved} of {required}</td></tr>"
        for lesson, points, total, solved, required in rows(records)
    )
    return (
        "<table><thead><tr><th scope='col'>lesson</th><th scope='col'>so far</th>"
        "<th scope='col'>practice points</th><th scope='col'>required exercises</th></tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _save_link(records):
    data = b64encode(progress.dump(records).encode()).decode()
    return (
        '<a style="text-decoration:underline" download="progress.json" '
        f'href="data:application/json;base64,{data}">Save to a file</a>'
    )
