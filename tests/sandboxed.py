"""Tests that need a sandbox: left out where there is none, and counted at the end of the run."""

import os

import pytest

WHY = "no sandbox: "


@pytest.fixture(scope="session")
def sandboxed():
    """Skip where there is no sandbox, unless one is demanded."""
    from course_utils.grading.sandbox import Sandbox, SandboxUnavailable  # not for Windows

    try:
        Sandbox().close()
    except SandboxUnavailable as error:
        reason = str(error).splitlines()[1].strip()
        # what bubblewrap does not say is a fault in what runs inside
        if os.environ.get("COURSE_NEED_SANDBOX") or "bwrap" not in reason:
            raise
        pytest.skip(WHY + reason)


@pytest.hookimpl(trylast=True)  # what is missing is said last
def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [text for text in (str(report.longrepr[2]) for report in skipped) if WHY in text]
    if reasons:
        count = f"{len(reasons)} grading tests were" if reasons[1:] else "1 grading test was"
        terminalreporter.section("grading")
        terminalreporter.line(
            f"{count} skipped: {reasons[0].split(WHY)[1]}. They need bubblewrap: "
            "apt install bubblewrap on Debian and Ubuntu; for other systems see INSTRUCTORS.md.",
            yellow=True,
        )
