"""Read and write notebooks so that the same content gives the same bytes."""

from pathlib import Path

import nbformat
from nbstripout import strip_output

ROOT = Path(__file__).resolve().parents[2]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def lessons(stems=(), root=ROOT) -> list:
    """Find lessons by the beginnings of their file names.

    Parameters
    ----------
    stems : sequence of str
        Such as ``"01"``; all lessons if empty.
    root : Path
        Folder that holds ``notebooks/``.

    Returns
    -------
    list of Path

    Raises
    ------
    FileNotFoundError
        If a beginning fits no lesson.
    """
    found = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    for stem in stems:
        if not any(path.stem.startswith(stem) for path in found):
            have = ", ".join(path.stem for path in found)
            raise FileNotFoundError(f"no lesson starts with {stem!r}; there are {have}")
    return [path for path in found if not stems or path.stem.startswith(tuple(stems))]


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
