"""What only a real kernel shows: cells as files, interrupts, displayed messages."""

import pytest
from nbconvert.preprocessors import ExecutePreprocessor

from tests import house

FORGOTTEN_SUPER = """class SkipBlock(nn.Module):
    def __init__(self, branch):
        self.branch = branch

    def forward(self, x):
        return x + self.branch(x)"""
NO_SELF = FORGOTTEN_SUPER.replace(
    "        self.branch =", "        super().__init__()\n        self.f ="
)
ENDLESS = """def residual_forward(x, W1, W2):
    while True:
        x = x + 0"""


@pytest.fixture(scope="module")
def kernel():
    """Run cells of an exercise notebook, answers exchanged, in one kernel."""
    nb = house.read("exercises", "01_residual_block")
    cells = {cell.id: cell for cell in nb.cells}
    client = ExecutePreprocessor(timeout=60, kernel_name="python3")
    client.preprocess(nb, {})  # unsolved, it runs from top to bottom
    client.nb = nb
    with client.setup_kernel():
        client.execute_cell(cells["setup"], 0)

        def said(name, answer):
            cells[f"{name}-answer"].source = answer
            client.execute_cell(cells[f"{name}-answer"], 1)
            client.execute_cell(cells[f"{name}-check"], 2)
            return cells[f"{name}-check"].outputs[0].data["text/plain"]

        yield said


def test_the_line_of_a_class_that_raises_is_quoted(kernel):
    said = kernel("SkipBlock", FORGOTTEN_SUPER)
    assert "cannot assign module before Module.__init__() call" in said
    assert "in line 3 of your cell: self.branch = branch" in said
    said = kernel("SkipBlock", NO_SELF)
    assert "in line 7 of your cell: return x + self.branch(x)" in said


def test_an_endless_loop_is_stopped_and_the_kernel_lives_on(kernel, monkeypatch):
    assert "ran longer than 5 s" in kernel("residual_forward", ENDLESS)
    solution = "def residual_forward(x, W1, W2):\n    return x + np.tanh(x @ W1) @ W2"
    assert kernel("residual_forward", solution).startswith("✔")
