"""Write what a run found: grades.csv, grades.json, a page for each learner, a summary."""

import csv
import hashlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import jinja2

from course_utils.grading import batch
from course_utils.grading.mark import unreadable
from course_utils.grading.submissions import clean

COLUMNS = (
    "student",
    "lesson",
    "exercise",
    "points",
    "max_points",
    "public",
    "held_back",
    "status",
    "reason",
    "remark",
    "file",
)


def results(entries, out, settings):
    """Join each submission with its stored marks, one at a time.

    Parameters
    ----------
    entries : list of Entry
    out : Path
    settings : Settings

    Yields
    ------
    entry : Entry
    marks : dict
        As `mark` returns it.
    """
    store = Path(out) / "marks"
    for entry in entries:
        lesson = entry.submission.lesson
        marks = None if entry.problem else batch.load(store, entry.key, whole=False)
        reason = entry.problem or "it was not marked, run again: its result is missing"
        yield entry, marks or unreadable(reason, lesson, settings)


def remarks(entries, lessons) -> dict:
    """Find students with two files for one lesson, and students with the same file.

    Parameters
    ----------
    entries : list of Entry
    lessons : list of str
        That each entry answers, in the same order.

    Returns
    -------
    dict of str to list of str
        Path → what has to be said of it.
    """
    found, own, same = defaultdict(list), defaultdict(list), defaultdict(list)
    for entry, lesson in zip(entries, lessons, strict=True):
        own[entry.submission.student.casefold(), lesson].append(entry.submission)
        if entry.digest:
            same[entry.digest].append(entry.submission)
    for (_, lesson), group in own.items():
        for one in group if len(group) > 1 else []:
            others = [other.path for other in group if other is not one]
            found[one.path].append(
                f"{len(group)} files of this student for {lesson or 'no lesson'}; "
                f"also {_listed(others)}"
            )
    for group in same.values():
        for one in group:
            others = sorted({other.student for other in group} - {one.student})
            if others:
                found[one.path].append(f"the same file as from {_listed(others)}")
    return found


def _listed(names):
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def write(entries, out, settings) -> dict:
    """Write every report of a run.

    Parameters
    ----------
    entries : list of Entry
    out : Path
    settings : Settings

    Returns
    -------
    dict
        Counts: submissions, problems, remarks, errors.
    """
    out = Path(out)
    lessons = [marks["lesson"] for _, marks in results(entries, out, settings)]
    said = remarks(entries, lessons)
    pages = _pages()
    feedback = out / "feedback"
    feedback.mkdir(exist_ok=True)
    summary, wanted = Summary(), set()
    with (
        (out / "grades.csv").open("w", newline="", encoding="utf-8") as table,
        (out / "grades.json").open("w", encoding="utf-8") as document,
    ):
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        document.write("[")
        for index, (entry, marks) in enumerate(results(entries, out, settings)):
            remark = "; ".join(said.get(entry.submission.path, []))
            for row in rows(entry, marks, remark):
                writer.writerow({name: _cell(value) for name, value in row.items()})
            page = page_name(entry.submission, marks["lesson"])
            wanted.add(page)
            html = pages.get_template("feedback.html").render(entry=entry.submission, marks=marks)
            (feedback / page).write_text(html, encoding="utf-8")
            document.write(",\n" if index else "\n")
            json.dump(record(entry, marks, remark, page), document)
            summary.add(entry, marks, remark, page)
        document.write("\n]\n")
    for old in feedback.glob("*.html"):  # of submissions that are no longer there
        if old.name not in wanted:
            old.unlink()
    html = pages.get_template("summary.html").render(summary=summary)
    (out / "summary.html").write_text(html, encoding="utf-8")
    return summary.counts()


def rows(entry, marks, remark):
    """Make the rows of grades.csv for one submission.

    Parameters
    ----------
    entry : Entry
    marks : dict
    remark : str

    Returns
    -------
    list of dict
        One for each exercise; one in all where the lesson is not known.
    """
    common = {
        "student": entry.submission.student,
        "lesson": marks["lesson"],
        "remark": remark,
        "file": entry.submission.path,
    }
    blank = {"exercise": "", "points": 0, "max_points": "", "public": "", "held_back": ""}
    nothing = {**blank, "status": "unreadable", "reason": marks["problem"]}
    listed = [
        {
            "exercise": one["name"],
            "points": one["points"],
            "max_points": one["max_points"],
            "public": _share(one["public"]),
            "held_back": _share(one["held_back"]),
            "status": one["status"],
            "reason": one["reason"],
        }
        for one in marks["exercises"]
    ]
    return [{**common, **part} for part in listed or [nothing]]


