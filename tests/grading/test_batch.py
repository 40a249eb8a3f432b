"""A run can be interrupted, repeated and spread out: every mark stays what it is."""

import csv
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils.grading import batch, command, report
from course_utils.grading.batch import GradingError
from course_utils.grading.mark import mark
from course_utils.grading.private import PrivateError
from course_utils.grading.sandbox import Sandbox, SandboxUnavailable
from tests.grading.notebooks import LESSON, RIGHT, notebook, with_answer
from tests.house import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("sandboxed")]
HALF = {name: source for name, source in RIGHT.items() if name in ("affine", "descend")}
WRONG = "def affine(x, W, c):\n    return x @ W.T"


def submit(folder, **students):
    folder.mkdir(exist_ok=True)
    for student, nb in students.items():
        content = nb if isinstance(nb, bytes) else json.dumps(nb).encode()
        (folder / f"{student}_{LESSON}.ipynb").write_bytes(content)
    return folder


def run(source, out, **options):
    """What `course grade` does; the rows of grades.csv."""
    options = {"jobs": 1, "kind": "bubblewrap", "cluster": None, **options}
    code = command.run(
        source,
        out,
        options["jobs"],
        options["kind"],
        options["cluster"],
        options.get("checks"),
        options.get("seed_file"),
        options.get("explain"),
    )
    assert code == options.get("code", 0)
    return rows(out)


def rows(out):
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def points(table):
    """Student → points."""
    totals = {}
    for row in table:
        totals[row["student"]] = totals.get(row["student"], 0) + int(row["points"])
    return totals


@pytest.fixture
def inbox(tmp_path):
    return submit(tmp_path / "in", ada=notebook(), bob=notebook(HALF), eve=b"{")


def marks_of(out):
    return {file.name: file.stat().st_mtime_ns for file in (out / "marks").glob("*.json")}


def test_a_run_writes_rows_pages_summary_and_json(inbox, tmp_path, capsys):
    table = run(inbox, tmp_path / "out")
    assert points(table) == {"ada": 8, "bob": 3, "eve": 0}
    assert list(table[0]) == list(report.COLUMNS)
    assert {row["status"] for row in table if row["student"] == "eve"} == {"unreadable"}
    one = next(row for row in table if row["student"] == "bob" and row["exercise"] == "affine")
    assert (one["public"], one["held_back"], one["status"]) == ("2 of 2", "1 of 1", "correct")
    document = json.loads((tmp_path / "out" / "grades.json").read_text())
    assert [entry["points"] for entry in document] == [8, 3, 0]
    for entry in document:
        assert (tmp_path / "out" / "feedback" / entry["feedback"]).is_file()
    assert "3 submissions" in (tmp_path / "out" / "summary.html").read_text()
    assert "3 submissions: 3 marked now, 1 to look at" in capsys.readouterr().out


def test_an_unchanged_file_is_never_marked_twice(inbox, tmp_path):
    first = run(inbox, tmp_path / "out")
    before = marks_of(tmp_path / "out")
    assert run(inbox, tmp_path / "out") == first
    assert marks_of(tmp_path / "out") == before
    submit(inbox, bob=with_answer("affine", WRONG))
    assert points(run(inbox, tmp_path / "out"))["bob"] == 7
    after = marks_of(tmp_path / "out")
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


def test_a_changed_check_seed_or_grader_marks_again(inbox, tmp_path):
    plain = batch.settings()
    data = json.dumps(notebook()).encode()
    seed = tmp_path / "seed"
    seed.write_text("a secret")
    keys = {
        plain.key(data, LESSON),
        plain.key(data + b" ", LESSON),
        batch.settings(seed_file=seed).key(data, LESSON),
        batch.settings("none").key(data, LESSON),
        dataclasses.replace(plain, version="other").key(data, LESSON),
    }
    assert len(keys) == 5
    assert batch.settings().key(data, LESSON) == plain.key(data, LESSON)


def test_a_damaged_result_is_marked_again(inbox, tmp_path):
    first = run(inbox, tmp_path / "out")
    for file in (tmp_path / "out" / "marks").glob("*.json"):
        file.write_text("{half")
    assert run(inbox, tmp_path / "out") == first


