"""Make exercises from solutions, with nbgrader's markers and preprocessors."""

from nbgrader.preprocessors import ClearOutput, ClearSolutions

from course_utils.authoring import notebooks
from course_utils.judging.call import STUB

FUNCTION_STUB = f'raise NotImplementedError("{STUB}")'


class ClearAnswers(ClearSolutions):
    """Take the answers out; what stands outside their markers stays.

    A region inside a function becomes a line that raises; a region at top level,
    which assigns a value, leaves nothing behind but the line above it.
    """

    def preprocess_cell(self, cell, resources, cell_index):
        """Clear one cell."""
        lines = cell.source.splitlines()
        begins = [line for line in lines if self.begin_solution_delimeter in line]
        top_level = bool(begins) and not begins[0].startswith(" ")
        self.code_stub = {"python": "" if top_level else FUNCTION_STUB}
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        cell.source = cell.source.rstrip("\n")
        return cell, resources


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
    """
    made = notebooks.nbformat.from_dict(solution)
    made.cells = [c for c in made.cells if "solution" not in c.metadata.get("tags", [])]
    for preprocessor in (ClearAnswers(), ClearOutput()):
        made, _ = preprocessor.preprocess(made, {})
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
    """
    stale = []
    solutions = sorted((root / "solutions").glob("*.ipynb"))
    for source in solutions:
        solution = notebooks.read(source)
        targets = {
            root / "exercises" / source.name: notebooks.text(exercise(solution), False),
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
