"""Find submissions in what an instructor has: a folder, a zip, or an nbgrader tree.

Names and contents come from people one does not trust: nothing is unpacked, no link is
followed, and what cannot be read becomes a `Submission` with a fault.
"""

import contextlib
import hashlib
import os
import re
import stat
import threading
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path

MAX_BYTES = 20 * 2**20  # of one notebook
MAX_ENTRIES = 100_000
MAX_UPLOAD = 50  # notebooks, or zips, in one student's zip
MAX_PARTS, MAX_NAME, MAX_PATH = 50, 255, 300  # longer ones are shortened in their middle
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # only these unpack no more than asked
# what systems and tools leave beside submissions
NOISE = re.compile(
    r"(^|/)(\.(ipynb_checkpoints|git|venv|cache)/|__MACOSX/|__pycache__/|\._"
    r"|\.(?!ipynb$)\w+$|Thumbs\.db$|desktop\.ini$|timestamp\.txt$)"
)
# what people and browsers add to a name
ADDED = (
    r"(?:\(\d*\)|\(copy\)|copy\d*|kopie\d*|copie|copia|kopia|final|v\d+|-\d+"
    r"|solutions?|solved|submission|draft|done)"
)
DECORATION = re.compile(rf"(?:[-_ .]*{ADDED})*[-_ .]*", re.I)
DECORATED = re.compile(rf"(?:[-_ .]+{ADDED})+[-_ .]*$", re.I)
COPY_OF = re.compile(r"^(?:(?:copy of|kopie von|copie de|copia de|cópia de)\s+)+", re.I)
MOODLE = "_assignsubmission_"
# a year and a running number are no Canvas numbers: those have three digits or more
CANVAS = re.compile(
    r"^(?P<student>[^_]+)_(?:LATE_(?P<late>\d+)_\d+|(?P<number>\d{3,})_\d{3,})_(?P<rest>.*)$"
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


class Unreadable(Exception):
    """Say why a submission cannot be read."""


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
    if source.is_dir():
        items = _in_folder(source)
    elif _is_zip(source):
        items = _in_zip(_Shelf(), (source,), "")
    else:
        raise Unreadable(f"expected a folder or a zip file of submissions, got {source}")
    items = _without_repository(_without_noise(items))
    outer = source.name if source.is_dir() else source.stem
    while _is_wrapped(items, lessons, outer):
        items = [replace(item, parts=item.parts[1:]) for item in items]
    sections = _sections(items, lessons)
    named = [(item, *_named(item.parts, lessons, sections)) for item in items]
    kept = sorted(_worth_listing(named), key=lambda one: _in_one_line(one[0].path[:MAX_PATH]))
    paths = _unique(item.path for item, _, _ in kept)
    return [
        Submission(path, (student or "unknown")[:200].strip(), lesson, item.read)
        for path, (item, student, lesson) in zip(paths, kept, strict=True)
    ]


# what there is


@dataclass(frozen=True)
class _Item:
    """A file, a folder that may turn out to be empty, or a fault."""

    path: str
    read: Callable
    kind: str = "file"
    parts: tuple = ()

    @property
    def is_notebook(self):
        return self.kind == "file" and self.path.strip().lower().endswith(".ipynb")


def _item(path, read, kind="file"):
    parts = _parts(path)
    if path.endswith("/"):  # a file without a name stands for what is not in it
        parts = (*parts, "")
    return _Item(path, read, kind, parts or ("unknown",))


def _fault(path, reason):
    return _item(path, partial(_fail, reason), "fault")


def _folder(path):
    return _item(path, partial(_fail, "the folder is empty"), "folder")


def _fail(reason):
    raise Unreadable(reason)


def _in_folder(root):
    shelf, todo = _Shelf(), [root]
    while todo:  # not os.walk: before Python 3.12 a deep folder ends its recursion
        folder = todo.pop()
        inner = "" if folder == root else f"{folder.relative_to(root).as_posix()}/"
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                raise Unreadable(f"{root} cannot be read: {error.strerror}") from None
            yield _fault(inner, f"the folder cannot be read: {error.strerror}")
            continue
        if not entries and inner:
            yield _folder(inner)
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                todo.append(path)
            elif _ends(entry.name, ".zip") and entry.is_file(follow_symlinks=False):
                name = inner + entry.name
                yield from _upload(_in_zip(shelf, (path,), f"{name}/", upload=True), name)
            else:
                yield _item(inner + entry.name, partial(_read_file, path))


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


def _capped(file):
    data = file.read(MAX_BYTES + 1)  # of a bomb, no more than this is unpacked
    _check_size(len(data))
    return data


def _check_size(size):
    if size > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES // 2**20} MB")


def _ends(name, ending):
    return name.lower().endswith(ending)


# zips


class _Shelf:
    """Keep one zip open, and one zip in it: reading in order opens each of them once."""

    def __init__(self):
        self._lock = threading.RLock()  # joblib reads from several threads
        self._held = {}  # how deep → where, archive

    def names(self, place):
        with self._lock, _explained("the zip file is damaged"):
            return [entry.filename for entry in self._archive(place).infolist()]

    def read(self, place, index, name):
        with self._lock, _explained("it cannot be read from the zip file"):
            archive = self._archive(place)
            entry = archive.infolist()[index]  # by number: two may have one name
            if entry.filename != name:
                raise Unreadable("the zip file has changed since it was listed")
            _check_entry(entry)
            with archive.open(entry) as file:
                return _capped(file)

    def _archive(self, place):
        """Open the zip at (path,), or the one that is entry `number` of it at (path, number)."""
        where, archive = self._held.get(len(place), (None, None))
        if where == place:
            return archive
        if archive is not None:
            del self._held[len(place)]
            archive.close()
        archive = zipfile.ZipFile(place[0] if len(place) == 1 else self._inner(place))
        self._held[len(place)] = place, archive
        return archive

    def _inner(self, place):
        *outer, index = place
        name = self._archive(tuple(outer)).infolist()[index].filename
        return BytesIO(self.read(tuple(outer), index, name))


@contextlib.contextmanager
def _explained(what):
    """Turn whatever damage sets off into a reason."""
    try:
        yield
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror or error}") from None
    except Exception as error:  # zipfile and what it calls raise nearly anything
        raise Unreadable(f"{what}: {str(error)[:200] or type(error).__name__}") from None


