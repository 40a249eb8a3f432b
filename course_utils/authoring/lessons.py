"""Run lessons from top to bottom and store their outputs."""

import os

from nbconvert.preprocessors import ExecutePreprocessor
from tqdm import tqdm

from course_utils.authoring import notebooks


def run(stems=(), root=notebooks.ROOT):
    """Execute lessons in a fresh kernel each and write them back in normal form.

    Parameters
    ----------
    stems : sequence of str
        Beginnings of file names, such as ``"01"``; all lessons if empty.
    root : Path
        Folder that holds ``notebooks/``.

    Raises
    ------
    FileNotFoundError
        If a beginning fits no lesson.
    CellExecutionError
        If a cell raises; the file is left as it was.
    """
    os.environ["COURSE_STATIC"] = "1"
    for path in tqdm(notebooks.lessons(stems, root), desc="lessons"):
        notebook = notebooks.read(path)
        execute = ExecutePreprocessor(
            timeout=300,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,  # else the cuts between prints change from run to run
        )
        execute.preprocess(notebook, {"metadata": {"path": str(path.parent)}})
        notebooks.write(notebook, path, keep_output=True)
