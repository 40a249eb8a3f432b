import os
import time

import psutil
import pytest

from tests import budget
from tests.budget import Use


def test_what_is_past_a_budget_is_named():
    assert budget.faults({"notebooks/a": Use(10, 300), "exercises/b": Use(59, 799)}) == []
    assert budget.faults({"exercises/b": Use(61, 1)}) == [
        "exercises/b took 61 CPU seconds, at most 60"
    ]
    assert budget.faults({"notebooks/a": Use(1, 900)}) == [
        "the kernel of notebooks/a took 900 MB, at most 800"
    ]
    assert budget.faults({"exercises/b": Use(100, 1, [2 * budget.JOB_SECONDS])}) == []
    assert budget.faults({"exercises/b": Use(61, 1, [0.5 * budget.JOB_SECONDS])})  # a fast core
    assert "40 CPU seconds on average" in budget.faults({"notebooks/a": Use(40, 1)})[0]


def test_a_process_is_measured():
    use = budget.measure(psutil.Process(os.getpid()))
    assert use.cpu_seconds > 0
    assert 10 < use.peak_mb < 5000
    again = budget.measure(psutil.Process(os.getpid()), use)
    assert len(again.jobs) == 2
    assert min(again.jobs) > 0


@pytest.mark.parametrize(
    ("slowness", "expected"),
    [
        ((1, 1, 1, 1), 2),  # of 3, 6, 2
        ((0.5, 0.5, 0.5, 0.5), 2),  # on a fast core
        ((1, 1, 1, 1.9), 2),  # a job that was disturbed alone
        ((1, 2, 4, 4), 2 / 4 / budget.NOISE),  # of 3 / 1, 6 / 2, 2 / 4
    ],
)
def test_the_quickest_round_counts_in_seconds_of_an_undisturbed_core(
    slowness, expected, monkeypatch
):
    clock = iter([0, 3, 3, 9, 9, 11])
    jobs = iter([budget.JOB_SECONDS * one for one in slowness])
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    monkeypatch.setattr(budget, "job", lambda: next(jobs))
    assert budget.quickest(lambda: None, rounds=3) == pytest.approx(expected)


def test_the_table_has_a_row_per_notebook():
    rows = budget.table({"notebooks/a": Use(12.6, 299.6, [1.5 * budget.JOB_SECONDS])})
    assert rows[1].split() == ["notebooks/a", "12.6", "1.5", "8.4", "300"]
