"""Each status is told apart, in words that say what was expected and what came."""

import warnings

import numpy as np
import pytest

from course_utils.checks import EXERCISES
from course_utils.judging import messages
from course_utils.judging.call import local_call
from course_utils.judging.judge import judge
from course_utils.judging.protocol import CallFailed, Status
from tests.judging import verdict


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


def test_a_call_that_fails_is_a_finding_not_an_error():
    def call(*_):
        raise CallFailed(Status.TOO_SLOW, "the process ended")

    result = judge(EXERCISES["affine"], call)
    assert result.status == Status.TOO_SLOW
    assert [finding.message for finding in result.findings] == ["the process ended"]
