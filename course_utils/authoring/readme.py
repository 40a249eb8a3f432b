"""Write what the README says of each lesson: question, minutes, exercises."""

import re

from course_utils.authoring import notebooks

# how the two tables begin that have a row for each lesson
LESSONS = "| lesson | question | reading | exercises |"
MEMORY = "| lesson | memory of the lesson |"


def row(stem, lesson, solution) -> str:
    """Make a lesson's row from its title card and the tasks of its exercises.

    Parameters
    ----------
    stem : str
    lesson, solution : NotebookNode

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the title card lacks title, question or minutes.
    """
    patterns = {
        "a title such as '# 01 · The residual block'": r"^# (\d\d · .+)$",
        "the question in bold, ending with '?'": r"^\*\*(.+\?)\*\*$",
        "'**Time** NN minutes'": r"\*\*Time\*\* (\d+) minutes",
    }
    said = []
    for what, pattern in patterns.items():
        found = re.search(pattern, lesson.cells[0].source, re.M)
        if not found:
            raise ValueError(f"notebooks/{stem}.ipynb: the title card lacks {what}")
        said.append(found[1])
    title, question, reading = said
    minutes = tasks(solution)
    practice = f"[{len(minutes)}, {sum(minutes)} min](exercises/{stem}.ipynb)"
    name = title.replace(" · ", " ", 1)
    return f"| [{name}](notebooks/{stem}.ipynb) | {question} | {reading} min | {practice} |"


def tasks(solution) -> list:
    """Read how many minutes each exercise of a notebook takes.

    Parameters
    ----------
    solution : NotebookNode

    Returns
    -------
    list of int
    """
    cells = [cell.source for cell in solution.cells if cell.id.endswith("-task")]
    said = [re.search(r"of 3 · (\d+) minutes", source) for source in cells]
    return [int(found[1]) if found else 0 for found in said]


def table(root=notebooks.ROOT) -> list:
    """Make the rows of the lesson table.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If a title card lacks title, question or minutes; it names the notebook.
    """
    return [
        row(path.stem, notebooks.read(path), notebooks.read(root / "solutions" / path.name))
        for path in notebooks.lessons(root=root)
    ]


def rows(text, begins) -> list:
    """Find the rows of one table.

    Parameters
    ----------
    text : str
    begins : str
        What its first line begins with.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If there is no such table.
    """
    return _cut(text, begins)[1]


def replaced(text, begins, new) -> str:
    r"""Put other rows into one table.

    Parameters
    ----------
    text, begins : str
        As for `rows`.
    new : list of str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> print(replaced("| a |\n|---|\n| 1 |\n\nText.", "| a", ["| 2 |", "| 3 |"]))
    | a |
    |---|
    | 2 |
    | 3 |
    <BLANKLINE>
    Text.
    """
    before, _, after = _cut(text, begins)
    return "\n".join([before, *new]) + after


def _cut(text, begins):
    """Take a text apart: up to the rule below the table's head, the rows, what follows."""
    if begins not in text:
        raise ValueError(f"README.md has no table that begins with {begins!r}")
    start = text.index(begins)
    lines = text[start:].split("\n")
    end = next((i for i, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return text[:start] + "\n".join(lines[:2]), lines[2:end], "\n".join(["", *lines[end:]])


def add(begins, new, root=notebooks.ROOT) -> list:
    """Put one row into a table, in the place of the row of the same lesson if there is one.

    Parameters
    ----------
    begins, new : str
    root : Path

    Returns
    -------
    list of Path
        The README, if it has changed.
    """
    text = (root / "README.md").read_text(encoding="utf-8")
    others = [line for line in rows(text, begins) if _number(line) != _number(new)]
    return _store(replaced(text, begins, sorted([*others, new], key=_number)), root)


def write(root=notebooks.ROOT) -> list:
    """Write the lesson table into the README; what was measured stays.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of Path
        The README, if it was not up to date.
    """
    text = (root / "README.md").read_text(encoding="utf-8")
    return _store(replaced(text, LESSONS, table(root)), root)


def _number(line):
    return re.search(r"\d\d", line)[0]


def _store(text, root):
    path = root / "README.md"
    if path.read_text(encoding="utf-8") == text:
        return []
    path.write_text(text, encoding="utf-8")
    return [path]
