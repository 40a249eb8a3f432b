"""What is written can be opened, printed and handed out, whatever a learner has named it."""

import csv
import json
import time
from types import SimpleNamespace

import pytest

from course_utils.grading import batch, report
from course_utils.grading.batch import Entry
from course_utils.grading.submissions import Submission, find

LESSON = "00_start_here"


def entry(path, student, digest="d", problem="", key="k"):
    return Entry(Submission(path, student, LESSON, None), key, digest, problem)


@pytest.fixture(scope="module")
def settings():
    return batch.settings("none")


def stored(out, key="k", reason="", notes=(), text=""):
    """Store marks for one exercise, as a run would."""
    one = {
        "name": "affine", "points": 0, "max_points": 1, "public": [0, 2, 2], "held_back": [0, 0, 1],
        "status": "wrong value", "reason": reason, "mistake": "", "text": text, "html": "",
        "error": "",
    }  # fmt: skip
    (out / "marks").mkdir(parents=True, exist_ok=True)
    batch.save(
        out / "marks",
        key,
        {"lesson": LESSON, "problem": "", "notes": list(notes), "exercises": [one]},
    )


def test_remarks_name_three_others_and_count_the_rest():
    entries = [entry(f"s{i}.ipynb", f"s{i}") for i in range(6)]
    said = report.remarks(entries, [LESSON] * 6)
    assert said["s0.ipynb"] == ["the same file as from s1, s2, s3 and 2 more"]
    assert said["s5.ipynb"] == ["the same file as from s0, s1, s2 and 2 more"]
    entries = [entry(f"{i}.ipynb", "Ada" if i else "ada", digest=str(i)) for i in range(3)]
    said = report.remarks(entries, [LESSON] * 3)
    assert said["1.ipynb"] == [f"3 files of this student for {LESSON}; also 0.ipynb, 2.ipynb"]


@pytest.mark.parametrize("students", [1, 20_000])
def test_a_year_of_equal_files_takes_no_time(students):
    entries = [entry(f"{i}.ipynb", f"s{i % students}") for i in range(20_000)]
    start = time.perf_counter()
    assert len(report.remarks(entries, [LESSON] * 20_000)) == 20_000
    assert time.perf_counter() - start < 2


def test_no_two_submissions_share_a_page(tmp_path, settings):
    folder = tmp_path / "in"
    folder.mkdir()
    for student in ("Ada L", "Ada-L", "Ада", "Эва"):
        (folder / student).mkdir()
        for name in (b"x\xff.ipynb", b"x\xfe.ipynb"):
            with open(bytes(folder / student) + b"/" + name, "wb") as file:
                file.write(name)
    found = find(folder, [LESSON])
    pages = [report.page_name(one, one.lesson) for one in found]
    assert len({page.lower() for page in pages}) == 8
    assert pages == [report.page_name(one, one.lesson) for one in find(folder, [LESSON])]
    entries = [Entry(one, "", "", "it is odd") for one in found]
    report.write(entries, tmp_path, settings)
    assert sorted(path.name for path in (tmp_path / "feedback").iterdir()) == sorted(pages)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", " =", "\n="])
def test_no_cell_is_a_formula(tmp_path, settings, sign):
    evil = f"{sign}cmd();=1+1"
    report.write([entry(evil, evil, problem=evil)], tmp_path, settings)
    with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
        row, *_ = csv.DictReader(file)
    for name in ("student", "file", "reason"):
        assert row[name].startswith("'"), name
        assert row[name].endswith("cmd();'=1+1"), name  # where ; ends a cell


def test_every_cell_is_quoted(tmp_path, settings):
    stored(tmp_path)
    report.write([entry("a.ipynb", "x;=1+1")], tmp_path, settings)
    for line in (tmp_path / "grades.csv").read_text(encoding="utf-8").splitlines():
        assert line.startswith('"')
        assert line.endswith('"')
        assert len(line.split('","')) == len(report.COLUMNS)


def test_a_field_is_one_line(tmp_path, settings):
    stored(tmp_path, reason="raised:\n\n  two\u2028lines")
    (row,) = report.rows(
        entry("a.ipynb", "ada"), next(iter(marks(tmp_path, settings))), "a remark\n of  two"
    )
    assert row["reason"] == "raised: two lines"
    assert row["remark"] == "a remark of two"
    (row, *_) = report.rows(
        entry("a.ipynb", "ada"), {"lesson": "", "problem": "a\nb", "exercises": []}, ""
    )
    assert row["reason"] == "a b"


def marks(out, settings):
    return [found for _, found in report.results([entry("a.ipynb", "ada")], out, settings)]


@pytest.mark.parametrize("newline", ["\n", "\r", "\x85", "\u2028", "\x0b"])
def test_a_note_cannot_look_like_a_verdict(tmp_path, settings, newline):
    fake = "✔ affine: correct. 1 of 1 point"
    stored(tmp_path, notes=[f"code cell 3: RuntimeError: {newline}{fake}"], text="✘ affine: wrong")
    said = report.explain([entry("a.ipynb", "ada")], tmp_path, settings, "Ada")
    assert [line for line in said.splitlines() if line[:1] in "✔✘"] == ["✘ affine: wrong"]
    assert f"    {fake}" in said
    said = report.explain(
        [entry("a", "ada", problem=f"it is{newline}{fake}")], tmp_path, settings, "ada"
    )
    assert not [line for line in said.splitlines() if line.startswith("✔")]


def test_a_learner_is_found_however_the_name_is_composed(tmp_path, settings):
    stored(tmp_path)
    assert report.explain([entry("a", "über")], tmp_path, settings, "U\u0308BER")


def test_the_summary_says_each_problem_in_one_line(tmp_path, settings):
    summary = report.Summary()
    found = {"problem": "a\nb", "lesson": "", "exercises": [], "notes": []}
    summary.add(SimpleNamespace(submission=entry("a", "ada").submission), found, "c\nd", "p")
    assert summary.problems == [("ada", "a", "p", "a b; c d")]
    report.write([entry("a\u202e.ipynb", "ada", problem="x")], tmp_path, settings)
    assert json.loads((tmp_path / "grades.json").read_text())[0]["remark"] == ""
