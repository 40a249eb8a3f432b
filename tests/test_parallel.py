"""A run on all cores loses nothing: what each worker finds is said once, at the end."""

import os
import subprocess
import sys

import nbformat
import nbformat.v4 as v4
import pytest

from tests import parallel
from tests.house import ROOT

LEAVES = "import os\nleft = 1\nopen('kernels', 'a').write(f'{os.getpid()} ')"
FINDS = f"assert 'left' not in globals()\n{LEAVES}"
SKIPPED = "def test_needs_a_sandbox(sandboxed):\n    pass\n"
LOW_BUDGET = "from tests import budget\n\nbudget.KERNEL_MB = 1\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run three notebooks and a grading test in one worker, with no bubblewrap."""
    folder = tmp_path_factory.mktemp("course")
    for name, source in {
        "exercises/00.ipynb": LEAVES,
        "exercises/01.ipynb": FINDS,
        "solutions/00.ipynb": LEAVES,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(source)]), folder / name)
    (folder / "test_grading.py").write_text(SKIPPED)
    (folder / "conftest.py").write_text(LOW_BUDGET)
    plugins = [f"-ptests.{name}" for name in ("budget", "one_kernel", "parallel", "sandboxed")]
    options = ["-n1", "--nbval-lax", "--nbval-current-env", f"--rootdir={folder}"]
    return folder, subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options],
        cwd=folder,
        env={**os.environ, "PATH": "", "PYTHONPATH": str(ROOT), "COURSE_NEED_SANDBOX": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_exercises_share_a_kernel_and_find_nothing_of_each_other(finished):
    folder, run = finished
    assert "3 passed, 1 skipped" in run.stdout
    first, second = (folder / "exercises" / "kernels").read_text().split()
    assert first == second
    assert (folder / "solutions" / "kernels").read_text().strip() != first


@pytest.mark.slow
def test_a_budget_that_a_worker_saw_broken_is_named_once_and_fails_the_run(finished):
    _, run = finished
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    for name in ("exercises, in one kernel", os.path.join("solutions", "00.ipynb")):
        assert run.stdout.count(f"OVER BUDGET: the kernel of {name} took") == 1
        assert run.stdout.count(f"\n{name} ") == 1, "a row of the table"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="submissions are marked on Linux alone")
def test_without_bubblewrap_the_run_ends_with_what_was_skipped_and_what_to_install(finished):
    _, run = finished
    last = run.stdout.splitlines()[-2]
    assert last.startswith("1 grading test was skipped: there is no program `bwrap`.")
    assert "apt install bubblewrap" in last


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/test_house.py::test_x[a::b]", "tests/test_house.py"),
        ("course_utils/blocks.py::course_utils.blocks.MLP", "course_utils/blocks.py"),
        ("notebooks/04_trainable_depth.ipynb::Cell 3", "notebooks/04_trainable_depth.ipynb"),
        ("exercises/04_trainable_depth.ipynb::Cell 3", "exercises"),
        ("exercises/05_degradation.ipynb::Cell 0", "exercises"),
        ("tests/test_answers.py::test_x[affine: right0]", "tests/test_answers.py affine"),
        ("tests/test_answers.py::test_y[affine]", "tests/test_answers.py affine"),
    ],
)
def test_what_builds_on_one_another_runs_in_one_worker(nodeid, unit):
    assert parallel.unit(nodeid) == unit


def test_what_takes_long_begins_first():
    names = ["tests/test_house.py::x", "exercises/00.ipynb::x", "notebooks/00.ipynb::x"]
    assert sorted(names, key=parallel.rank) == names[::-1]
