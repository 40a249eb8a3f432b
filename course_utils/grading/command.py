"""What `course grade` does and prints."""

import sys
from pathlib import Path

from course_utils.grading import batch, report, seccomp
from course_utils.grading.files import Unreadable
from course_utils.grading.private import PrivateError
from course_utils.grading.sandbox import SandboxUnavailable

NO_WALL = (
    "--sandbox none: submissions run with your own rights. They can read and delete your files "
    "and use your network."
)
NO_FILTER = (
    "The filter of system calls is not in force: it is written for {known}, this is {machine}. "
    "An answer may trace its own processes, make namespaces and call what has a history of holes "
    "in the kernel. Still in force: no network, no home, few files and those read-only, a user "
    "without rights, other submissions out of sight, limits on time, memory and processes. Keep "
    "the kernel patched; for exams use one of the machines above."
)


def run(submissions, out, jobs, kind, cluster, checks, seed_file, explain) -> int:
    """Mark, write the reports, and say what was done.

    Parameters
    ----------
    submissions, out : Path
    jobs : int
    kind : {"bubblewrap", "none"}
    cluster : str or None
    checks, seed_file : Path or None
    explain : str or None

    Returns
    -------
    int
        0; 1 if something could not be marked through a fault of ours; 2 if the run cannot
        begin; 130 if it was interrupted.
    """
    if kind not in ("bubblewrap", "none"):
        return _fail(f"--sandbox is bubblewrap or none, got {kind}")
    if jobs == 0:
        return _fail("--jobs is a number of processes, or -1 for one per core, got 0")
    if kind == "none":
        print(NO_WALL, file=sys.stderr)
    out = Path(out)
    try:
        settings = batch.settings(kind, checks, seed_file)
        if kind == "bubblewrap" and (bare := batch.machines(cluster) - seccomp.TABLES.keys()):
            names = " and ".join(seccomp.TABLES), " and ".join(sorted(bare))
            print(NO_FILTER.format(known=names[0], machine=names[1]), file=sys.stderr)
        entries, marked = batch.grade(submissions, out, settings, jobs, cluster)
        counts = report.write(entries, out, settings)
    except (batch.GradingError, PrivateError, SandboxUnavailable, Unreadable, OSError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print(f"Interrupted. What was marked is kept in {out}; run again to go on.")
        return 130
    if explain is not None:
        text = report.explain(entries, out, settings, explain) or f"nobody is called {explain!r}"
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding))
        return 2 if text.startswith("nobody is called") else 0
    print(
        f"{counts['submissions']} submissions: {marked} marked now, "
        f"{counts['problems']} to look at. See {out / 'summary.html'}"
    )
    if counts["errors"]:
        return _fail(f"{counts['errors']} submissions met an error of the grader", code=1)
    return 0


def _fail(message, code=2):
    print(message, file=sys.stderr)
    return code
