"""List the files of a folder or zip: nothing is unpacked, no link is followed, faults count."""

import contextlib
import os
import re
import stat
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path

from course_utils.grading.names import ends_with, parts_of

MAX_BYTES = 20 * 2**20  # of one notebook
MAX_ENTRIES = 100_000
MAX_UPLOAD = 50  # notebooks, or zips, in one student's zip
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # only these unpack no more than asked
# what systems and tools leave beside submissions
NOISE = re.compile(
    r"(^|/)(\.(ipynb_checkpoints|git|venv|cache)/|__MACOSX/|__pycache__/|\._"
    r"|\.(?!ipynb$)\w+$|Thumbs\.db$|desktop\.ini$|timestamp\.txt$)"
)


class Unreadable(Exception):
    """Say why a submission cannot be read."""


@dataclass(frozen=True)
class Item:
    """Name a file, a folder that may turn out to be empty, or a fault.

    Attributes
    ----------
    path : str
        As the folder or zip has it.
    read : callable
        Returns its bytes; raises `Unreadable`.
    kind : {"file", "folder", "fault"}
    parts : tuple of str
        What of the path names something.
    """

    path: str
    read: Callable
    kind: str = "file"
    parts: tuple = ()

    @property
    def is_notebook(self) -> bool:
        """Whether its name says so."""
        return self.kind == "file" and ends_with(self.path.strip(), ".ipynb")


def listed(source, skip=None):
    """List what a folder or zip holds, without what systems and tools leave behind.

    Parameters
    ----------
    source : Path
    skip : Path, optional
        A folder in it that holds no submissions.

    Returns
    -------
    list of Item

    Raises
    ------
    Unreadable
        If `source` is neither a folder nor a zip file, or is a folder that cannot be read.
    """
    if source.is_dir():
        items = _in_folder(source, skip and os.path.realpath(skip))
    elif _is_zip(source):
        items = _in_zip(_Shelf(), (source,), "")
    else:
        raise Unreadable(f"expected a folder or a zip file of submissions, got {source}")
    return _without_repository(_without_noise(items))


def _item(path, read, kind="file"):
    parts = parts_of(path)
    if path.endswith("/"):  # a file without a name stands for what is not in it
        parts = (*parts, "")
    return Item(path, read, kind, parts or ("unknown",))


def _fault(path, reason):
    return _item(path, partial(_fail, reason), "fault")


def _folder(path):
    return _item(path, partial(_fail, "the folder is empty"), "folder")


def _fail(reason):
    raise Unreadable(reason)


def _in_folder(root, skip):
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
                if os.path.realpath(path) != skip:
                    todo.append(path)
            elif ends_with(entry.name, ".zip") and entry.is_file(follow_symlinks=False):
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
        elif ends_with(name, ".zip") and len(place) == 1:
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
