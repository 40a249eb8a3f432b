"""Each exercise accepts every right answer and names what each wrong one did."""

import functools
import linecache

import numpy as np
import pytest
import torch

from course_utils.checks import EXERCISES
from course_utils.judging import messages
from course_utils.judging.call import local_call
from course_utils.judging.judge import judge
from tests.answers import answers
from tests.other_process import OtherProcess

# some wrong answers overflow, and the messages say so
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
ANSWERS = answers()
RIGHT = [answer for answer in ANSWERS if not answer.fragment]
WRONG = [answer for answer in ANSWERS if answer.fragment]


def slow_if(name):
    """Mark exercises whose answers build or train deep nets: a second for each of them."""
    return pytest.mark.slow if EXERCISES[name].timeout > 5 else ()


def each(chosen):
    cases = [pytest.param(a, id=str(a), marks=slow_if(a.exercise)) for a in chosen]
    return pytest.mark.parametrize("answer", cases)


every_exercise = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=slow_if(name)) for name in EXERCISES]
)


def run(answer):
    """Run the cell as a notebook does, so that its lines can be quoted."""
    file = f"<cell of {answer}>"
    linecache.cache[file] = (len(answer.source), None, answer.source.splitlines(True), file)
    namespace = {"np": np, "torch": torch, "nn": torch.nn, "__name__": "__main__"}
    exec(compile(answer.source, file, "exec"), namespace)
    return namespace


@functools.cache  # the tests of one exercise ask for the same verdicts again and again
def verdict_of(answer, seed=0):
    exercise = EXERCISES[answer.exercise]
    return judge(exercise, local_call(run(answer)), seed=seed, held_back=True)


@each(RIGHT)
def test_a_right_answer_is_correct_and_draws_no_hint(answer):
    verdict = verdict_of(answer)
    assert verdict.correct, messages.text(verdict)
    assert verdict.mistake == ""
    assert verdict.points == verdict.exercise.points


@each(WRONG)
def test_a_wrong_answer_is_told_what_it_did(answer):
    verdict = verdict_of(answer)
    assert not verdict.correct
    assert verdict.points == 0
    assert answer.fragment in messages.text(verdict)
    assert "<pre" in messages.as_html(verdict)


@every_exercise
def test_every_wrong_answer_draws_a_message_of_its_own(name):
    said = [messages.text(verdict_of(answer)) for answer in WRONG if answer.exercise == name]
    assert len(said) >= 5, f"{name} has only {len(said)} wrong answers"
    assert len(set(said)) == len(said)
    named = [verdict_of(answer).mistake for answer in WRONG if answer.exercise == name]
    named = [mistake for mistake in named if mistake]
    assert len(set(named)) == len(named), f"two wrong answers of {name} are taken for the same"


@every_exercise
def test_there_is_a_second_right_answer(name):
    assert sum(answer.exercise == name for answer in RIGHT) >= 2


@pytest.mark.slow
@each(ANSWERS)
def test_the_verdict_does_not_depend_on_the_seed(answer):
    assert verdict_of(answer, seed=1).correct == (not answer.fragment)
    assert verdict_of(answer, seed=1).mistake == verdict_of(answer).mistake


def test_the_six_wrong_blocks_draw_six_messages_and_six_right_ones_none():
    wrong = [messages.text(verdict_of(a)) for a in WRONG if a.exercise == "SkipBlock"][:6]
    assert len(set(wrong)) == 6
    right = [verdict_of(a) for a in RIGHT if a.exercise == "SkipBlock"]
    assert len(right) == 6
    assert all(verdict.correct and not verdict.mistake for verdict in right)


@pytest.fixture(scope="module")
def other_process():
    with OtherProcess() as other:
        yield other


@pytest.mark.slow
@every_exercise
def test_another_process_gives_the_same_verdict(name, other_process):
    for answer in ANSWERS:
        if answer.exercise == name:
            other_process.run(answer.source)
            there = judge(EXERCISES[name], other_process.call, held_back=True)
            here = verdict_of(answer)
            assert there.status == here.status, str(answer)
            assert there.mistake == here.mistake, str(answer)
