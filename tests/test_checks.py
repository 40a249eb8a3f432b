"""The exercises are found, complete, and safe from whatever an answer returns."""

import re
import subprocess
import sys

import numpy as np
import pytest

from course_utils import checks
from course_utils.checks import EXERCISES
from course_utils.judging import messages
from course_utils.judging.judge import judge
from course_utils.judging.protocol import Reply
from course_utils.judging.values import plain

ODD = [np.nan, np.inf, 1e400, 10**400, 1j, None, True, "", [], {}, object(), b"x", {1, 2}, ...]
NUMBERS = [value for value in ODD if isinstance(value, (float, complex, bool))]


@pytest.mark.parametrize("name", EXERCISES)
def test_odd_values_are_wrong_and_never_raise(name):
    pairs = [[value] * 2 for value in ODD]
    arrays = [np.array([value], dtype=object) for value in ODD]
    tables = [np.full((3, 4), value) for value in NUMBERS]
    for returned in [*ODD, *pairs, *arrays, *tables]:
        result = judge(EXERCISES[name], lambda *_, r=returned: Reply(plain(r), {}), held_back=True)
        assert not result.correct
        assert messages.text(result)
        assert messages.as_html(result)


def test_names_are_unique_and_belong_to_their_lesson():
    modules = [part for name, part in vars(checks).items() if name.startswith("lesson_")]
    every = [EXERCISES[name] for module in modules for name in module.EXERCISES]
    assert len({exercise.name for exercise in every}) == len(every) == len(EXERCISES)
    for module in modules:
        assert {EXERCISES[name].lesson for name in module.EXERCISES} == {module.LESSON}


AFFINE = """
from course_utils.judging.exercise import choice
fields = {"points": 1, "required": False, "minutes": 3, "difficulty": 1}
EXERCISE = choice("affine", "00_start", right="a", wrong={"b": "no"}, **fields)
"""
LESSON = 'LESSON = "00_start"\nEXERCISES = ("affine",)\n'


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Find the exercises of a course that consists of these files."""

    name = f"course_{tmp_path.name}"  # a module of that name stays for the whole run

    def found(files):
        for path, source in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, encoding="utf-8")
        return checks.Exercises(name, [str(tmp_path / name)])

    monkeypatch.syspath_prepend(tmp_path)
    return found


def test_a_scratch_lesson_is_found(course):
    found = course({"lesson_99/__init__.py": LESSON, "lesson_99/affine.py": AFFINE})
    assert list(found) == ["affine"]
    assert "affine" in found
    assert found["affine"].reference() == "a"
    with pytest.raises(KeyError):
        found["afine"]


@pytest.mark.parametrize(
    ("init", "source", "said"),
    [
        ("EXERCISES = ()", AFFINE, "lesson_99 has no LESSON"),
        ('LESSON = "00_start"', AFFINE, "lesson_99 has no EXERCISES"),
        (LESSON, None, "names 'affine', and affine.py is missing"),
        (LESSON, "", "lesson_99.affine has no EXERCISE = Exercise(...)"),
        (LESSON, AFFINE.replace('"affine"', '"afine"'), "expected name='affine', got 'afine'"),
        (LESSON, AFFINE.replace("00_", "01_"), "expected lesson='00_start', got '01_start'"),
    ],
)
def test_a_half_written_exercise_says_what_it_lacks(course, init, source, said):
    files = {"lesson_99/__init__.py": init, "lesson_99/affine.py": source}
    with pytest.raises(checks.Unfinished, match=re.escape(said)):
        course({path: text for path, text in files.items() if text is not None})["affine"]


def test_an_exercise_that_imports_what_is_not_there_says_so_itself(course):
    files = {"lesson_99/__init__.py": LESSON, "lesson_99/affine.py": "import not_there"}
    with pytest.raises(ModuleNotFoundError, match="not_there"):
        course(files)["affine"]


def test_a_name_that_two_lessons_use_is_refused(course):
    files = {f"lesson_{n}/__init__.py": LESSON for n in (98, 99)}
    with pytest.raises(checks.Unfinished, match=r"lesson_99 names 'affine', as .*lesson_98 does"):
        course(files)


def test_an_exercise_is_imported_when_it_is_asked_for():
    code = (
        "import sys; from course_utils.checks import EXERCISES; EXERCISES['deepen'];"
        "print([m for m in sys.modules if m.startswith('course_utils.checks.lesson_01.')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['course_utils.checks.lesson_01.deepen']"


def test_probes_know_no_right_values():
    for exercise in EXERCISES.values():
        assert "reference" not in exercise.probe
        assert "expected" not in exercise.probe
        assert (exercise.kind == "module") == bool(exercise.probe)


def test_checks_import_no_torch():
    code = (
        "import sys, course_utils.practice.notebook as n; list(n.EXERCISES.values());"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