def test_order_jobs_and_neighbours_do_not_change_a_mark(tmp_path):
    names = ["ada", "bob", "eve", "zoe"]
    notebooks = [notebook(), notebook(HALF), with_answer("affine", WRONG), notebook({})]
    one = submit(tmp_path / "one", **dict(zip(names, notebooks, strict=True)))
    reverse = submit(tmp_path / "two", **dict(zip(names[::-1], notebooks[::-1], strict=True)))
    table = run(one, tmp_path / "out1")
    assert run(reverse, tmp_path / "out2", jobs=2) == table
    alone = submit(tmp_path / "three", eve=notebooks[2])
    assert run(alone, tmp_path / "out3") == [row for row in table if row["student"] == "eve"]


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    slow = "import time\ntime.sleep(0.5)"
    students = {f"s{i}": notebook(before=[f"{slow}  # {i}"]) for i in range(8)}
    inbox, out = submit(tmp_path / "in", **students), tmp_path / "out"
    argv = [sys.executable, "-c", "from course_utils.cli import main; main()"]
    process = subprocess.Popen(
        [*argv, "grade", str(inbox), "--out", str(out), "--jobs", "1"],
        cwd=ROOT,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while len(marks_of(out)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = marks_of(out)
    assert 2 <= len(before) < 8
    assert not (out / "grades.csv").exists()
    assert set(points(run(inbox, out)).values()) == {8}
    assert before.items() <= marks_of(out).items()


def test_clashes_and_copies_are_reported_and_nothing_is_overwritten(tmp_path):
    inbox = submit(tmp_path / "in", ada=notebook(), bob=notebook())
    (inbox / "Ada").mkdir()
    (inbox / "Ada" / "again.ipynb").write_text(json.dumps(notebook(HALF)))
    table = run(inbox, tmp_path / "out")
    assert points(table) == {"Ada": 3, "ada": 8, "bob": 8}
    said = {row["file"]: row["remark"] for row in table}
    assert "2 files of this student" in said["Ada/again.ipynb"]
    assert "2 files of this student" in said[f"ada_{LESSON}.ipynb"]
    assert "the same file as from bob" in said[f"ada_{LESSON}.ipynb"]
    assert "the same file as from ada" in said[f"bob_{LESSON}.ipynb"]
    assert len(list((tmp_path / "out" / "feedback").iterdir())) == 3


def test_pages_show_markup_as_text_and_tables_run_no_formula(tmp_path):
    evil = "<script>alert(1)</script>"
    nb = with_answer("affine", f"def affine(x, W, c):\n    raise ValueError({evil!r})")
    nb["cells"].append({"cell_type": "code", "source": f"raise KeyError({evil!r})"})
    inbox = submit(tmp_path / "in", **{"=cmd()": nb, f"{evil.replace('/', '')}": nb, "“x”": b""})
    table = run(inbox, tmp_path / "out")
    assert all(row["student"][0] in "'<“" for row in table)
    for page in [*(tmp_path / "out" / "feedback").iterdir(), tmp_path / "out" / "summary.html"]:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "default-src 'none'" in text
    assert "&lt;script&gt;alert(1)" in "".join(
        page.read_text() for page in (tmp_path / "out" / "feedback").iterdir()
    )


def test_held_back_cases_are_counted_but_never_shown_to_a_learner(tmp_path):
    public_only = "def affine(x, W, c):\n    return x @ W.T + c if len(x) > 1 else 0 * x @ W.T"
    inbox = submit(tmp_path / "in", ada=with_answer("affine", public_only))
    row = run(inbox, tmp_path / "out")[0]
    assert (row["points"], row["public"], row["held_back"]) == ("0", "2 of 2", "0 of 1")
    assert "one that the notebook does not show" in row["reason"]
    (page,) = (tmp_path / "out" / "feedback").iterdir()
    assert "one vector" not in page.read_text()


def test_a_learner_can_be_shown_their_results(inbox, tmp_path, capsys):
    run(inbox, tmp_path / "out", explain="Bob")
    said = capsys.readouterr().out
    assert f"bob_{LESSON}.ipynb: 3 of 8 points" in said
    assert "✔ affine: correct. 1 of 1 point\n" in said
    assert "practice" not in said
    run(inbox, tmp_path / "out", explain="nobody", code=2)
    assert "nobody is called 'nobody'" in capsys.readouterr().out


PRIVATE = """
from course_utils.judging.exercise import normal_case
CASES = {"affine": [normal_case("a square", x=(7, 7), W=(7, 7), c=(7,))]}
"""


def test_an_instructors_own_cases_and_seed_count(tmp_path):
    no_squares = "def affine(x, W, c):\n    return (x @ W.T + c) * (W.shape != (7, 7))"
    inbox = submit(tmp_path / "in", ada=with_answer("affine", no_squares), bob=notebook())
    assert points(run(inbox, tmp_path / "out")) == {"ada": 8, "bob": 8}
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(PRIVATE)
    (tmp_path / "seed").write_text("a secret")
    options = {"checks": tmp_path / "own", "seed_file": tmp_path / "seed"}
    table = run(inbox, tmp_path / "out", **options)
    assert points(table) == {"ada": 7, "bob": 8}
    assert table[0]["held_back"] == "1 of 2"
    pages = [page.read_text() for page in (tmp_path / "out" / "feedback").iterdir()]
    assert not any("a square" in page for page in pages)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("CASES = [1]", "expected a dict CASES, got list"),
        ("x = 1", "expected a dict CASES, got NoneType"),
        ("CASES = {'afine': []}", "there is no exercise 'afine'"),
        ("CASES = {'affine': [1]}", "lists 1, which is no Case"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_wrong_private_checks_are_refused_before_anything_is_marked(tmp_path, source, message):
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(PrivateError, match=message):
        batch.settings(checks=tmp_path)


def test_what_cannot_begin_says_why(tmp_path, capsys):
    def code(source, **options):
        options = {"checks": None, "seed_file": None, "kind": "bubblewrap", **options}
        return command.run(
            source, tmp_path / "out", 1, options["kind"], None,
            options["checks"], options["seed_file"], None,
        )  # fmt: skip

    (tmp_path / "empty").mkdir()
    assert code(tmp_path / "missing") == 2
    assert "expected a folder or a zip file" in capsys.readouterr().err
    assert code(tmp_path / "empty") == 2
    assert "there are no notebooks" in capsys.readouterr().err
    assert code(tmp_path / "empty", kind="docker") == 2
    assert "bubblewrap or none, got docker" in capsys.readouterr().err
    assert code(tmp_path / "empty", seed_file=tmp_path / "no") == 2
    assert "--seed-file cannot be read" in capsys.readouterr().err
    assert code(tmp_path / "empty", checks=tmp_path / "empty") == 2
    assert "--checks needs a folder" in capsys.readouterr().err
    with pytest.raises(GradingError, match="there is no exercises/"):
        batch.settings(course=tmp_path)


def test_two_runs_do_not_write_to_one_folder(inbox, tmp_path):
    (tmp_path / "out").mkdir()
    with batch.FileLock(tmp_path / "out" / ".lock"), pytest.raises(GradingError, match="another"):
        batch.grade(inbox, tmp_path / "out", batch.settings(), jobs=1)


def test_without_bubblewrap_it_refuses_and_says_what_helps(monkeypatch, inbox, tmp_path, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("course_utils.grading.sandbox._here", type("Here", (), {})())
    assert command.run(inbox, tmp_path / "out", 1, "bubblewrap", None, None, None, None) == 2
    said = capsys.readouterr().err
    assert "there is no program `bwrap`" in said
    assert "WSL2" in said
    assert "--sandbox none" in said


def test_a_bubblewrap_that_cannot_run_is_no_sandbox(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(broken))
    with pytest.raises(SandboxUnavailable, match="No permissions to create new namespace"):
        Sandbox()


def test_no_sandbox_must_be_asked_for_and_says_what_it_risks(inbox, tmp_path, capsys):
    table = run(inbox, tmp_path / "out", kind="none")
    assert points(table) == {"ada": 8, "bob": 3, "eve": 0}
    assert "read and delete your files" in capsys.readouterr().err


def test_a_sandbox_without_namespaces_of_its_own_serves_one_submission(monkeypatch):
    with Sandbox() as box:
        first = box._process.pid
        with box.room():
            pass
        with box.room():
            assert box._process.pid == first
        box._apart = False
        with box.room():
            pass
        with box.room():
            assert box._process.pid != first


def test_a_sandbox_that_dies_is_replaced(inbox, tmp_path):
    with Sandbox() as box:
        box._process.kill()
        box._process.wait()
        with box.room() as room:
            answer = room.ask(20, op="cell", cell="x", source="x = 1", seconds=5)
            assert answer["notes"] == []


def test_the_sandbox_holds_what_an_exercise_may_import_and_no_more(sandboxed):
    source = """
import sys, importlib
for name in ("numpy", "torch", "torch.nn", "course_utils", "course_utils.data"):
    importlib.import_module(name)
from course_utils import check, hint, scorecard
from course_utils.data import digits
assert digits().x_train.shape == (1437, 64) and check("x") is None
missing = ("matplotlib", "IPython", "nbformat", "ipywidgets", "joblib", "course_utils.checks",
    "course_utils.judging", "course_utils.practice", "course_utils.blocks",
    "course_utils.grading", "course_utils.backprop")
for name in missing:
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    raise RuntimeError(name)
assert {n for n in sys.modules if n.startswith("course_utils.")} == {"course_utils.data"}
"""
    with Sandbox() as box, box.room() as room:
        assert room.ask(20, op="cell", cell="x", source=source, seconds=9)["notes"] == []


RELEASED = json.dumps(notebook()).encode()


@pytest.fixture(scope="module")
def plain_settings():
    return batch.settings()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=300) | st.integers(0, 2**32))
def test_random_bytes_and_damaged_notebooks_never_stop_and_never_earn(plain_settings, data):
    if isinstance(data, int):  # damage an unsolved notebook in a few places
        rng = random.Random(data)
        damaged = bytearray(json.dumps(notebook({})).encode())
        for _ in range(rng.randrange(1, 30)):
            at = rng.randrange(len(damaged))
            part = bytes(rng.randrange(256) for _ in range(rng.randrange(4)))
            damaged[at : at + rng.randrange(6)] = part
        data = bytes(damaged)
    marks = mark(data, LESSON, plain_settings)
    assert sum(one["points"] for one in marks["exercises"]) == 0
    assert len(marks["exercises"]) == 5
    assert not any(one["error"] for one in marks["exercises"])
    assert all(one["reason"] for one in marks["exercises"])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_damage_to_a_solved_notebook_never_earns_more(plain_settings, seed):
    rng = random.Random(seed)
    nb = notebook()
    rng.shuffle(nb["cells"])
    del nb["cells"][: rng.randrange(len(nb["cells"]))]
    text = json.dumps(nb).encode()
    marks = mark(text, LESSON, plain_settings)
    left = {cell["id"].removesuffix("-answer") for cell in nb["cells"]}
    for one in marks["exercises"]:
        assert bool(one["points"]) == (one["name"] in left)


def test_a_cluster_gives_the_same_marks_and_survives_the_loss_of_a_worker(tmp_path):
    from distributed import LocalCluster

    slow = "import time\ntime.sleep(0.3)"
    students = {f"s{i:02d}": notebook(before=[f"{slow}  # {i}"]) for i in range(12)}
    students["half"] = notebook(HALF)
    inbox = submit(tmp_path / "in", **students)
    expected = run(inbox, tmp_path / "here", jobs=2)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        worker = next(iter(cluster.workers.values()))

        def kill_one():
            until = time.monotonic() + 60
            while len(marks_of(tmp_path / "out")) < 3 and time.monotonic() < until:
                time.sleep(0.02)
            os.kill(worker.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        address = cluster.scheduler_address
        assert run(inbox, tmp_path / "out", cluster=address) == expected
        killer.join()


def test_a_killed_process_costs_what_it_was_marking_and_no_more(monkeypatch, tmp_path):
    poison = notebook(before=["poison = 1"])
    students = {f"s{i}": notebook(before=[f"x = {i}"]) for i in range(4)} | {"mal": poison}
    inbox = submit(tmp_path / "in", **students)
    monkeypatch.setattr(batch, "_task", killed_by_poison)
    table = run(inbox, tmp_path / "out", jobs=2, code=1)
    assert points(table) == {"s0": 8, "s1": 8, "s2": 8, "s3": 8, "mal": 0}
    assert "was killed" in next(row["reason"] for row in table if row["student"] == "mal")
    monkeypatch.undo()
    assert points(run(inbox, tmp_path / "out"))["mal"] == 8


def killed_by_poison(key, data, lesson, settings):
    if b"poison" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    return key, mark(data, lesson, settings)


def test_results_within_the_submissions_are_not_submissions(tmp_path):
    inbox = submit(tmp_path / "in", ada=notebook())
    first = run(inbox, inbox / "results")
    assert run(inbox, inbox / "results") == first


def test_of_two_lessons_in_one_notebook_the_name_decides(tmp_path):
    both = notebook()
    both["cells"] += notebook({}, lesson="01_residual_block")["cells"]
    for lesson in ("00_start_here", "01_residual_block"):
        marks = mark(json.dumps(both).encode(), lesson, batch.settings())
        assert marks["lesson"] == lesson
    assert (
        mark(json.dumps(notebook()).encode(), "01_residual_block", batch.settings())["lesson"]
        == LESSON
    )


@pytest.mark.parametrize("stored", ["{}", '{"exercises": 1}', '{"lesson": "x"}', "[]", "3"])
def test_a_result_that_is_none_is_marked_again(inbox, tmp_path, stored):
    first = run(inbox, tmp_path / "out")
    for file in (tmp_path / "out" / "marks").glob("*.json"):
        file.write_text(stored)
    assert run(inbox, tmp_path / "out") == first


def test_reports_that_cannot_be_written_say_so(inbox, tmp_path, capsys):
    run(inbox, tmp_path / "out")
    (tmp_path / "out" / "grades.csv").unlink()
    (tmp_path / "out" / "grades.csv").mkdir()
    assert command.run(inbox, tmp_path / "out", 1, "bubblewrap", None, None, None, None) == 2
    assert "grades.csv" in capsys.readouterr().err
    assert command.run(inbox, tmp_path / "out", 0, "bubblewrap", None, None, None, None) == 2
    assert "got 0" in capsys.readouterr().err
