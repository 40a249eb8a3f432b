"""The `course` command. A subcommand imports what it needs when it is called."""

import sys
from pathlib import Path
from typing import Annotated

try:
    import typer
except ModuleNotFoundError:
    raise SystemExit(
        "The `course` command is for instructors and authors: "
        "run `make test`, or pip install -e '.[grade]' or '.[test]'."
    ) from None

main = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
begin = typer.Typer(no_args_is_help=True)
main.add_typer(
    begin, name="new", help="Begin a lesson, an exercise or a panel: write its files as stubs."
)


@main.callback()
def _course():
    """Mark submissions of the Residual Course, and write what is generated in it."""


@main.command()
def lessons(
    stems: Annotated[list[str] | None, typer.Argument(help="such as 01; all if none")] = None,
):
    """Run the lessons from top to bottom and store their outputs."""
    from course_utils.authoring import lessons

    lessons.run(tuple(stems or ()))


@main.command()
def exercises():
    """Write exercises/ from solutions/, the lesson table of README.md, and figure.svg."""
    from course_utils.authoring import exercises, figure, readme

    try:
        written = exercises.write_all() + readme.write()
    except ValueError as error:  # an answer whose markers are amiss, a title card without minutes
        raise SystemExit(str(error)) from None
    _tell(written)
    figure.write()


@begin.command()
def lesson(
    stem: Annotated[str, typer.Argument(help="NN_noun_phrase, such as 13_residual_stream")],
):
    """Write every file that a lesson needs, as stubs; say what to do next."""
    from course_utils.authoring import new

    _begun(new.lesson, stem)


@begin.command()
def exercise(
    number: Annotated[str, typer.Argument(help="the lesson, such as 13")],
    name: Annotated[str, typer.Argument(help="what a learner defines, such as stream_size")],
    kind: Annotated[str, typer.Option(help="function, module, choice, number or free")] = (
        "function"
    ),
    required: Annotated[bool, typer.Option("--required", help="one of two in its lesson")] = False,
    minutes: Annotated[int, typer.Option(min=1, help="for a learner")] = 5,
    difficulty: Annotated[int, typer.Option(min=1, max=3)] = 1,
    points: Annotated[int, typer.Option(min=1)] = 1,
):
    """Write every file that an exercise needs, as stubs; say what to do next."""
    from course_utils.authoring import new

    _begun(new.exercise, number, name, kind, required, minutes, difficulty, points)


@begin.command()
def panel(
    name: Annotated[str, typer.Argument(help="of its file and function, such as stream_size")],
):
    """Write the file that a panel needs, as a stub; say what to do next."""
    from course_utils.authoring import new

    _begun(new.panel, name)


def _begun(make, *words):
    try:
        written, todo = make(*words)
    except (ValueError, OSError) as error:  # a bad name, or one that is taken
        raise SystemExit(str(error)) from None
    _tell(written)
    typer.echo(f"\n{todo}", nl=False)


def _tell(written):
    from course_utils.authoring.notebooks import ROOT

    for path in written:
        typer.echo(f"written: {path.relative_to(ROOT).as_posix()}")


@main.command()
def results(
    stems: Annotated[list[str] | None, typer.Argument(help="such as 04; all if none")] = None,
    check: Annotated[bool, typer.Option("--check", help="compare with what is stored")] = False,
):
    """Run notebooks/results/NN.py and store what it measures, or compare it."""
    from course_utils.authoring import results

    if not check:
        results.run(tuple(stems or ()))
    elif faults := results.check(tuple(stems or ())):
        typer.echo("\n".join(faults))
        sys.exit(1)


@main.command()
def stress(
    stems: Annotated[list[str] | None, typer.Argument(help="such as 05; all if none")] = None,
    once: Annotated[
        str | None, typer.Option(help="one run, such as AVX2-3; stores nothing")
    ] = None,
):
    """Run lessons under three arithmetics and five seeds; store how safely asserts hold."""
    from course_utils.authoring import stress

    arithmetic, _, seed = (once or "").partition("-")
    if once and not (arithmetic in stress.ARITHMETICS and seed.isdecimal()):
        known = ", ".join(stress.ARITHMETICS)
        raise typer.BadParameter(f"an arithmetic of {known} and a seed are wanted, got {once!r}")
    if faults := stress.run(tuple(stems or ()), once=(arithmetic, int(seed)) if once else None):
        typer.echo("\n".join(faults))
        sys.exit(1)


@main.command()
def grade(
    submissions: Annotated[Path, typer.Argument(help="a folder or a zip file of notebooks")],
    out: Annotated[Path, typer.Option(help="folder for grades.csv, feedback and summary")],
    jobs: Annotated[int, typer.Option(help="processes; -1 is one per core")] = -1,
    sandbox: Annotated[str, typer.Option(help="bubblewrap; none: YOUR rights, no wall")] = (
        "bubblewrap"
    ),
    cluster: Annotated[str | None, typer.Option(help="a dask scheduler, tcp://host:8786")] = None,
    checks: Annotated[Path | None, typer.Option(help="folder with your own cases")] = None,
    seed_file: Annotated[Path | None, typer.Option(help="a text that draws all cases")] = None,
    explain: Annotated[str | None, typer.Option(help="print this student's results")] = None,
):
    """Mark a folder of submissions; what is marked already is not marked again."""
    import signal

    from course_utils.grading import command

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C: nothing is lost
    sys.exit(command.run(submissions, out, jobs, sandbox, cluster, checks, seed_file, explain))
