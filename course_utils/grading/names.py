"""Tell students and lessons by the names of files, whatever tricks these hold."""

import hashlib
import re
import unicodedata
from collections import Counter

MAX_PARTS, MAX_NAME, MAX_PATH = 50, 255, 300  # longer ones are shortened in their middle
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


def in_one_line(text):
    """Write a stranger's text in one line.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return re.sub(r"[\n\t\u2028\u2029]", " ", clean(text))


def shortened(text, limit):
    """Leave out the middle of a long text.

    Parameters
    ----------
    text : str
    limit : int
        Characters.

    Returns
    -------
    str
    """
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def parts_of(path):
    """Keep the parts of a name that name something, whatever tricks it holds.

    Parameters
    ----------
    path : str

    Returns
    -------
    tuple of str
    """
    path = in_one_line(shortened(path, MAX_PARTS * MAX_NAME))
    parts = [part.strip() for part in re.split(r"[/\\]", path)]
    parts = [part for part in parts if part not in ("", ".", "..") and part[1:] != ":"]
    if len(parts) > MAX_PARTS:
        parts = [*parts[: MAX_PARTS // 2], *parts[-MAX_PARTS // 2 :]]
    # shortened first: to normalize is quadratic in the number of accents
    return tuple(unicodedata.normalize("NFC", shortened(part, MAX_NAME)) for part in parts)


def unique(paths):
    """Write paths so that no two are alike, and the same ones in every run.

    Parameters
    ----------
    paths : iterable of str

    Returns
    -------
    iterator of str
    """
    taken, count = set(), Counter()
    for path in paths:
        shown = first = _shown(path)
        while shown in taken:  # two entries of one name in a zip
            count[first] += 1
            shown = _before_ending(first, f" #{count[first] + 1}")
        taken.add(shown)
        yield shown


def _shown(path):
    text = in_one_line(shortened(path, MAX_PATH)).strip()
    if text == path:
        return text
    # what cannot be shown as it is would look like another
    digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return _before_ending(text, f" ({digest})")


def _before_ending(path, mark):
    stem, dot, ending = path.rpartition(".")
    return f"{stem}{mark}{dot}{ending}" if stem and "/" not in ending else f"{path}{mark}"


def ends_with(name, ending):
    """Tell whether a name has an ending, in capitals or not.

    Parameters
    ----------
    name, ending : str

    Returns
    -------
    bool
    """
    return name.lower().endswith(ending)


def of_a_platform(name):
    """Tell whether Moodle or Canvas gave a name.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    return MOODLE in name or bool(CANVAS.match(name))


def of_folder(name, lessons):
    """Tell the student of a folder or zip by its name.

    Parameters
    ----------
    name : str
    lessons : sequence of str

    Returns
    -------
    str
    """
    stem = name[:-4].strip() if ends_with(name, ".zip") else name
    if of_a_platform(stem):
        return _of_stem(stem, lessons)[0]
    if stem != name:  # ada_00_start_here.zip; but team_01.zip is of team_01
        student, lesson = _lesson_in(stem, lessons, short=False)
        return student if student and lesson else stem or name
    return name


def of_name(name, lessons):
    """Split a file's name into its student and the stem of its lesson.

    Parameters
    ----------
    name : str
    lessons : sequence of str

    Returns
    -------
    student, lesson : str
    """
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