def _share(count):
    passed, _, of = count
    return f"{passed} of {of}" if of else ""


def _cell(value):
    # a spreadsheet would run a text that begins like a formula
    text = clean(str(value))
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def record(entry, marks, remark, page) -> dict:
    """Make the entry of grades.json for one submission; for instructors alone.

    Parameters
    ----------
    entry : Entry
    marks : dict
    remark, page : str

    Returns
    -------
    dict
    """
    return {
        "student": entry.submission.student,
        "file": entry.submission.path,
        "sha256": entry.digest,
        "remark": remark,
        "feedback": page,
        "points": sum(one["points"] for one in marks["exercises"]),
        "max_points": sum(one["max_points"] for one in marks["exercises"]),
        **marks,
        "exercises": [
            {name: value for name, value in one.items() if name != "html"}
            for one in marks["exercises"]
        ],
    }


def page_name(submission, lesson) -> str:
    """Name the feedback page: readable, safe on every file system, and no two alike.

    Parameters
    ----------
    submission : Submission
    lesson : str

    Returns
    -------
    str

    Examples
    --------
    >>> from course_utils.grading.submissions import Submission
    >>> page_name(Submission("a/../b.ipynb", "Ada L.", "", None), "01_residual_block")
    'Ada_L_01_residual_block_5e0bce1d.html'
    """
    student = re.sub(r"[^A-Za-z0-9]+", "_", submission.student).strip("_")[:60] or "student"
    digest = hashlib.sha256(submission.path.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{student}_{lesson or 'unknown'}_{digest}.html"


def explain(entries, out, settings, student) -> str:
    """Write one learner's results as they see them.

    Parameters
    ----------
    entries : list of Entry
    out : Path
    settings : Settings
    student : str

    Returns
    -------
    str
        "" where nobody has that name.
    """
    parts = []
    for entry, marks in results(entries, out, settings):
        if entry.submission.student.casefold() != student.casefold():
            continue
        got = sum(one["points"] for one in marks["exercises"])
        most = sum(one["max_points"] for one in marks["exercises"])
        parts.append(f"{entry.submission.path}: {got} of {most} points")
        parts += [f"  {marks['problem']}"] if marks["problem"] else []
        parts += [one["text"] for one in marks["exercises"] if one["text"]]
        parts += [f"note: {note}" for note in marks["notes"]]
    return "\n".join(parts)


class Summary:
    """Count over all submissions; nothing is kept of a single one but its problems."""

    def __init__(self):
        self.submissions = 0
        self.points = defaultdict(Counter)  # lesson → points → how many
        self.most = {}
        self.status = defaultdict(Counter)  # (lesson, exercise) → status → how many
        self.mistakes = Counter()
        self.problems = []
        self.errors = 0

    def add(self, entry, marks, remark, page):
        """Count one submission.

        Parameters
        ----------
        entry : Entry
        marks : dict
        remark, page : str
        """
        self.submissions += 1
        faults = [one["error"] for one in marks["exercises"] if one["error"]]
        self.errors += bool(marks.get("error") or faults)
        said = [marks["problem"], remark, "an error of the grader" if faults else ""]
        if any(said):
            text = "; ".join(part for part in said if part)
            self.problems.append((entry.submission.student, entry.submission.path, page, text))
        if marks["problem"]:
            return
        self.points[marks["lesson"]][sum(one["points"] for one in marks["exercises"])] += 1
        self.most[marks["lesson"]] = sum(one["max_points"] for one in marks["exercises"])
        for one in marks["exercises"]:
            self.status[marks["lesson"], one["name"]][one["status"]] += 1
            if one["mistake"]:
                self.mistakes[one["name"], one["mistake"]] += 1

    def counts(self) -> dict:
        """Count submissions, those with a problem or remark, and errors of the grader."""
        return {
            "submissions": self.submissions,
            "problems": len(self.problems),
            "errors": self.errors,
        }


def _pages():
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
