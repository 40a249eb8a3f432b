import os

import psutil

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


def test_the_table_has_a_row_per_notebook():
    rows = budget.table({"notebooks/a": Use(12.6, 299.6, [1.5 * budget.JOB_SECONDS])})
    assert rows[1].split() == ["notebooks/a", "12.6", "1.5", "8.4", "300"]
