"""Each status is told apart, in words that say what was expected and what came."""

import dataclasses
import linecache
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch

from course_utils import checks
from course_utils.checks import EXERCISES, messages, notebook, progress
from course_utils.checks.call import local_call
from course_utils.checks.judge import judge
from course_utils.checks.protocol import CallFailed, Reply, Status
from course_utils.checks.values import Foreign, plain, show


def verdict(name, **namespace):
    return judge(EXERCISES[name], local_call(namespace))


def cell(source):
    """Run a cell whose lines can be quoted."""
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    namespace = {"np": np}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace


def unwritten(x, W, c):
    raise NotImplementedError("your turn")


STATUSES = {
    "not defined": ({}, "there is no `affine` in this notebook: run its cell first"),
    "not written yet": ({"affine": unwritten}, "still reaches `raise NotImplementedError`"),
    "raised an error": ({"affine": lambda x, W, c: x @ c.missing}, "AttributeError"),
    "wrong type": ({"affine": lambda x, W, c: "y"}, "expected an array of shape (3, 4)"),
    "wrong shape": ({"affine": lambda x, W, c: np.zeros(3)}, "expected shape (3, 4)"),
    "wrong value": ({"affine": lambda x, W, c: np.zeros((3, 4))}, "12 of 12 values differ"),
    "correct": ({"affine": lambda x, W, c: x @ W.T + c}, "1 of 1 practice point"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_is_told_apart_in_text_and_html(status):
    namespace, words = STATUSES[status]
    result = verdict("affine", **namespace)
    assert result.status == status
    assert words in messages.text(result)
    assert status in messages.as_html(result)


def test_an_argument_changed_in_place_is_told_apart():
    def affine(x, W, c):
        x *= 1.0
        c += 0.5
        return x @ W.T + c

    result = verdict("affine", affine=affine)
    assert result.status == Status.CHANGED
    assert "changed its argument c in place" in messages.text(result)


def test_the_learners_own_line_is_quoted():
    namespace = cell("def affine(x, W, c):\n    y = np.linalg.inv(x)\n    return y\n")
    text = messages.text(verdict("affine", affine=namespace["affine"]))
    assert "raised LinAlgError" in text
    assert "in line 2 of your cell: y = np.linalg.inv(x)" in text


def test_an_endless_loop_is_too_slow():
    def affine(x, W, c):
        while True:
            pass

    quick = dataclasses.replace(EXERCISES["affine"], timeout=0.2)
    start = time.monotonic()
    result = judge(quick, local_call({"affine": affine}))
    assert result.status == Status.TOO_SLOW
    assert "ran longer than 0.2 s" in messages.text(result)
    assert time.monotonic() - start < 5


def test_a_sleeping_answer_and_one_that_swallows_interrupts_are_stopped():
    def sleeps(x, W, c):
        time.sleep(30)

    def swallows(x, W, c):
        while True:
            try:
                while True:
                    x = x + 0
            except KeyboardInterrupt:
                pass

    quick = dataclasses.replace(EXERCISES["affine"], timeout=0.2)
    start = time.monotonic()
    for affine in (sleeps, swallows):
        assert judge(quick, local_call({"affine": affine})).status == Status.TOO_SLOW
    assert time.monotonic() - start < 5


def test_without_an_alarm_a_timer_does_it(monkeypatch):
    def affine(x, W, c):
        while True:
            pass

    monkeypatch.delattr("signal.setitimer")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    quick = dataclasses.replace(EXERCISES["affine"], timeout=0.2)
    try:
        assert judge(quick, local_call({"affine": affine})).status == Status.TOO_SLOW
    finally:
        signal.signal(signal.SIGINT, before)


def test_answers_that_end_near_the_deadline_let_nothing_escape():
    def affine(x, W, c):
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        return x @ W.T + c

    near = dataclasses.replace(EXERCISES["affine"], timeout=0.02)
    seen = {judge(near, local_call({"affine": affine})).status for _ in range(50)}
    assert seen <= {Status.TOO_SLOW, Status.CORRECT}


def test_a_learners_own_interrupt_passes_through():
    def affine(x, W, c):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict("affine", affine=affine)


# its repr holds an address, but a test has the same name in every worker
OBJECT = pytest.param(object(), id="object()")


@pytest.mark.parametrize(
    "value",
    [np.nan, np.inf, 1e400, 10**400, 1j, None, True, "", [], {}, OBJECT, b"x", {1, 2}, ...],
    ids=repr,
)
@pytest.mark.parametrize("name", EXERCISES)
def test_odd_values_are_wrong_and_never_raise(name, value):
    odd = [value, [value] * 2, np.array([value], dtype=object)]
    if isinstance(value, (float, complex, bool)):
        odd.append(np.full((3, 4), value))
    for returned in odd:
        result = judge(EXERCISES[name], lambda *_, r=returned: Reply(plain(r), {}), held_back=True)
        assert not result.correct
        assert messages.text(result)
        assert messages.as_html(result)


def test_values_are_compared_relative_to_the_largest_expected_one():
    def nearly(x, W, c):
        y = x @ W.T + c
        return y + 1e-8 * np.abs(y).max()

    assert verdict("affine", affine=nearly).correct


def test_float32_answers_count():
    def affine(x, W, c):
        return (x.astype("f4") @ W.T.astype("f4") + c.astype("f4")).astype("f4")

    assert verdict("affine", affine=affine).correct


def test_held_back_cases_run_only_for_the_grader():
    exercise = EXERCISES["affine"]
    titles = [case.title for case in exercise.cases if case.held_back]
    call = local_call({"affine": lambda x, W, c: x @ W.T + c})
    public = [finding.case for finding in judge(exercise, call).findings]
    every = [finding.case for finding in judge(exercise, call, held_back=True).findings]
    assert set(every) - set(public) == set(titles) != set()


def test_a_held_back_case_is_never_described():
    def affine(x, W, c):  # knows the public cases only
        return x @ W.T + c if len(x) > 1 else np.zeros((1, 2))

    result = judge(EXERCISES["affine"], local_call({"affine": affine}), held_back=True)
    assert not result.correct
    assert "one vector" not in messages.text(result)
    assert "fails in one that the notebook does not show" in messages.text(result)
    assert "<pre" not in messages.as_html(result)


def test_what_a_learner_wrote_is_escaped_in_html():
    def affine(x, W, c):
        raise ValueError("<script>alert(1)</script>")

    page = messages.as_html(verdict("affine", affine=affine))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_plain_data_is_copied_and_everything_else_is_foreign():
    array = np.ones(2)
    copied = plain(array)
    array[0] = 5
    assert copied[0] == 1
    assert plain((1, [2.5, "a"], {"k": None})) == [1, [2.5, "a"], {"k": None}]
    assert plain(np.array([object()])) == Foreign("array of object")
    assert plain(object()) == Foreign("object")
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert plain(nested) == Foreign("list")
    assert plain([[0.0] * 1000] * 1000) == Foreign("list")
    assert plain(np.broadcast_to(1.0, (10**6, 10**6))).type_name.startswith("very large array")


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")


def test_hostile_values_are_foreign():
    for value in (Hostile(), {Hostile(): 1}, [Hostile()]):
        assert "Foreign" in repr(plain(value))


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(3).bfloat16(),
        lambda: torch.ones(3, requires_grad=True),
        lambda: torch.ones(3).conj(),
        lambda: torch.ones(3, device="meta"),
        lambda: torch.eye(3).to_sparse(),
    ],
)
def test_tensors_become_arrays_or_foreign(make):
    value = plain(make())
    assert isinstance(value, Foreign) or value.tolist() == [1, 1, 1]


