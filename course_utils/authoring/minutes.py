"""Estimate how long a reader takes for a lesson.

Two readers worked through lessons 00 to 04 and 09 to 12 of the first edition with a clock; the
numbers below give their times within 15 percent; the one who knew PyTorch took 0.7 of them.
"""

import re

WORDS = 250  # words of plain text in a minute
FORMULA = 0.26  # minutes for a formula, in a line of text or on a line of its own
CODE = 0.4  # minutes for a line of code, with what it prints
STEP = 5  # stated numbers are rounded to this

SKIPPED = {"exercises", "sources"}  # cells that name what stands elsewhere


def reading(notebook) -> int:
    r"""Estimate the minutes for a lesson, for a programmer who is new to PyTorch.

    Parameters
    ----------
    notebook : NotebookNode

    Returns
    -------
    int
        Rounded to five minutes.

    Examples
    --------
    >>> import nbformat.v4 as v4
    >>> text = v4.new_markdown_cell("word " * 500 + "$x$ " * 10, id="text")
    >>> code = v4.new_code_cell("x = 1\n" * 13, id="code")
    >>> reading(v4.new_notebook(cells=[text, code]))  # 2.04 + 2.6 + 5.2
    10
    """
    words = formulas = lines = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
        elif cell.id not in SKIPPED:
            text, found = re.subn(r"\$\$.+?\$\$|\$[^$]+\$", "x", cell.source, flags=re.S)
            formulas += found
            words += len(re.sub(r"\]\([^)]*\)|<[^>]*>", "", text).split())
    minutes = words / WORDS + FORMULA * formulas + CODE * lines
    return STEP * round(minutes / STEP)
