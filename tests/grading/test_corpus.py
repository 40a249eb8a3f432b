"""Every submission of the corpus gets its due mark; every attack is shown to be one first."""

import ctypes
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from course_utils.grading import batch, report, sandbox
from course_utils.grading.mark import Limits
from tests.grading.corpus import ATTACKS, CASES
from tests.house import ROOT

pytestmark = pytest.mark.slow
QUICK = Limits(cell=2, cells=8, patience=2.5, total=60)
OPEN = {name: case for name, case in CASES.items() if case.open_wall}
DECEIVED = {name: case for name, case in CASES.items() if case.same_process}


class World:
    """What an attack would like to reach, in a folder that is thrown away."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "secret").write_text("the-secret")
        (folder / "victim.ipynb").write_text("untouched")
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(0.2)
        if sys.platform == "linux":  # as a login leaves its tickets
            libc = ctypes.CDLL(None)
            libc.syscall(250, 1, None)
            libc.syscall(248, b"user", f"trace-of-{os.getpid()}-host".encode(), b"x", 1, -3)
        self.victim = subprocess.Popen(["sleep", "600"])
        self.places = {
            "{folder}": str(folder),
            "{root}": str(ROOT),
            "{port}": str(self.server.getsockname()[1]),
            "{pid}": str(self.victim.pid),
            "{trace}": f"trace-of-{os.getpid()}",
        }

    def submit(self, cases):
        inbox = self.folder / "submitted"
        for name, case in cases.items():
            content = case.content
            for place, value in self.places.items():
                content = content.replace(place.encode(), value.encode())
            (inbox / name).mkdir(parents=True)
            (inbox / name / "00_start_here.ipynb").write_bytes(content)
        return inbox

    def connected(self):
        try:
            self.server.accept()[0].close()
        except TimeoutError:
            return False
        return True

    def beats(self):
        file = self.folder / "heartbeat"
        before = file.stat().st_size if file.exists() else 0
        time.sleep(0.5)
        return file.exists() and file.stat().st_size > before

    def close(self):
        self.server.close()
        self.victim.kill()
        self.victim.wait()
        for process in psutil.process_iter(["cmdline"]):
            if str(self.folder) in " ".join(process.info["cmdline"] or []):
                process.kill()


def graded(world, cases, kind, jobs):
    """Result and points of each case."""
    settings = dataclasses.replace(batch.settings(kind), limits=QUICK)
    if jobs == 1:
        sandbox.shared(kind).close()  # one that runs already does not know this world
    out = world.folder / "results"
    entries, _ = batch.grade(world.submit(cases), out, settings, jobs=jobs)
    report.write(entries, out, settings)
    results = {}
    for entry, marks in report.results(entries, out, settings):
        results[entry.submission.student] = marks
    return results


def points(marks):
    return sum(one["points"] for one in marks["exercises"])


def said(marks):
    parts = [marks["problem"], *marks["notes"]]
    for one in marks["exercises"]:
        parts += [one["reason"], one["text"], one["status"]]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def walled(tmp_path_factory, sandboxed):
    world = World(tmp_path_factory.mktemp("walled"))
    yield world, graded(world, CASES, "bubblewrap", jobs=2)
    world.close()


@pytest.fixture(scope="module")
def wide_open(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("open"))
    yield world, graded(world, OPEN, "none", jobs=1)
    (world.folder / "stop").touch()
    world.close()


@pytest.mark.parametrize("name", CASES)
def test_everyone_gets_the_due_mark(walled, name):
    case, marks = CASES[name], walled[1][name]
    least, most = case.due
    assert least <= points(marks) <= most, said(marks)
    assert case.says in said(marks)
    assert not case.hides or case.hides not in said(marks)
    assert not any(one["error"] for one in marks["exercises"])


def test_nothing_outside_the_sandbox_was_touched(walled):
    world, _ = walled
    assert (world.folder / "victim.ipynb").read_text() == "untouched"
    assert not (world.folder / "written").exists()
    assert not world.connected()
    assert world.victim.poll() is None
    assert not (world.folder / "heartbeat").exists()


@pytest.mark.parametrize("name", OPEN)
def test_without_a_wall_the_attack_succeeds(wide_open, name):
    marks = wide_open[1][name]
    if OPEN[name].as_root and os.geteuid() != 0:
        pytest.skip("only root may do that")
    assert OPEN[name].open_wall(said(marks), points(marks)), said(marks)


def test_without_a_wall_the_traces_are_there(wide_open):
    world, _ = wide_open
    assert (world.folder / "victim.ipynb").read_text() == "x"
    assert (world.folder / "written").exists()
    assert world.connected()
    assert world.victim.wait(5) == -signal.SIGKILL
    assert world.beats()


@pytest.fixture(scope="module")
def deceived(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deceived")
    command = [sys.executable, "-m", "tests.grading.same_process"]
    for index, case in enumerate(DECEIVED.values()):
        file = folder / f"{index}.ipynb"
        file.write_bytes(case.content)
        command += [str(file), case.same_process]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60)
    return dict(zip(DECEIVED, map(int, run.stdout.split()), strict=True))


@pytest.mark.parametrize("name", DECEIVED)
def test_in_one_process_the_attack_earns_points(deceived, name):
    assert deceived[name] > 0


def test_there_are_enough_of_each():
    assert len(CASES) >= 40
    assert len(ATTACKS) >= 25