def _check_entry(entry):
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Unreadable("it is a link in a zip file")
    if entry.flag_bits & 1:
        raise Unreadable("it is locked with a password in the zip file")
    if entry.compress_type not in METHODS:
        names = zipfile.compressor_names
        method = names.get(entry.compress_type, f"method {entry.compress_type}")
        raise Unreadable(f"it is packed with {method} in the zip file, expected deflate")
    _check_size(entry.file_size)


def _is_zip(source):
    try:
        return source.is_file() and zipfile.is_zipfile(source)
    except Exception:  # a damaged end of the file is no reason to stop
        return False


def _in_zip(shelf, place, prefix, upload=False):
    """List a zip without unpacking it; a zip in it is opened too, but no further."""
    try:
        names = shelf.names(place)
    except Unreadable as error:
        yield _fault(prefix.rstrip("/") or place[0].name, str(error))
        return
    opened = 0
    for index, name in enumerate(names[:MAX_ENTRIES]):
        path = prefix + (name or "no name")
        if name.endswith("/"):
            yield _folder(path)
        elif _ends(name, ".zip") and len(place) == 1:
            opened += 1
            if not upload:
                inner = _in_zip(shelf, (*place, index), f"{path}/", upload=True)
                yield from _upload(inner, path)
            elif opened <= MAX_UPLOAD:
                yield from _in_zip(shelf, (*place, index), f"{path}/", upload=True)
        else:
            yield _item(path, partial(shelf.read, place, index, name))
    if len(names) > MAX_ENTRIES:
        yield _fault(f"{prefix}…", _too_many("entries", len(names), MAX_ENTRIES))
    if upload and opened > MAX_UPLOAD:
        yield _fault(f"{prefix}…", _too_many("zip files", opened, MAX_UPLOAD))


