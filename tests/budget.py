"""Measure each notebook's kernel; print a table and fail the run past a budget."""

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

CPU_SECONDS = 60
MEAN_CPU_SECONDS = 25  # over the lessons
KERNEL_MB = 800  # with a server of 100 MB that makes 900


@dataclass
class Use:
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0


def measure(process, before=None):
    """CPU seconds and peak memory of a kernel; where the system keeps no peak, the largest seen."""
    before = before or Use()
    times = process.cpu_times()
    peak = process.memory_info().rss
    if sys.platform == "linux":
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        peak = 1024 * int(status.split("VmHWM:")[1].split()[0])
    return Use(times.user + times.system, max(before.peak_mb, peak / 2**20))


def faults(uses):
    """What is past its budget, a sentence each."""
    found = []
    for name, use in uses.items():
        if use.cpu_seconds > CPU_SECONDS:
            found.append(f"{name} took {use.cpu_seconds:.0f} CPU seconds, at most {CPU_SECONDS}")
        if use.peak_mb > KERNEL_MB:
            found.append(f"the kernel of {name} took {use.peak_mb:.0f} MB, at most {KERNEL_MB}")
    lessons = [use.cpu_seconds for name, use in uses.items() if name.startswith("notebooks")]
    if lessons and statistics.mean(lessons) > MEAN_CPU_SECONDS:
        found.append(
            f"the lessons took {statistics.mean(lessons):.0f} CPU seconds on average, "
            f"at most {MEAN_CPU_SECONDS}"
        )
    return found


def table(uses):
    """Lines of the table."""
    rows = [f"{'notebook':42s} {'CPU s':>6s} {'peak MB':>8s}"]
    rows += [f"{n:42s} {u.cpu_seconds:6.1f} {u.peak_mb:8.0f}" for n, u in sorted(uses.items())]
    return rows


def pytest_configure(config):
    config.stash[USES] = {}


USES = pytest.StashKey()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    kernel = getattr(item.parent, "kernel", None)
    if type(item).__name__ != "IPyNbCell" or kernel is None or not kernel.is_alive():
        return
    uses = item.config.stash[USES]
    name = str(item.path.relative_to(item.config.rootpath))
    process = psutil.Process(kernel.km.provisioner.process.pid)
    uses[name] = measure(process, uses.get(name))


def pytest_sessionfinish(session):
    if faults(session.config.stash[USES]) and session.exitstatus == 0:
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
