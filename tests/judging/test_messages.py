"""A verdict shows what a learner may read, and nothing of it is markup."""

import numpy as np

from course_utils.checks import EXERCISES
from course_utils.judging import messages
from course_utils.judging.call import local_call
from course_utils.judging.judge import judge
from tests.judging import verdict


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