def test_messages_of_errors_are_cut_and_may_fail():
    class Nameless(Exception):
        def __str__(self):
            raise RuntimeError

    def long(x, W, c):
        raise ValueError("x" * 10_000)

    def nameless(x, W, c):
        raise Nameless

    assert len(messages.text(verdict("affine", affine=long))) < 1500
    assert "cannot be written" in messages.text(verdict("affine", affine=nameless))


def test_the_notebooks_error_state_does_not_matter():
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        result = verdict("lowest_point", lowest_point=lambda A, b: np.full(len(b), 1e300))
    assert result.status == Status.WRONG_VALUE


def test_a_changed_type_of_an_argument_is_a_change():
    def affine(x, W, c):
        y = x @ W.T + c
        x.dtype = "S8"
        return y

    assert verdict("affine", affine=affine).status == Status.CHANGED


def test_long_values_are_shown_by_their_shape():
    assert show(np.zeros((50, 2))) == "an array of shape (50, 2)"
    assert len(show("x" * 1000)) < 200


def test_names_are_unique_and_belong_to_their_lesson():
    modules = [part for name, part in vars(checks).items() if name.startswith("lesson_")]
    every = [exercise for module in modules for exercise in module.EXERCISES]
    assert len({exercise.name for exercise in every}) == len(every) == len(EXERCISES)
    for module in modules:
        assert {exercise.lesson for exercise in module.EXERCISES} == {module.LESSON}


def test_probes_know_no_right_values():
    for exercise in EXERCISES.values():
        assert "reference" not in exercise.probe
        assert "expected" not in exercise.probe
        assert (exercise.kind == "module") == bool(exercise.probe)


def test_checks_import_no_torch():
    code = "import sys, course_utils.checks.notebook; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# what a learner calls


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


def test_a_call_that_fails_is_a_finding_not_an_error():
    def call(*_):
        raise CallFailed(Status.TOO_SLOW, "the process ended")

    result = judge(EXERCISES["affine"], call)
    assert result.status == Status.TOO_SLOW
    assert [finding.message for finding in result.findings] == ["the process ended"]
