"""Read and write notebooks so that the same content gives the same bytes."""

from pathlib import Path

import nbformat
from nbstripout import strip_output

ROOT = Path(__file__).resolve().parents[2]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(path):
    """Read a notebook.

    Parameters
    ----------
    path : Path

    Returns
    -------
    NotebookNode
    """
    return nbformat.read(path, as_version=4)


def text(notebook, keep_output) -> str:
    """Write a notebook in normal form.

    Parameters
    ----------
    notebook : NotebookNode
        Changed in place.
    keep_output : bool
        Outputs and execution counts stay, as in lessons; else both go.

    Returns
    -------
    str
    """
    strip_output(
        notebook,
        keep_output=keep_output,
        keep_count=keep_output,
        keep_id=True,
        extra_keys=["cell.metadata.execution", "cell.metadata.collapsed"],
    )
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.pop("transient", None)
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def write(notebook, path, keep_output):
    """Write a notebook in normal form to a file.

    Parameters
    ----------
    notebook : NotebookNode
    path : Path
    keep_output : bool
    """
    path.write_text(text(notebook, keep_output), encoding="utf-8")
