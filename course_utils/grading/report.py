"""Write what a run found: grades.csv, grades.json, a page for each learner, a summary."""

import csv
import hashlib
import json
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import jinja2

from course_utils.grading import batch
from course_utils.grading.mark import unreadable
from course_utils.grading.names import clean

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
# how a formula begins for one spreadsheet or another
FORMULA = r"=+\-@\t\r＝＋－＠"


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
        own[_same(entry.submission.student), lesson].append(entry.submission)
        if entry.digest:
            same[entry.digest].append(entry.submission)
    for (_, lesson), group in own.items():
        paths = [one.path for one in group]
        for path in paths if len(paths) > 1 else []:
            found[path].append(
                f"{len(paths)} files of this student for {lesson or 'no lesson'}; "
                f"also {_others(paths, path)}"
            )
    for group in same.values():
        students = sorted({one.student for one in group})
        for one in group if len(students) > 1 else []:
            found[one.path].append(f"the same file as from {_others(students, one.student)}")
    return found


def _others(names, own):
    """List three of some different names but one; the time does not grow with their number."""
    shown = [name for name in names[:4] if name != own][:3]
    more = len(names) - 1 - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


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
        writer = csv.DictWriter(table, COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        document.write("[")
        for index, (entry, marks) in enumerate(results(entries, out, settings)):
            remark = "; ".join(said.get(entry.submission.path, []))
            for row in rows(entry, marks, remark):
                writer.writerow({name: _cell(value) for name, value in row.items()})
            page = page_name(entry.submission, marks["lesson"])
            wanted.add(page)
            html = pages.get_template("feedback.html").render(
                entry=entry.submission, marks=marks, total=total(marks)
            )
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


def total(marks):
    """Add up the points of one submission.

    Parameters
    ----------
    marks : dict

    Returns
    -------
    got, most : int

    Examples
    --------
    >>> total({"exercises": [{"points": 1, "max_points": 2}, {"points": 3, "max_points": 3}]})
    (4, 5)
    """
    exercises = marks["exercises"]
    return sum(one["points"] for one in exercises), sum(one["max_points"] for one in exercises)


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
        "remark": _one_line(remark),
        "file": entry.submission.path,
    }
    blank = {"exercise": "", "points": 0, "max_points": "", "public": "", "held_back": ""}
    nothing = {**blank, "status": "unreadable", "reason": _one_line(marks["problem"])}
    listed = [
        {
            "exercise": one["name"],
            "points": one["points"],
            "max_points": one["max_points"],
            "public": _share(one["public"]),
            "held_back": _share(one["held_back"]),
            "status": one["status"],
            "reason": _one_line(one["reason"]),
        }
        for one in marks["exercises"]
    ]
    return [{**common, **part} for part in listed or [nothing]]


def _share(count):
    passed, _, of = count
    return f"{passed} of {of}" if of else ""


def _one_line(text):
    return " ".join(text.split())


def _indented(text):
    # what a learner's code says must not look like a verdict of ours
    return "\n    ".join(text.splitlines())


def _cell(value):
    # a spreadsheet would run a text that begins like a formula; for some, ; begins a cell
    text = re.sub(rf";(?=\s*[{FORMULA}])", ";'", clean(str(value)))
    return f"'{text}" if re.match(rf"\s*[{FORMULA}]", text) else text


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
    got, most = total(marks)
    return {
        "student": entry.submission.student,
        "file": entry.submission.path,
        "sha256": entry.digest,
        "remark": remark,
        "feedback": page,
        "points": got,
        "max_points": most,
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
    'Ada_L_01_residual_block_5e0bce1d0e1eae83.html'
    """
    # paths are unique; 64 bits of digest cannot be met on purpose
    student = re.sub(r"[^A-Za-z0-9]+", "_", submission.student).strip("_")[:60] or "student"
    digest = hashlib.sha256(submission.path.encode("utf-8", "replace")).hexdigest()[:16]
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
    parts, wanted = [], _same(student)
    for entry, marks in results(entries, out, settings):
        if _same(entry.submission.student) != wanted:
            continue
        got, most = total(marks)
        parts.append(f"{entry.submission.path}: {got} of {most} points")
        parts += [f"  {_one_line(marks['problem'])}"] if marks["problem"] else []
        parts += [one["text"] for one in marks["exercises"] if one["text"]]
        parts += [f"note: {_indented(note)}" for note in marks["notes"]]
    return "\n".join(parts)


def _same(student):
    return unicodedata.normalize("NFC", student).casefold()


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
            text = "; ".join(_one_line(part) for part in said if part)
            self.problems.append((entry.submission.student, entry.submission.path, page, text))
        if marks["problem"]:
            return
        got, self.most[marks["lesson"]] = total(marks)
        self.points[marks["lesson"]][got] += 1
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
