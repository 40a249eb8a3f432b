"""What the project says about itself agrees with what it is."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from course_utils.authoring import minutes, readme
from course_utils.checks import EXERCISES
from tests import house

CONDA_NAMES = {"matplotlib": "matplotlib-base", "torch": "pytorch-cpu"}
STEMS = house.stems("notebooks")


def text(name):
    return (house.ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(text("pyproject.toml"))["project"]
ENVIRONMENT = yaml.safe_load(text("environment.yml"))


def conda_faults(dependencies):
    """How environment.yml and pyproject.toml differ."""
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"]]
    wanted = set()
    for requirement in map(Requirement, needed):
        wanted.add(f"{CONDA_NAMES.get(requirement.name, requirement.name)}{requirement.specifier}")
    listed = {line for line in dependencies if not line.startswith(("python=", "pip"))}
    return sorted(wanted ^ listed)


def test_environment_yml_asks_for_what_pyproject_asks_for():
    assert conda_faults(ENVIRONMENT["dependencies"]) == []
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    assert "python=3.12" in ENVIRONMENT["dependencies"]


def test_a_missing_or_older_package_is_noticed():
    dependencies = ENVIRONMENT["dependencies"]
    assert conda_faults([line for line in dependencies if "numpy" not in line]) == ["numpy>=2"]
    assert conda_faults([*dependencies, "pandas>=2"]) == ["pandas>=2"]


def test_every_dependency_is_pinned_and_cuda_is_not():
    pinned = {}
    for line in text("constraints.txt").splitlines():
        requirement = Requirement(line)
        pinned.setdefault(requirement.name.lower().replace("_", "-"), []).append(requirement)
    extras = [
        line
        for lines in PROJECT["optional-dependencies"].values()
        for line in lines
        if not line.startswith("residual-course[")
    ]
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        pins = pinned[requirement.name]
        for pin in pins:
            (version,) = [clause.version for clause in pin.specifier]
            assert requirement.specifier.contains(version), requirement.name
    assert str(pinned["torch"][0]) == "torch==2.13.0"
    assert not [name for name in pinned if name.startswith(("nvidia", "cuda", "triton"))]


@pytest.mark.parametrize("stem", STEMS)
def test_the_readme_tells_each_lessons_question_minutes_and_memory(stem):
    card = house.read("notebooks", stem).cells[0].source
    mine = [exercise for exercise in EXERCISES.values() if exercise.lesson == stem]
    faults = house.readme_rows(text("README.md"), stem, card, mine)
    assert faults == [], "\n".join(faults)


@pytest.mark.parametrize("stem", STEMS)
def test_the_stated_minutes_are_those_that_the_formula_gives(stem):
    lesson = house.read("notebooks", stem)
    assert f"**Time** {minutes.reading(lesson)} minutes here" in lesson.cells[0].source


def test_the_readme_tells_of_every_lesson_and_of_no_other():
    lessons = readme.rows(text("README.md"), readme.LESSONS)
    assert lessons == readme.table(house.ROOT), "stale: run `make exercises`"
    measured = readme.rows(text("README.md"), readme.MEMORY)
    assert [row.split()[1] for row in measured] == [stem[:2] for stem in STEMS]


def lost_places(log):
    """Which cells and files that a log names are not there."""
    files = re.findall(r"`(results/[^`]+)`", log)
    lost = [name for name in files if not (house.ROOT / "notebooks" / name).is_file()]
    cells = {(stem[:2], cell.id) for stem in STEMS for cell in house.read("notebooks", stem).cells}
    named = re.findall(r"\((\d\d) `([^`]+)`\)", log)
    return lost + [f"{number} {cell}" for number, cell in named if (number, cell) not in cells]


def test_the_log_of_negative_results_names_cells_and_files_that_are_there():
    log = text("notebooks/negative_results.md")
    assert lost_places(log) == []
    assert lost_places(log + "(07 `lost`) `results/99.json`") == ["results/99.json", "07 lost"]


def test_the_readmes_links_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', text(name)):
            target = "".join(target)
            if not target.startswith("http"):
                assert (house.ROOT / target).exists(), f"{name}: {target}"


def test_the_citation_names_this_version():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_ci_runs_the_readmes_test_command():
    assert "make test" in text("README.md")
    assert "\nmake test\n" in text(".ci/run")
    jobs = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]
    assert any("bash .ci/run" in str(job) for job in jobs.values())


@pytest.mark.skipif(shutil.which("make") is None, reason="Windows has no make")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["PYTHON=false"], "Set-up stopped at: check Python."),
        (["PYTHON=false"], "make PYTHON=python3.12 lab"),
        (["PIP=false"], "Set-up stopped at: install PyTorch"),
        (["PIP=false"], "Then type the same make command again"),
    ],
)
def test_a_failed_set_up_names_the_step_and_how_to_go_on(tmp_path, settings, words):
    environment = tmp_path / "venv"
    if "PIP=false" in settings:
        environment.mkdir()
        (environment / ".python").touch()
    command = ["make", f"VENV={environment}", *settings, f"{environment}/.lab"]
    clean = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
    run = subprocess.run(command, cwd=house.ROOT, env=clean, capture_output=True, text=True)
    assert run.returncode != 0
    assert words in run.stderr
    assert not (environment / ".lab").exists()


def test_binder_installs_the_course_without_its_dependencies():
    assert "--no-deps" in text("postBuild")  # they come from environment.yml, once


def test_the_long_measurements_are_repeated_every_week():
    week = yaml.safe_load(text(".github/workflows/weekly.yml"))
    assert "schedule" in week[True]  # YAML reads `on` as true
    assert any("make results ARGS=--check" in str(job) for job in week["jobs"].values())
