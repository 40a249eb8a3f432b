"""Measure each notebook's kernel; print a table and fail the run past a budget.

CPU seconds stretch where other jobs share the processor, by up to two. So a small job of known
length runs between the cells, and the budgets hold for seconds of an undisturbed core.
"""

import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

CPU_SECONDS = 60
MEAN_CPU_SECONDS = 25  # over the lessons
NOISE = 1.25  # what the small job below does not see of a busy machine
KERNEL_MB = 800  # with a server of 100 MB that makes 900
JOB_SECONDS = 1.1e-3  # of `job`, undisturbed, where the budgets were set


@dataclass
class Use:
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    jobs: list = field(default_factory=list)  # seconds of `job`, once after each cell

    @property
    def slowness(self):
        """How many times as long as undisturbed the CPU takes; never below 1."""
        return max(1.0, statistics.mean(self.jobs) / JOB_SECONDS) if self.jobs else 1.0

    @property
    def quiet_seconds(self):
        return self.cpu_seconds / self.slowness


def job():
    """Do what lessons spend their time on, a millisecond of it; return the CPU seconds."""
    W, h = np.full((3, 32, 33), 0.01, np.float32), np.ones((3, 33, 64), np.float32)
    start = time.process_time()
    for _ in range(150):
        np.tanh(W @ h)
    return time.process_time() - start


def quickest(work, rounds=10):
    """Do some work again and again; return its fewest seconds of an undisturbed core."""
    costs, jobs = [], [job()]
    for _ in range(rounds):
        start = time.process_time()
        work()
        costs.append(time.process_time() - start)
        jobs.append(job())
    # of the jobs around it the quicker: one that alone was disturbed does not excuse the work
    around = map(min, pairwise(jobs))
    quiet = min(
        Use(cost, jobs=[one]).quiet_seconds for cost, one in zip(costs, around, strict=True)
    )
    return quiet / NOISE if Use(jobs=jobs).slowness > NOISE else quiet


def measure(process, before=None):
    """CPU seconds and peak memory of a kernel; where the system keeps no peak, the largest seen."""
    before = before or Use()
    times = process.cpu_times()
    peak = process.memory_info().rss
    if sys.platform == "linux":
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        peak = 1024 * int(status.split("VmHWM:")[1].split()[0])
    cpu_seconds, peak_mb = times.user + times.system, max(before.peak_mb, peak / 2**20)
    return Use(cpu_seconds, peak_mb, [*before.jobs, job()])


def faults(uses):
    """What is past its budget, a sentence each."""
    found = []
    for name, use in uses.items():
        if use.quiet_seconds > CPU_SECONDS:
            found.append(f"{name} took {use.quiet_seconds:.0f} CPU seconds, at most {CPU_SECONDS}")
        if use.peak_mb > KERNEL_MB:
            found.append(f"the kernel of {name} took {use.peak_mb:.0f} MB, at most {KERNEL_MB}")
    lessons = [use.quiet_seconds for name, use in uses.items() if name.startswith("notebooks")]
    if lessons and statistics.mean(lessons) > NOISE * MEAN_CPU_SECONDS:
        found.append(
            f"the lessons took {statistics.mean(lessons):.0f} CPU seconds on average, "
            f"at most {MEAN_CPU_SECONDS}"
        )
    return found


def table(uses):
    """Lines of the table."""
    rows = [f"{'notebook':42s} {'CPU s':>6s} {'slowed by':>10s} {'quiet s':>8s} {'peak MB':>8s}"]
    for name, use in sorted(uses.items()):
        seconds = f"{use.cpu_seconds:6.1f} {use.slowness:10.1f} {use.quiet_seconds:8.1f}"
        rows.append(f"{name:42s} {seconds} {use.peak_mb:8.0f}")
    return rows


USES = pytest.StashKey()


def pytest_configure(config):
    config.stash[USES] = {}


@pytest.hookimpl(tryfirst=True)  # after the last cell, too: then the teardown ends the kernel
def pytest_runtest_teardown(item):
    kernel = getattr(item.parent, "kernel", None)
    if type(item).__name__ != "IPyNbCell" or kernel is None or not kernel.is_alive():
        return
    uses = item.config.stash[USES]
    path = str(item.path.relative_to(item.config.rootpath))
    name = getattr(item.parent, "row", path)
    process = psutil.Process(kernel.km.provisioner.process.pid)
    uses[name] = measure(process, uses.get(name))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over what a worker of pytest-xdist has measured."""
    for name, use in getattr(node, "workeroutput", {}).get("uses", {}).items():
        node.config.stash[USES][name] = Use(**use)


def pytest_sessionfinish(session):
    uses = session.config.stash[USES]
    if hasattr(session.config, "workeroutput"):  # a worker: whoever began it judges them all
        session.config.workeroutput["uses"] = {name: asdict(use) for name, use in uses.items()}
    elif faults(uses) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    uses = config.stash[USES]
    if not uses:
        return
    terminalreporter.section("notebooks")
    for line in table(uses):
        terminalreporter.line(line)
    for line in faults(uses):
        terminalreporter.line(f"OVER BUDGET: {line}", red=True)
