"""Write a verdict for people: as text and as HTML."""

import html

from course_utils.judging.judge import Verdict
from course_utils.judging.protocol import Status

MARKS = {Status.CORRECT: "✔", Status.NOT_WRITTEN: "○", Status.NOT_DEFINED: "○"}


def text(verdict: Verdict, graded=False) -> str:
    """Write a verdict as plain text.

    Parameters
    ----------
    verdict : Verdict
    graded : bool
        For a mark; else for practice in the notebook.

    Returns
    -------
    str

    Examples
    --------
    >>> from course_utils.judging.exercise import choice
    >>> from course_utils.judging.judge import judge
    >>> from course_utils.judging.protocol import Reply
    >>> fields = {"points": 1, "required": False, "minutes": 3, "difficulty": 1}
    >>> exercise = choice("which", "a_lesson", right="c", wrong={"a": "too small"}, **fields)
    >>> print(text(judge(exercise, lambda *call: Reply("c", {}))))
    ✔ which: correct. 1 of 1 practice point
    """
    lines = [headline(verdict, graded)]
    for finding in _worth_telling(verdict):
        if finding.status not in MARKS:  # nothing was called: no case to name
            lines.append(f"  {finding.case}")
        lines += [f"    {line}" for line in finding.message.splitlines()]
    if _only_held_back(verdict):
        lines.append(f"  {_HELD_BACK}")
    if verdict.mistake:
        lines.append(f"  → {verdict.mistake}")
    if not graded and _next_step(verdict):
        lines.append(f"  {_next_step(verdict)}")
    return "\n".join(lines)


def as_html(verdict: Verdict, graded=False) -> str:
    """Write a verdict as HTML; everything a learner wrote is escaped.

    Parameters
    ----------
    verdict : Verdict
    graded : bool
        For a mark; else for practice in the notebook.

    Returns
    -------
    str
    """
    if verdict.correct:
        colour = "var(--jp-success-color1, #2e7d32)"
    elif verdict.status in MARKS:
        colour = "var(--jp-ui-font-color2, #616161)"
    else:
        colour = "var(--jp-error-color1, #c62828)"
    parts = [f"<b>{html.escape(headline(verdict, graded))}</b>"]
    for finding in _worth_telling(verdict):
        case = html.escape(finding.case)
        parts.append(
            f"<div style='margin-top:6px'>{'' if finding.status in MARKS else case}"
            "<pre style='margin:2px 0 0 12px;white-space:pre-wrap'>"
            f"{html.escape(finding.message)}</pre></div>"
        )
    if _only_held_back(verdict):
        parts.append(f"<div style='margin-top:6px'>{_HELD_BACK}</div>")
    if verdict.mistake:
        parts.append(f"<div style='margin-top:6px'>→ {html.escape(verdict.mistake)}</div>")
    if not graded and _next_step(verdict):
        parts.append(f"<div style='margin-top:6px'>{html.escape(_next_step(verdict))}</div>")
    return (
        f"<div role='status' style='border-left:4px solid {colour};padding:4px 12px'>"
        f"{''.join(parts)}</div>"
    )


def headline(verdict: Verdict, graded=False) -> str:
    """Write the first line of a verdict.

    Parameters
    ----------
    verdict : Verdict
    graded : bool
        For a mark; else for practice in the notebook.

    Returns
    -------
    str
    """
    total, unit = verdict.exercise.points, "point" if graded else "practice point"
    points = f"{verdict.points} of {total} {unit}{'s' if total != 1 else ''}"
    return f"{MARKS.get(verdict.status, '✘')} {verdict.exercise.name}: {verdict.status}. {points}"


def reason(verdict: Verdict) -> str:
    """Write in one line why an answer is not correct.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    str
        The known mistake, or else what came; "" for a correct answer.
    """
    if verdict.correct or verdict.mistake:
        return verdict.mistake
    if _only_held_back(verdict):
        return _HELD_BACK
    return "; ".join(line.strip() for line in _worth_telling(verdict)[0].message.splitlines())


def _worth_telling(verdict):
    # one failed case is enough to work on
    return [f for f in verdict.findings if f.status != Status.CORRECT and not f.held_back][:1]


_HELD_BACK = "It is right in the notebook's cases and fails in one that the notebook does not show."


def _only_held_back(verdict):
    return not verdict.correct and not _worth_telling(verdict)


def _next_step(verdict):
    if verdict.correct:
        return ""
    if verdict.status in (Status.NOT_WRITTEN, Status.NOT_DEFINED):
        return "Write your answer in the cell above, run it, then run this one."
    if verdict.exercise.hints:
        return f'Stuck? hint("{verdict.exercise.name}") opens one hint at a time.'
    return ""
