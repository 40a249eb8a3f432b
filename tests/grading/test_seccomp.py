"""Where no filter of system calls is written for a machine, the instructor is told."""

import pytest

from course_utils.grading import command


def said(folder, capsys, kind="bubblewrap", cluster=None):
    """What a run tells before it finds that there is nothing to mark."""
    out = folder.parent / "out"
    assert command.run(folder, out, 1, kind, cluster, None, None, None) == 2
    told = capsys.readouterr().err
    assert "there are no notebooks" in told
    return told


@pytest.fixture
def unknown(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.usefixtures("unknown")
def test_a_machine_without_a_filter_is_named_once_with_what_is_still_in_force(folder, capsys):
    told = said(folder, capsys)
    assert told.count("riscv64") == 1
    assert "it is written for x86_64 and aarch64, this is riscv64" in told
    assert "Still in force: no network, no home" in told


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_where_the_filter_is_in_force_nothing_is_said(machine, folder, capsys, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert "system calls" not in said(folder, capsys)


@pytest.mark.usefixtures("unknown")
def test_where_there_is_no_wall_at_all_no_filter_is_missed(folder, capsys):
    told = said(folder, capsys, kind="none")
    assert "with your own rights" in told
    assert "system calls" not in told


@pytest.mark.slow
@pytest.mark.usefixtures("unknown")
def test_on_a_cluster_the_workers_machines_count(folder, capsys):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, processes=False, dashboard_address=None) as cluster:
        assert "this is riscv64" in said(folder, capsys, cluster=cluster.scheduler_address)
