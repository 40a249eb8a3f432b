"""What only a real kernel shows: cells as files, interrupts, displayed messages."""

import nbformat.v4 as v4
import pytest
from nbclient.exceptions import DeadKernelError
from nbconvert.preprocessors import ExecutePreprocessor

from course_utils.practice import progress
from tests import house

pytestmark = pytest.mark.slow
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


def test_points_survive_a_killed_kernel(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_STATIC")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    solve = 'from course_utils import check\nwhat_f_learns = "c"\ncheck("what_f_learns")'
    die = f"{solve}\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    client = ExecutePreprocessor(timeout=60, kernel_name="python3")
    with pytest.raises(DeadKernelError):
        client.preprocess(v4.new_notebook(cells=[v4.new_code_cell(die)]), {})
    assert progress.load() == {"what_f_learns": progress.Record(points=1)}


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


def test_an_endless_loop_is_stopped_and_the_kernel_lives_on(kernel):
    assert "ran longer than 5 s" in kernel("residual_forward", ENDLESS)
    solution = "def residual_forward(x, W1, W2):\n    return x + np.tanh(x @ W1) @ W2"
    assert kernel("residual_forward", solution).startswith("✔")
