"""A call ends in time, and quotes the learner's own line."""

import dataclasses
import linecache
import signal
import time

import numpy as np
import pytest

from course_utils.checks import EXERCISES
from course_utils.judging import messages
from course_utils.judging.call import local_call
from course_utils.judging.judge import judge
from course_utils.judging.protocol import Status
from tests.judging import verdict


def cell(source):
    """Run a cell whose lines can be quoted."""
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    namespace = {"np": np}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace


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
