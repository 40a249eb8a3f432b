"""Find submissions in what an instructor has: a folder, a zip, or an nbgrader tree.

Names and contents come from people one does not trust: nothing is unpacked, no link is
followed, and what cannot be read becomes a `Submission` with a fault.
"""

import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

MAX_BYTES = 20 * 2**20  # of one notebook
MAX_ENTRIES = 100_000
# what a damaged, locked or exotic zip file sets off
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError)
# what systems and tools leave beside submissions
NOISE = re.compile(
    r"(^|/)(\.(ipynb_checkpoints|git|venv|cache)/|__MACOSX/|__pycache__/|\._"
    r"|\.(?!ipynb$)\w+$|Thumbs\.db$|desktop\.ini$|timestamp\.txt$)"
)
COPY = r"(?:[-_ ]*(?:\(\d+\)|Copy\d*|copy|final|v\d+|-\d+))*"
MOODLE = re.compile(r"^(?P<student>.+)_assignsubmission_\w+$")
CANVAS = re.compile(r"^(?P<student>[^_]+?)(?:_LATE)?_(?P<number>\d+)_\d+_(?P<rest>.*)$")


class Unreadable(Exception):
    """Say why a submission cannot be read."""


@dataclass(frozen=True)
class Submission:
    """Name one file that was handed in.

    Attributes
    ----------
    path : str
        Where it lies in the folder or zip, with ``/`` between its parts.
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


def find(source, lessons):
    """List the submissions in a folder or zip.

    Parameters
    ----------
    source : Path
        Flat files ``<student>_<lesson>.ipynb``, a folder per student, a zip of either,
        or an nbgrader ``submitted/`` tree.
    lessons : sequence of str
        The stems that are marked.

    Returns
    -------
    list of Submission
        Sorted by path. A student without any notebook is listed with the other files.

    Raises
    ------
    Unreadable
        If `source` is neither a folder nor a zip file.

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
    if source.is_dir():
        files = list(_in_folder(source))
    elif source.is_file() and zipfile.is_zipfile(source):
        files = list(_in_zip(source, ""))
    else:
        raise Unreadable(f"expected a folder or a zip file of submissions, got {source}")
    files = [(path, _parts(path), read) for path, read in files]
    files = [file for file in files if not NOISE.search("/".join(file[1]))]
    while _is_wrapped([parts for _, parts, _ in files], lessons):
        files = [(path, parts[1:], read) for path, parts, read in files]
    found = [_named(path, parts, read, lessons) for path, parts, read in files]
    authors = {s.student for s in found if _is_notebook(s.path)}
    kept = [s for s in found if _is_notebook(s.path) or s.student not in authors]
    return sorted(kept, key=lambda s: s.path)


def _is_notebook(path):
    return path.lower().endswith(".ipynb")


def _in_folder(root):
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*names, *links]:
            path = Path(folder, name)
            inner = path.relative_to(root).as_posix()
            if path.suffix.lower() == ".zip" and path.is_file() and not path.is_symlink():
                yield from _in_zip(path, f"{inner}/")
            else:
                yield inner, partial(_read_file, path)


def _read_file(path):
    """Read a plain file; not a link, a pipe or a device."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("it is not a file, but a folder, a pipe or a device")
            return _capped(file)
    except OSError as error:
        why = "it is a link" if os.path.islink(path) else error.strerror
        raise Unreadable(f"the file cannot be read: {why}") from None


def _in_zip(file, prefix, nested=False):
    """List a zip without unpacking it; a zip in it is opened too, but no further."""
    try:
        archive = zipfile.ZipFile(file)
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (*ZIP_ERRORS, OSError) as error:
        yield prefix.rstrip("/"), partial(_fail, f"the zip file is damaged: {error}")
        return
    for entry in entries[:MAX_ENTRIES]:
        read = partial(_read_entry, archive, entry)
        if entry.filename.lower().endswith(".zip") and not nested:
            try:
                inner = BytesIO(read())
            except Unreadable as error:
                yield prefix + entry.filename, partial(_fail, str(error))
            else:
                yield from _in_zip(inner, f"{prefix}{entry.filename}/", nested=True)
        else:
            yield prefix + entry.filename, read
    if len(entries) > MAX_ENTRIES:
        yield f"{prefix}…", partial(_fail, f"the zip file has more than {MAX_ENTRIES} entries")


def _read_entry(archive, entry):
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Unreadable("it is a link in a zip file")
    try:
        with archive.open(entry) as file:
            return _capped(file)
    except (*ZIP_ERRORS, OSError) as error:
        raise Unreadable(f"it cannot be read from the zip file: {error}") from None


def _fail(reason):
    raise Unreadable(reason)


def _capped(file):
    data = file.read(MAX_BYTES + 1)  # of a bomb, no more than this is unpacked
    if len(data) > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES // 2**20} MB")
    return data


def _parts(path):
    """Keep the parts of a name that name something, whatever tricks it holds."""
    parts = [clean(part).strip() for part in re.split(r"[/\\]", path)]
    return [part for part in parts if part not in ("", ".", "..") and part[1:] != ":"]


def clean(text):
    r"""Replace what cannot be written or would not be seen.

    Parameters
    ----------
    text : str
        From a stranger.

    Returns
    -------
    str

    Examples
    --------
    >>> clean("a\x00b") == "a\ufffdb"
    True
    """
    return "".join(
        char if char in "\n\t" or unicodedata.category(char)[0] != "C" else "\ufffd"
        for char in text
    )


def _is_wrapped(every, lessons):
    """Whether all lies in one folder that is no student's."""
    tops = {parts[0] for parts in every if len(parts) > 1}
    if len(tops) != 1 or not all(len(parts) > 1 for parts in every):
        return False
    (top,) = tops
    if top.lower() in ("submitted", "submissions"):
        return True
    flat = [_lesson_of(parts[1], lessons) for parts in every if len(parts) == 2]
    folders = {parts[1] for parts in every if len(parts) > 2}
    own = {student for student, lesson in flat if lesson and student} - {top}
    return bool(own) or (len(folders) > 1 and not folders & set(lessons))


def _named(path, parts, read, lessons):
    parts = parts or ["unknown"]
    student, lesson = _lesson_of(parts[-1], lessons)
    if len(parts) == 1 and (canvas := CANVAS.match(parts[0])):
        _, lesson = _lesson_of(canvas["rest"], lessons)
        student = f"{canvas['student']}_{canvas['number']}"
    elif len(parts) > 1 and parts[0] in lessons:
        lesson = parts[0]
    elif len(parts) > 1:
        moodle = MOODLE.match(parts[0])
        student = moodle["student"] if moodle else parts[0]
    return Submission(clean(path), (student or "unknown")[:200], lesson, read)


def _lesson_of(name, lessons):
    """Split a file's name into its student and the stem of its lesson."""
    stem = name.rpartition(".")[0] or name
    for lesson in lessons:
        for form in (lesson, lesson[:2]):
            if match := re.match(rf"^(?:(.*)[-_ ])?{re.escape(form)}{COPY}$", stem):
                return match[1] or "", lesson
    return stem, ""
