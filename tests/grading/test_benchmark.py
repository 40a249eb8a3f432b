"""What the benchmark needs beyond the course it fetches itself, or says why it cannot."""

import subprocess

import pytest

from benchmarks import grading

pytestmark = pytest.mark.slow


@pytest.fixture
def cut_off(monkeypatch):
    """Let pip find nothing."""
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": "", "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)


@pytest.mark.usefixtures("cut_off")
def test_a_comparison_that_cannot_be_had_says_why_and_how_to_go_on(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        grading.install(tmp_path / "nbgrader")
    assert "for this run alone: about a minute" in capsys.readouterr().out
    assert str(ended.value).startswith("nbgrader==0.9.6 cannot be installed")
    assert "No matching distribution found for nbgrader" in str(ended.value)
    assert "--submissions 0" in str(ended.value)
    # what is installed here is there all the same
    python = tmp_path / "nbgrader" / "bin" / "python"
    code = "import importlib.util as u; print(bool(u.find_spec('course_utils.checks')))"
    assert subprocess.check_output([python, "-c", code], cwd=tmp_path, text=True) == "True\n"