def _upload(items, path):
    """Keep of one student's zip no more than a student hands in."""
    listed = list(islice(items, MAX_ENTRIES + 1))
    few = _without_repository(_without_noise(listed[:MAX_ENTRIES]))
    notebooks = sorted((item for item in few if item.is_notebook), key=lambda item: item.path)
    others = [item for item in few if item.kind != "fault" and not item.is_notebook]
    yield from notebooks[:MAX_UPLOAD]
    yield from others[:MAX_UPLOAD]
    yield from [item for item in few if item.kind == "fault"][:MAX_UPLOAD]
    if len(listed) > MAX_ENTRIES:
        count = f"more than {MAX_ENTRIES}"
        yield _fault(f"{path}/…", _too_many("entries", count, MAX_ENTRIES))
    if len(notebooks) > MAX_UPLOAD:
        reason = _too_many("notebooks", len(notebooks), MAX_UPLOAD)
        yield _fault(f"{path}/…", f"{reason}; the zip of a whole class is graded by itself")


def _too_many(what, count, limit):
    return f"the zip file holds {count} {what}, expected at most {limit}: the rest is not listed"


# names


def _parts(path):
    """Keep the parts of a name that name something, whatever tricks it holds."""
    path = _in_one_line(_shortened(path, MAX_PARTS * MAX_NAME))
    parts = [part.strip() for part in re.split(r"[/\\]", path)]
    parts = [part for part in parts if part not in ("", ".", "..") and part[1:] != ":"]
    if len(parts) > MAX_PARTS:
        parts = [*parts[: MAX_PARTS // 2], *parts[-MAX_PARTS // 2 :]]
    # shortened first: to normalize is quadratic in the number of accents
    return tuple(unicodedata.normalize("NFC", _shortened(part, MAX_NAME)) for part in parts)


def _shortened(text, limit):
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def _in_one_line(text):
    return re.sub(r"[\n\t\u2028\u2029]", " ", clean(text))


def clean(text):
    r"""Replace what cannot be written or would not be seen.

    Parameters
    ----------
    text : str
        From a stranger.

    Returns
    -------
    str
        The joiners of Persian and Indian scripts are kept.

    Examples
    --------
    >>> clean("a\x00b") == "a\ufffdb"
    True
    """
    return "".join(
        char if char in "\n\t\u200c\u200d" or unicodedata.category(char)[0] != "C" else "\ufffd"
        for char in text
    )


def _unique(paths):
    """Write paths so that no two are alike, and the same ones in every run."""
    taken, count = set(), Counter()
    for path in paths:
        shown = first = _shown(path)
        while shown in taken:  # two entries of one name in a zip
            count[first] += 1
            shown = _before_ending(first, f" #{count[first] + 1}")
        taken.add(shown)
        yield shown


def _shown(path):
    text = _in_one_line(_shortened(path, MAX_PATH)).strip()
    if text == path:
        return text
    # what cannot be shown as it is would look like another
    digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return _before_ending(text, f" ({digest})")


def _before_ending(path, mark):
    stem, dot, ending = path.rpartition(".")
    return f"{stem}{mark}{dot}{ending}" if stem and "/" not in ending else f"{path}{mark}"


def _without_noise(items):
    """Drop what systems leave behind; a folder with nothing else in it counts as empty."""
    seen = set()
    for item in items:
        text = "/".join(item.parts)
        match = NOISE.search(text)
        if not match:
            yield item
        elif (above := text[: match.start()]) and above not in seen:
            seen.add(above)
            yield _folder(f"{above}/")


def _without_repository(items):
    """Drop the course's own notebooks where a student handed in the whole repository."""
    items = list(items)
    roots = {
        item.parts[:depth]
        for item in items
        if item.is_notebook
        for depth in _depths(item.parts, ("exercises",))
    }
    return [
        item
        for item in items
        if not any(
            item.parts[:depth] in roots for depth in _depths(item.parts, ("solutions", "notebooks"))
        )
    ]


def _depths(parts, names):
    return [depth for depth, part in enumerate(parts[:-1]) if part.lower() in names]


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


# students


def _is_wrapped(items, lessons, outer):
    """Whether all lies in one folder that is no student's; `find` says what is assumed."""
    tops = {item.parts[0] for item in items}
    if len(tops) != 1 or any(len(item.parts) < 2 for item in items):
        return False
    (top,) = tops
    if SUBMITTED.match(top):
        return True
    if _of_a_platform(top) or top.casefold() in lessons:
        return False
    told, folders = _below(items, lessons)
    told = set() if _of_folder(top, lessons).casefold() in told else told
    if COLLECTION.match(top) or WORK.fullmatch(top) or top.casefold() == outer.casefold():
        return bool(told or folders)
    held = [lesson for inner in folders.values() for lesson in inner]
    zips = [name for name in folders if _ends(name, ".zip")]
    return len(told) > 1 or len(held) > len(set(held)) or len(zips) > 1


def _below(items, lessons):
    """Tell the students in the names of files in a folder, and what its folders hold."""
    told, folders = set(), defaultdict(set)
    for _, name, *deeper in (item.parts for item in items if item.is_notebook):
        if deeper:
            if name.casefold() not in lessons and not WORK.fullmatch(name):
                folders[name].add(_of_name(deeper[-1], lessons)[1] or deeper[-1].casefold())
        else:
            student, lesson = _of_name(name, lessons)
            told |= {student.casefold()} if lesson and student else set()
    return told, folders


def _sections(items, lessons):
    """List the folders whose files name several students, but not the folder's own."""
    told = defaultdict(set)
    for parts in (item.parts for item in items if item.is_notebook and len(item.parts) > 1):
        student, lesson = _of_name(parts[-1], lessons)
        # a zip is one student's: nobody hands in for others by the names in theirs
        if student and lesson and not _of_a_platform(parts[0]) and not _ends(parts[0], ".zip"):
            told[parts[:-1]].add(student.casefold())
    return {
        folder
        for folder, students in told.items()
        if len(students) > 1 and _of_folder(folder[0], lessons).casefold() not in students
    }


def _of_a_platform(name):
    return MOODLE in name or bool(CANVAS.match(name))


def _named(parts, lessons, sections):
    """Tell the student and the lesson of a file by where it lies and how it is called."""
    student, lesson = _of_name(parts[-1], lessons)
    if len(parts) == 1 or (student and parts[:-1] in sections):
        return student, lesson
    top = parts[0]
    if top.casefold() in lessons:
        return _named(parts[1:], lessons, sections)[0], top.casefold()
    own = student and lesson if len(parts) == 2 else not WORK.fullmatch(parts[1])
    if own and COLLECTION.match(top):
        return _named(parts[1:], lessons, sections)
    return _of_folder(top, lessons), lesson


def _of_folder(name, lessons):
    """Tell the student of a folder or zip by its name."""
    stem = name[:-4].strip() if _ends(name, ".zip") else name
    if _of_a_platform(stem):
        return _of_stem(stem, lessons)[0]
    if stem != name:  # ada_00_start_here.zip; but team_01.zip is of team_01
        student, lesson = _lesson_in(stem, lessons, short=False)
        return student if student and lesson else stem or name
    return name


def _of_name(name, lessons):
    """Split a file's name into its student and the stem of its lesson."""
    stem = re.sub(r"(?:\.ipynb\s*)+$", "", name, flags=re.I)
    if stem == name:
        stem = name.rpartition(".")[0] or name
    return _of_stem(stem, lessons)


def _of_stem(stem, lessons):
    if MOODLE in stem:
        student, _, rest = stem.partition(MOODLE)
        return student, _lesson_in(rest, lessons)[1]
    if canvas := CANVAS.match(stem):
        number = canvas["number"] or canvas["late"]
        return f"{canvas['student']}_{number}", _lesson_in(canvas["rest"], lessons)[1]
    return _lesson_in(COPY_OF.sub("", stem), lessons)


def _lesson_in(stem, lessons, short=True):
    """Find the lesson in a name, and the student before or behind it."""
    for lesson in lessons:
        form = "[-_ .]".join(map(re.escape, lesson.split("_")))
        if found := list(re.finditer(rf"(?<![^-_ .]){form}(?![^\W_])", stem, re.I)):
            head, tail = stem[: found[-1].start()], stem[found[-1].end() :]
            return _student_in(head) or _student_in(DECORATED.sub("", tail)), lesson
    for lesson in lessons if short else ():
        for found in re.finditer(rf"(?<![^-_ .]){re.escape(lesson[:2])}(?![^\W_])", stem):
            if DECORATION.fullmatch(stem, found.end()):
                return _student_in(stem[: found.start()]), lesson
    return stem.strip(), ""


def _student_in(text):
    """Take the student out of what stands before or after a lesson in a name."""
    text = (text[:-1] if text.endswith(".") else text).strip("-_ ")
    return "" if DECORATION.fullmatch(text) else text
