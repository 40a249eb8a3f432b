"""Find submissions in what an instructor has: a folder, a zip, or an nbgrader tree.

Names and contents come from people one does not trust: what cannot be read becomes a
`Submission` with a fault.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from course_utils.grading.files import listed
from course_utils.grading.names import (
    COPY_OF,
    MAX_PATH,
    ends_with,
    in_one_line,
    of_a_platform,
    of_folder,
    of_name,
    unique,
)

SUBMITTED = re.compile(r"^(submitted|submissions?)\b", re.I)
# folders that an instructor or a platform makes
COLLECTION = re.compile(
    r"^(?:(?:submitted|submissions?|exports?|downloads?|all|class|section|inbox|bulk)\b"
    r"|(?:week|woche|lesson|assignment|home ?work|hw|unit|day|sheet|ps|problem ?set)[-_ .]*\d+$)",
    re.I,
)
# folders that a student makes, and that no student is called
WORK = re.compile(
    r"(?:week|woche|lesson|exercises?|assignments?|home ?work|hw|tasks?|part|attempt|try|version"
    r"|unit|day|sheet|ps|problem ?sets?|work|code|src|notebooks?|solutions?|old|new|final|draft"
    r"|backup|copy|v)?[-_ .]*\d{0,2}",
    re.I,
)


@dataclass(frozen=True)
class Submission:
    """Name one file that was handed in.

    Attributes
    ----------
    path : str
        Where it lies in the folder or zip, with ``/`` between its parts; in one line, and
        no two of a run alike.
    student : str
    lesson : str
        The stem that its name tells, or "".
    read : callable
        Returns its bytes; raises `Unreadable`.
    """

    path: str
    student: str
    lesson: str
    read: Callable


def find(source, lessons, skip=None):
    """List the submissions in a folder or zip.

    Parameters
    ----------
    source : Path
        Flat files ``<student>_<lesson>.ipynb``, a folder per student, a zip of either,
        or an nbgrader ``submitted/`` tree.
    lessons : sequence of str
        The stems that are marked.
    skip : Path, optional
        A folder in `source` that holds no submissions.

    Returns
    -------
    list of Submission
        Sorted by path. A student without any notebook is listed with the other files or
        with an empty folder; folders and zips that cannot be read are always listed.

    Raises
    ------
    Unreadable
        If `source` is neither a folder nor a zip file, or is a folder that cannot be read.

    Notes
    -----
    What is assumed of names:

    - A file belongs to the student of its first folder or zip. The student in its own name
      counts where it lies in neither, where the files of its folder (not zip) name several
      students and the folder none of these, or where the folder is called as an instructor
      would call it (``section A``, ``week 1``).
    - One folder around everything is no student's if it is called so, or as the zip, and
      students can be told below it; or if its files name several students; or if two of
      its folders hold a file of one name. ``week 1`` or ``attempt 2`` is never a student.
    - Canvas writes two numbers of three digits or more, or LATE before them.
    - Beside an ``exercises/`` with notebooks, ``solutions/`` and ``notebooks/`` are the
      course's own and are not listed.
    - A student's zip, which is one inside `source`, lists at most 50 notebooks.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "ada_01_residual_block.ipynb").write_text("{}")
    >>> [s] = find(folder, ["01_residual_block"])
    >>> s.student, s.lesson, s.read()
    ('ada', '01_residual_block', b'{}')
    """
    source = Path(source)
    items = listed(source, skip)
    outer = source.name if source.is_dir() else source.stem
    while _is_wrapped(items, lessons, outer):
        items = [replace(item, parts=item.parts[1:]) for item in items]
    sections = _sections(items, lessons)
    named = [(item, *_named(item.parts, lessons, sections)) for item in items]
    kept = sorted(_worth_listing(named), key=lambda one: in_one_line(one[0].path[:MAX_PATH]))
    paths = unique(item.path for item, _, _ in kept)
    return [
        Submission(path, (student or "unknown")[:200].strip(), lesson, item.read)
        for path, (item, student, lesson) in zip(paths, kept, strict=True)
    ]


def _worth_listing(named):
    """Keep notebooks and faults; of a student without a notebook, all there is."""
    authors = {student for item, student, _ in named if item.is_notebook}
    handed_in = authors | {student for item, student, _ in named if item.kind != "folder"}
    filled = {
        item.parts[:depth]
        for item, _, _ in named
        if item.kind != "folder"
        for depth in range(len(item.parts))
    }
    for item, student, lesson in named:
        if item.kind == "folder":
            if student not in handed_in and item.parts[:-1] not in filled:
                handed_in.add(student)  # one row is enough
                yield item, student, lesson
        elif item.kind == "fault" or item.is_notebook or student not in authors:
            yield item, student, lesson


def _is_wrapped(items, lessons, outer):
    """Whether all lies in one folder that is no student's; `find` says what is assumed."""
    tops = {item.parts[0] for item in items}
    if len(tops) != 1 or any(len(item.parts) < 2 for item in items):
        return False
    (top,) = tops
    if SUBMITTED.match(top):
        return True
    if of_a_platform(top) or top.casefold() in lessons:
        return False
    told, folders = _below(items, lessons)
    told = set() if of_folder(top, lessons).casefold() in told else told
    if COLLECTION.match(top) or WORK.fullmatch(top) or top.casefold() == outer.casefold():
        return bool(told or folders)
    held = [lesson for inner in folders.values() for lesson in inner]
    zips = [name for name in folders if ends_with(name, ".zip")]
    return len(told) > 1 or len(held) > len(set(held)) or len(zips) > 1


def _below(items, lessons):
    """Tell the students in the names of files in a folder, and what its folders hold."""
    told, folders = set(), defaultdict(set)
    for _, name, *deeper in (item.parts for item in items if item.is_notebook):
        if deeper:
            if name.casefold() not in lessons and not WORK.fullmatch(name):
                folders[name].add(of_name(deeper[-1], lessons)[1] or deeper[-1].casefold())
        else:
            student, lesson = of_name(name, lessons)
            told |= {student.casefold()} if lesson and student else set()
    return told, folders


def _sections(items, lessons):
    """List the folders whose files name several students, but not the folder's own."""
    told = defaultdict(set)
    for parts in (item.parts for item in items if item.is_notebook and len(item.parts) > 1):
        student, lesson = of_name(parts[-1], lessons)
        # a zip is one student's: nobody hands in for others by the names in theirs
        if student and lesson and not of_a_platform(parts[0]) and not ends_with(parts[0], ".zip"):
            told[parts[:-1]].add(student.casefold())
    return {
        folder
        for folder, students in told.items()
        if len(students) > 1 and of_folder(folder[0], lessons).casefold() not in students
    }


def _named(parts, lessons, sections):
    """Tell the student and the lesson of a file by where it lies and how it is called."""
    student, lesson = of_name(parts[-1], lessons)
    if len(parts) == 1 and lesson and not student:  # v3_00_start_here: nothing else names them
        name = COPY_OF.sub("", parts[0])
        student = name.partition(lesson)[0].strip("-_ .") if lesson in name else ""
    if len(parts) == 1 or (student and parts[:-1] in sections):
        return student, lesson
    top = parts[0]
    if top.casefold() in lessons:
        return _named(parts[1:], lessons, sections)[0], top.casefold()
    own = student and lesson if len(parts) == 2 else not WORK.fullmatch(parts[1])
    if own and COLLECTION.match(top):
        return _named(parts[1:], lessons, sections)
    return of_folder(top, lessons), lesson
