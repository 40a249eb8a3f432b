"""The `course` command. A subcommand imports what it needs when it is called."""

from typing import Annotated

try:
    import typer
except ModuleNotFoundError:
    raise SystemExit(
        "The `course` command is for authors and needs the test tools: "
        "run `make test`, or pip install 'residual-course[test]'."
    ) from None

main = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@main.callback()
def _course():
    """Write what is generated in the Residual Course."""


@main.command()
def lessons(
    stems: Annotated[list[str] | None, typer.Argument(help="such as 01; all if none")] = None,
):
    """Run the lessons from top to bottom and store their outputs."""
    from course_utils.authoring import lessons

    lessons.run(tuple(stems or ()))


@main.command()
def exercises():
    """Write exercises/ from solutions/, and figure.svg."""
    from course_utils.authoring import exercises, figure

    for path in exercises.write_all():
        typer.echo(f"written: {path.name} in {path.parent.name}/")
    figure.write()


@main.command()
def quiet_lab():
    """Switch off nbgrader's extensions of JupyterLab in this environment."""
    import json
    import sys
    from pathlib import Path

    extensions = ("formgrader", "validate_assignment", "assignment_list", "course_list")
    off = {f"nbgrader.server_extensions.{name}": False for name in extensions}
    config = Path(sys.prefix) / "etc" / "jupyter"
    files = {
        # read after nbgrader's own file, so it has the last word
        config / "jupyter_server_config.d" / "zz-course.json": {
            "ServerApp": {"jpserver_extensions": off}
        },
        config / "labconfig" / "page_config.json": {
            "disabledExtensions": {"@jupyter/nbgrader": True}
        },
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
