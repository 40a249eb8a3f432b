"""Make exercises from solutions: take out what stands between two markers."""

from course_utils.authoring import notebooks
from course_utils.judging.call import STUB

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
FUNCTION_STUB = f'raise NotImplementedError("{STUB}")'


def without_answers(source) -> str:
    r"""Take the answers out of a cell; what stands outside their markers stays.

    A region inside a function becomes a line that raises; a region at top level,
    which assigns a value, leaves nothing behind but the line above it.

    Parameters
    ----------
    source : str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If markers do not come in turn, one `BEGIN` and one `END`.

    Examples
    --------
    >>> without_answers("guess = None\n### BEGIN SOLUTION\nguess = 3\n### END SOLUTION")
    'guess = None'
    """
    kept, begun = [], 0
    for number, line in enumerate(source.split("\n"), start=1):
        if BEGIN in line:
            if begun:
                raise ValueError(f"'{BEGIN}' in line {number}, inside that of line {begun}")
            begun = number
            if indent := line[: len(line) - len(line.lstrip())]:
                kept.append(indent + FUNCTION_STUB)
        elif END in line:
            if not begun:
                raise ValueError(f"'{END}' in line {number}, with no '{BEGIN}' before it")
            begun = 0
        elif not begun:
            kept.append(line)
    if begun:
        raise ValueError(f"'{BEGIN}' in line {begun}, with no '{END}' after it")
    return "\n".join(kept).rstrip("\n")


def exercise(solution):
    """Make an exercise notebook from a solution notebook.

    Parameters
    ----------
    solution : NotebookNode
        Left unchanged. Cells tagged ``solution`` are left out.

    Returns
    -------
    NotebookNode
        With the same cell ids.

    Raises
    ------
    ValueError
        If an answer is not marked, or not as it should be; it names the cell.
    """
    made = notebooks.nbformat.from_dict(solution)
    made.cells = [c for c in made.cells if "solution" not in c.metadata.get("tags", [])]
    for cell in made.cells:
        try:
            if cell.id.endswith("-answer") and BEGIN not in cell.source:
                raise ValueError(f"there is no '{BEGIN}', learners would read the answer")
            cell.source = without_answers(cell.source)
        except ValueError as error:
            raise ValueError(f"cell {cell.id}: {error}") from None
    return made


def write_all(root=notebooks.ROOT) -> list:
    """Write ``exercises/`` from ``solutions/``, and both in normal form.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of Path
        The files that were not up to date.

    Raises
    ------
    ValueError
        If an answer is not marked as it should be; it names notebook and cell.
    """
    stale = []
    solutions = sorted((root / "solutions").glob("*.ipynb"))
    for source in solutions:
        solution = notebooks.read(source)
        try:
            made = exercise(solution)
        except ValueError as error:
            raise ValueError(f"solutions/{source.name}, {error}") from None
        targets = {
            root / "exercises" / source.name: notebooks.text(made, False),
            source: notebooks.text(solution, False),
        }
        for path, text in targets.items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                stale.append(path)
    names = {source.name for source in solutions}
    for path in (root / "exercises").glob("*.ipynb"):
        if path.name not in names:
            path.unlink()
            stale.append(path)
    return stale
