"""What a learner calls: check and hint."""

import pytest

from course_utils.practice import notebook, progress


@pytest.fixture
def said(monkeypatch, tmp_path):
    """What check and hint display, with a progress file of their own."""
    monkeypatch.delenv("COURSE_STATIC")
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    shown = []
    monkeypatch.setattr(notebook, "display", lambda bundle, raw: shown.append(bundle))
    return shown


def test_check_takes_a_function_and_records_the_points(said):
    def affine(x, W, c):
        return x @ W.T + c

    notebook.check(affine)
    assert said[0]["text/plain"] == "✔ affine: correct. 1 of 1 practice point"
    assert "role='status'" in said[0]["text/html"]
    assert progress.load()["affine"].points == 1


def test_check_looks_a_string_up_in_the_notebook(said, monkeypatch):
    monkeypatch.setattr(notebook, "_notebook_names", lambda: {"what_f_learns": "a"})
    notebook.check("what_f_learns")
    assert "x + x = 2x" in said[0]["text/plain"]
    assert progress.load() == {}
    monkeypatch.setattr(notebook, "_notebook_names", dict)
    notebook.check("what_f_learns")
    assert "not defined" in said[1]["text/plain"]


def test_check_suggests_the_name_that_was_meant(said):
    with pytest.raises(ValueError, match='Did you mean "affine"'):
        notebook.check("afine")
    with pytest.raises(ValueError, match='no exercise is called "c"'):
        notebook.check("c")


def test_hints_open_one_at_a_time(said):
    for opened in (1, 2, 3, 3):
        notebook.hint("affine")
        assert said[-1]["text/plain"].count("hint ") == opened
    assert "hint 1 of 3" in said[-1]["text/html"]
