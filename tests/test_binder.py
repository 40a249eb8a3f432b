"""Binder's own build packs say what they make of this repository; no Docker is needed."""

import contextlib
import os
import shutil
import subprocess

import pytest

from tests import house

pytestmark = pytest.mark.skipif(os.name == "nt", reason="repo2docker does not run on Windows")
FILES = ("environment.yml", "postBuild", "start", "pyproject.toml")


def build_pack(repo):
    """The pack that Binder would choose for the folder it stands in, or None."""
    app = pytest.importorskip("repo2docker").Repo2Docker()
    for kind in app.buildpacks:
        pack = kind(base_image=app.base_image)
        if pack.detect():
            pack.platform = "linux/amd64"  # mybinder.org's, wherever this test runs
            return pack
    return None  # elsewhere repo2docker has a default; mybinder.org has none and refuses


def hook_faults(pack):
    """How postBuild and start differ from two executables at the top level."""
    found = [*pack.get_post_build_scripts(), pack.get_start_script()]
    expected = ["postBuild", "${REPO_DIR}/start"]
    if found != expected:
        return [f"the hooks are {found}, not {expected}"]
    return [f"{name} is not executable" for name in FILES[1:3] if not os.access(name, os.X_OK)]


def faults(repo):
    """Why Binder would refuse the folder `repo`, or build something else than it should."""
    with contextlib.chdir(repo):  # the packs look at the working directory
        pack = build_pack(repo)
        if pack is None:
            return ["Binder refuses: no build pack finds an environment"]
        if type(pack).__name__ != "CondaBuildPack":
            return [f"{type(pack).__name__} is chosen, not CondaBuildPack"]
        found = hook_faults(pack)
        if pack.environment_yaml_path != "environment.yml":
            found.append(f"the environment is {pack.environment_yaml_path}, not environment.yml")
        if pack.python_version != "3.12":
            found.append(f"Python is {pack.python_version}, not 3.12")
        if not pack.get_preassemble_scripts() or pack.get_assemble_scripts():
            found.append("every commit installs the environment again: it stands after the copy")
        lines = pack.render().splitlines()
        steps = [
            next((number for number, line in enumerate(lines) if words in line), None)
            for words in ("env update -p", "COPY --chown=1000:1000 src/ ", "RUN ./postBuild")
        ]
        if None in steps or steps != sorted(steps):
            found.append(f"install, copy, postBuild stand on lines {steps} of the Dockerfile")
    return found


def test_binder_builds_this_repository():
    assert faults(house.ROOT) == []


def rewrite(repo, old, new):
    path = repo / "environment.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


TRAPS = {
    "the course among the packages": (
        lambda repo: rewrite(repo, "  - pip\n", "  - pip\n  - pip: [-e .]\n"),
        "every commit installs the environment again",
    ),
    "a list of packages in another file": (
        lambda repo: rewrite(repo, "  - pip\n", "  - pip\n  - pip: [-r requirements.txt]\n"),
        "install, copy, postBuild stand on lines",
    ),
    "a lower bound for Python": (
        lambda repo: rewrite(repo, "python=3.12", "python>=3.12"),
        "Python is 3.10, not 3.12",
    ),
    "a channel before Python": (
        lambda repo: rewrite(repo, "python=3.12", "conda-forge::python=3.12"),
        "Python is 3.10, not 3.12",
    ),
    "a folder called binder": (lambda repo: (repo / "binder").mkdir(), "Binder refuses"),
    "an environment of its own in .binder": (
        lambda repo: shutil.copytree(repo, repo / ".binder", ignore=shutil.ignore_patterns(".*")),
        "the environment is .binder/environment.yml",
    ),
    "a Dockerfile": (
        lambda repo: (repo / "Dockerfile").write_text("FROM scratch\n"),
        "DockerBuildPack is chosen",
    ),
    "no environment.yml": (
        lambda repo: (repo / "environment.yml").unlink(),
        "PythonBuildPack is chosen",
    ),
    "no postBuild": (lambda repo: (repo / "postBuild").unlink(), "the hooks are"),
    "no start": (lambda repo: (repo / "start").unlink(), "the hooks are"),
    "start is no program": (
        lambda repo: (repo / "start").chmod(0o644),
        "start is not executable",
    ),
}


@pytest.fixture
def copy(tmp_path):
    """A small repository that Binder builds as it builds the course."""
    for name in FILES:
        shutil.copy2(house.ROOT / name, tmp_path)  # with its permissions
    return tmp_path


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_named(copy, trap):
    spring, words = TRAPS[trap]
    spring(copy)
    assert words in "; ".join(faults(copy))


@pytest.mark.parametrize("library", ["OMP", "OPENBLAS", "MKL"])
def test_start_sets_one_thread_and_runs_what_follows(library):
    shown = subprocess.run(
        [house.ROOT / "start", "printenv", f"{library}_NUM_THREADS"],
        env={"PATH": os.environ["PATH"], f"{library}_NUM_THREADS": "8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "1\n"


@pytest.mark.parametrize("step", ["pip install", "import course_utils"])
def test_post_build_fails_with_each_of_its_steps(copy, step):
    (copy / "python").write_text(f'#!/bin/bash\n[[ "$*" != *"{step}"* ]]\n')
    (copy / "python").chmod(0o755)
    path = f"{copy}:{os.environ['PATH']}"
    assert subprocess.run(["./postBuild"], cwd=copy, env={"PATH": path}).returncode == 1
