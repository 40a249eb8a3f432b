"""Take a learner's code cells out of a notebook, and put them into the released one.

Nothing else of a submission is used: no outputs, no metadata, no kernel, no version.
"""

import json
import re
from dataclasses import dataclass

from course_utils.grading.files import Unreadable

MAX_CELLS, MAX_SOURCE = 2_000, 2_000_000


@dataclass(frozen=True)
class Cell:
    """Hold the source of one code cell.

    Attributes
    ----------
    name : str
        How messages call it.
    source : str
    defines : tuple of str
        The answers of the lesson that it defines.
    """

    name: str
    source: str
    defines: tuple = ()

    @property
    def is_experiment(self) -> bool:
        """Whether it defines and imports nothing that an answer may need."""
        return not self.defines and not re.search(
            r"(?m)^(?:def|class|import|from|@)\b", self.source
        )


def code_cells(data):
    """Read the code cells of a notebook, whatever its version and however odd.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    list of (str, str)
        Id and source of each; the id is "" where there is none. Of very many cells, the
        last ones.

    Raises
    ------
    Unreadable
        If it is not a notebook.

    Examples
    --------
    >>> code_cells(b'{"cells": [{"cell_type": "code", "id": "a", "source": ["x = 1"]}]}')
    [('a', 'x = 1')]
    """
    if not data.strip():
        raise Unreadable("the file is empty")
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise Unreadable("the file is not a notebook: it is not JSON") from None
    if not isinstance(notebook, dict):
        raise Unreadable("the file is not a notebook: it holds no cells")
    sheets = notebook.get("worksheets", [notebook])  # format 3
    cells = [
        cell
        for sheet in (sheets if isinstance(sheets, list) else [])
        if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
        for cell in sheet["cells"]
    ]
    if not cells and isinstance(notebook.get("cells"), list):
        cells = notebook["cells"]
    if not cells:
        raise Unreadable("the file is not a notebook, or a notebook without cells")
    found = [_code(cell) for cell in cells]
    return [pair for pair in found if pair is not None][-MAX_CELLS:]


def _code(cell):
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return None
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    if len(source) > MAX_SOURCE:  # a note will say so
        why = f"this cell is too long to be marked: {len(source)} characters"
        source = f'raise RuntimeError("{why}")'
    name = cell.get("id", "")
    return name if isinstance(name, str) else "", source.encode("utf-8", "replace").decode()


def graft(submitted, released):
    r"""Put the cells that a learner wrote or changed behind those of the released notebook.

    A stub that was left as it is counts only where no other cell defines its name: so a
    copied, split, merged or re-made cell is found by what it defines, and the last
    definition that runs wins.

    Parameters
    ----------
    submitted, released : list of (str, str)
        From `code_cells`.

    Returns
    -------
    list of Cell
        In the order in which they run.

    Examples
    --------
    >>> released = [("setup", "import torch"), ("x-answer", "x = None")]
    >>> [cell.source for cell in graft([("new", "x = 2"), ("x-answer", "x = None")], released)]
    ['import torch', 'x = None', 'x = 2']
    """
    known = {source.strip() for _, source in released}
    names = {name for name, _ in released}
    answers = _answers(released)

    def cell(name, source):
        defines = tuple(one for one in answers if re.search(_DEFINES.format(one), source))
        return Cell(name, source, defines)

    cells = [cell(f"{n}, as handed out", source) for n, source in released if not _is_call(source)]
    for number, (name, source) in enumerate(submitted, 1):
        if source.strip() and source.strip() not in known:
            cells.append(cell(name if name in names else f"code cell {number}", source))
    return cells


# a line that gives a name its value
_DEFINES = r"(?m)^[ \t]*(?:def|class) {0}\b|^[ \t]*{0}[ \t]*[:=]"


def _answers(released):
    return [n.removesuffix("-answer") for n, _ in released if n.endswith("-answer")]


def _is_call(source):
    return source.lstrip("# ").startswith(("check(", "hint(", "scorecard("))


def lesson_of(submitted, released, named=""):
    """Tell by its cells which lesson a notebook answers.

    Parameters
    ----------
    submitted : list of (str, str)
    released : dict of str to list of (str, str)
        By lesson.
    named : str
        The lesson that its file's name tells; counts where its answers are there.

    Returns
    -------
    str
        The lesson whose cell ids, names or checks it shares most, or "".
    """

    def shared(lesson):
        names = "|".join(_answers(released[lesson]))
        told = re.compile(rf"{_DEFINES.format(f'(?:{names})')}|check\([\"'](?:{names})[\"']\)")
        ids = {name for name, _ in released[lesson] if name.endswith("-answer")}
        return sum(name in ids or bool(told.search(source)) for name, source in submitted)

    counts = {lesson: shared(lesson) for lesson in released}
    best = named if counts.get(named) else max(counts, key=counts.get, default="")
    return best if counts.get(best) else ""
