"""Spread a run over all cores: what stays together in one worker, and what begins first.

It acts where pytest-xdist is asked for: `python -m pytest -n auto`, as `make test` does.
"""

import re

import joblib
import psutil
import pytest

WORKER_GB = 1.5  # a worker, a kernel and a sandbox
# what takes minutes begins first, so that no worker is left alone with it at the end
LONG = (
    "tests/grading/test_corpus.py",
    "notebooks/",
    "tests/grading/test_batch.py",
    "tests/test_answers.py CausalBlock",
    "tests/test_widgets.py",
    "tests/test_panel_threads.py",
    "solutions/",
    "exercises",
)


def unit(nodeid):
    """Name what a test shares a worker with: its file, which may build something for all."""
    file = nodeid.split("::")[0]
    if file.startswith("exercises/"):
        return "exercises"  # they share a kernel
    exercise = re.search(r"\[(\w+)", nodeid)
    if file == "tests/test_answers.py" and exercise:
        return f"{file} {exercise[1]}"  # they share verdicts
    return file


def rank(nodeid):
    """Order units: the smaller, the earlier."""
    name = unit(nodeid)
    return next((i for i, start in enumerate(LONG) if name.startswith(start)), len(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    memory_gb = psutil.virtual_memory().total / 2**30
    return max(1, min(joblib.cpu_count(), int(memory_gb / WORKER_GB)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByUnit(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return unit(nodeid)

    config.option.loadscopereorder = False  # keep the order below
    return ByUnit(config, log)


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))
