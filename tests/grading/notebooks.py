"""Make submissions: an exercise notebook with answers in it, and what can happen to one."""

import copy
import json

from tests.house import ROOT

LESSON = "00_start_here"
RIGHT = {
    "affine": "def affine(x, W, c):\n    return x @ W.T + c",
    "central_difference": (
        "def central_difference(W, x, eps):\n"
        "    f = lambda v: np.tanh(W @ v)\n"
        "    steps = eps * np.eye(len(x))\n"
        "    return np.stack([(f(x + s) - f(x - s)) / (2 * eps) for s in steps], axis=1)"
    ),
    "learning_rate_limit": "learning_rate_limit = 0.25",
    "descend": (
        "def descend(X, t, w, learning_rate, steps):\n"
        "    for _ in range(steps):\n"
        "        w = w - learning_rate * X.T @ (X @ w - t) / len(t)\n"
        "    return w"
    ),
    "lowest_point": "def lowest_point(A, b):\n    return np.linalg.solve(A, b)",
}
POINTS = {
    "affine": 1,
    "central_difference": 2,
    "learning_rate_limit": 1,
    "descend": 2,
    "lowest_point": 2,
}


def code(source, **fields):
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": source, **fields}


def notebook(answers=RIGHT, before=(), after=(), lesson=LESSON):
    """An exercise notebook with these answers, and other cells before and after them."""
    nb = json.loads((ROOT / "exercises" / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    for cell in nb["cells"]:
        name = cell["id"].removesuffix("-answer")
        if name in answers:
            cell["source"] = answers[name]
    at = 1 + [cell["id"] for cell in nb["cells"]].index("setup")
    nb["cells"][at:at] = [code(source, id=f"b{i}") for i, source in enumerate(before)]
    nb["cells"] += [code(source, id=f"a{i}") for i, source in enumerate(after)]
    return nb


def with_answer(name, source):
    """All right but one."""
    return notebook({**RIGHT, name: source})


def without_ids(nb):
    nb = copy.deepcopy(nb)
    for cell in nb["cells"]:
        del cell["id"]
    return nb


def version_3(nb):
    """The format of 2013: worksheets, and `input` where there is `source` now."""
    cells = []
    for cell in nb["cells"]:
        if cell["cell_type"] == "code":
            source = {"input": cell["source"], "language": "python", "prompt_number": 1}
        else:
            source = {"source": cell["source"]}
        cells.append({"cell_type": cell["cell_type"], "metadata": {}, "outputs": [], **source})
    return {
        "metadata": {"name": "x"},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def remade(nb, name):
    """The answer's cell was deleted and written again at the end."""
    nb = copy.deepcopy(nb)
    (old,) = [cell for cell in nb["cells"] if cell["id"] == f"{name}-answer"]
    nb["cells"].remove(old)
    nb["cells"].append(code(old["source"], id="f00"))
    return nb
