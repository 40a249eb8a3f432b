"""An author begins a lesson and a panel with the commands, and, filled in, they keep all rules."""

import functools
import importlib
import re
import shutil
import subprocess
import sys

import nbformat.v4 as v4
import numpy as np
import pytest
from typer.testing import CliRunner

from course_utils import checks, cli, widgets
from course_utils.authoring import exercises, lessons, new, notebooks, readme
from course_utils.judging import messages
from course_utils.judging.call import local_call
from course_utils.judging.judge import judge
from tests import house
from tests.answers import answers

STEM = "99_small_gains"
WANTED = (("grown", "function", True), ("safe_gain", "choice", True), ("gains_to", "free", False))
NO_STUBS = ("setup", "end", "score", "-check", "-hint")  # what is complete as it is written
# what an author writes, by its place: a file, or a cell of the notebook in a folder
FILLED = dict(
    re.findall(
        r"^=== (.+)\n((?:(?!=== ).*\n)*)",
        (house.ROOT / "tests" / "lesson_99.txt").read_text(encoding="utf-8"),
        re.M,
    )
)


# and the end of a panel
PANEL = """
import numpy as np
from matplotlib.figure import Figure

from course_utils import plots


def _compute(gain):
    return (np.array([1.0, 1.0 + gain]),)


def _drawing(measured):
    figure = Figure()
    (line,) = figure.subplots().plot(measured)
    return plots.Drawing(figure, (line,), line.set_ydata)


def _describe(values, arrays):
    return f"A gain of {values['gain']:.2f} makes {arrays[0][-1]:.2f} of 1."
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Copy as much of the course as a new lesson touches; the house rules look there."""
    for name in ("README.md", "pyproject.toml", "tests/edition.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(house.ROOT / name, tmp_path / name)
    for folder in ("notebooks", "solutions", "exercises"):
        (tmp_path / folder).mkdir()
        shutil.copy(house.ROOT / folder / "00_start_here.ipynb", tmp_path / folder)
    (tmp_path / "tests" / "answers").mkdir()
    folder = tmp_path / "course_utils" / "checks"
    shutil.copytree(house.PACKAGE / "checks" / "lesson_00", folder / "lesson_00")
    (tmp_path / "course_utils" / "widgets").mkdir()
    monkeypatch.setattr(house, "ROOT", tmp_path)
    # lesson 99 is imported from the copy, all else from where it is
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(folder)])
    there = str(tmp_path / "course_utils" / "widgets")
    monkeypatch.setattr(widgets, "__path__", [*widgets.__path__, there])
    importlib.invalidate_caches()
    yield tmp_path
    ours = ("course_utils.checks.lesson_99", "course_utils.widgets.small_gains")
    for name in [name for name in sys.modules if name.startswith(ours)]:
        del sys.modules[name]
    vars(checks).pop("lesson_99", None)
    vars(widgets).pop("small_gains", None)


@pytest.fixture
def begun(course):
    """Begin lesson 99 with three exercises."""
    new.lesson(STEM, course)
    for name, kind, required in WANTED:
        new.exercise("99", name, kind, required, root=course)
    return course


def fill(root):
    """Write what an author writes, and run what an author is told to run."""
    notebook = notebooks.read(root / "notebooks" / f"{STEM}.ipynb")
    cells = {cell.id: cell for cell in notebook.cells}
    numpy = "import numpy as np\n"
    figure = "from matplotlib.figure import Figure\n"
    cells["setup"].source = cells["setup"].source.replace(numpy, numpy + figure)
    make = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    notebook.cells = [cells["title"], cells["setup"]]
    solution = notebooks.read(root / "solutions" / f"{STEM}.ipynb")
    for place, text in FILLED.items():
        folder, _, cell = place.partition("/")
        if folder == "notebooks":
            name, *kind = cell.split()  # a kind is said where the template has no such cell
            found = make[kind[0]](id=name) if kind else cells[name]
            found.source = text.rstrip("\n")
            if name != "title":
                notebook.cells.append(found)
        elif folder == "solutions":
            (found,) = [each for each in solution.cells if each.id == cell]
            found.source = text.rstrip("\n")
        else:
            (root / place).write_text(text, encoding="utf-8")
    notebooks.write(notebook, root / "notebooks" / f"{STEM}.ipynb", keep_output=True)
    notebooks.write(solution, root / "solutions" / f"{STEM}.ipynb", keep_output=False)
    exercises.write_all(root)
    readme.write(root)
    measured = (root / "README.md").read_text(encoding="utf-8")
    row = re.search(r"^\| 99 \| TO WRITE.*$", measured, re.M)[0]
    measured = measured.replace(row, "| 99 | 400 MB | 300 MB | 2 s | 3 s |")
    (root / "README.md").write_text(measured, encoding="utf-8")


def found_exercises(root):
    found = checks.Exercises("course_utils.checks", [str(root / "course_utils" / "checks")])
    return [exercise for exercise in found.values() if exercise.lesson == STEM]


def test_every_stub_is_named_with_its_place_and_what_belongs_there(begun):
    texts = {place: text for place, text in house.manuscripts().items() if "99" in place}
    texts["README.md"] = house.manuscripts()["README.md"]
    texts |= {f"tests/answers/{name}.txt": house.manuscripts()[f"tests/answers/{name}.txt"]
              for name, _, _ in WANTED}  # fmt: skip
    stubs = {place: text for place, text in texts.items() if not place.endswith(NO_STUBS)}
    for place, text in stubs.items():
        (first, *_) = house.written(place, text)
        assert first.startswith(f"{place}: to be written: "), place
        assert len(first) > len(place) + 25, f"{place} does not say what belongs there"
    for place, text in texts.items():
        assert place in stubs or house.written(place, text) == []


def test_every_stub_that_is_code_raises_with_what_belongs_there(begun):
    cells = house.code_cells(house.read("notebooks", STEM))[1:]
    cells += [c for c in house.code_cells(house.read("solutions", STEM)) if "-answer" in c.id]
    for cell in cells:
        use = cell.id.replace("-answer", "(0)") if "def " in cell.source else ""
        with pytest.raises((NotImplementedError, AssertionError), match=r"TO WRITE: .{10}"):
            exec(f"{cell.source}\n{use}", {"np": np})
    grown, safe_gain, gains_to = found_exercises(begun)
    with pytest.raises(NotImplementedError, match="TO WRITE: what a right answer returns"):
        grown.reference(x=1)
    assert safe_gain.reference() == "TO WRITE: the right letter"
    with pytest.raises(NotImplementedError, match='TO WRITE: "" where it holds'):
        gains_to.properties[-1].fault({}, 1)


def test_stubs_keep_the_rules_of_form_and_break_those_of_content(begun):
    broken = {"executed", "figures", "size"}
    for rule in (*house.EVERY_NOTEBOOK, *house.LESSONS):
        faults = rule(house.read("notebooks", STEM))
        assert bool(faults) == (rule.__name__ in broken), faults
    mine = found_exercises(begun)
    for folder in ("solutions", "exercises"):
        for rule in (*house.EVERY_NOTEBOOK, house.stripped, house.few_imports):
            assert rule(house.read(folder, STEM)) == []
        assert house.complete_exercises(house.read(folder, STEM), mine) == []
    (minutes, memory) = house.readme_rows(
        (begun / "README.md").read_text(encoding="utf-8"),
        STEM,
        house.read("notebooks", STEM).cells[0].source,
        mine,
    )
    assert "exercises take 15 minutes, the title card says 0" in minutes
    assert "python -m benchmarks.memory 99_small_gains" in memory


@pytest.mark.parametrize("kind", new.KINDS)
def test_what_is_written_keeps_the_style_of_the_course(course, kind):
    name = "Grown" if kind == "module" else "grown"
    new.lesson(STEM, course)
    new.exercise("99", name, kind, minutes=12, difficulty=3, points=2, root=course)
    ours = "lint.isort.known-first-party = ['course_utils']"  # most of it is not in the copy
    for command in (["check", "--config", ours], ["format", "--check"]):
        run = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(run, cwd=course, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    (exercise,) = found_exercises(course)
    assert exercise.kind == ("function" if kind == "free" else kind)
    assert house.complete_exercises(house.read("exercises", STEM), [exercise]) == []
    folder = course / "course_utils" / "checks" / "lesson_99"
    for path in folder.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        rule = house.probe if path.stem.endswith("_probe") else house.code_in_strings
        assert rule(source) == []
        assert house.exercise_file(path.stem, source, [name]) == []
    assert (folder / "Grown_probe.py").exists() == (kind == "module")
    tried = [answer for answer in answers(course / "tests" / "answers") if answer.exercise == name]
    assert [bool(answer.fragment) for answer in tried] == [False] * 2 + [True] * 5


@pytest.mark.slow  # it runs the lesson in a kernel
def test_a_lesson_whose_stubs_are_filled_in_keeps_every_rule(begun):
    stubs = house.manuscripts()
    fill(begun)
    lessons.run(("99",), root=begun)
    page = begun / "notebooks" / f"{STEM}.ipynb"
    first = page.read_bytes()
    notebooks.write(notebooks.read(page), page, keep_output=True)
    assert page.read_bytes() == first

    for rule in (*house.EVERY_NOTEBOOK, *house.LESSONS):
        assert rule(house.read("notebooks", STEM)) == [], rule.__name__
    mine = found_exercises(begun)
    names = [exercise.name for exercise in mine]
    assert house.exercise_set(STEM, mine) == []
    ids = (begun / "tests" / "edition.txt").read_text(encoding="utf-8").split()
    assert house.edition(STEM, house.read("exercises", STEM), ids) == []
    for folder in ("solutions", "exercises"):
        for rule in (*house.EVERY_NOTEBOOK, house.stripped, house.few_imports):
            assert rule(house.read(folder, STEM)) == []
        assert house.complete_exercises(house.read(folder, STEM), mine) == []
        assert house.same_order(house.read(folder, STEM), names) == []
    for path in (begun / "course_utils" / "checks" / "lesson_99").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert house.exercise_file(path.stem, source, names) == []
        assert house.dependencies("checks", source) == []
        assert house.code_in_strings(source) == []
    text = (begun / "README.md").read_text(encoding="utf-8")
    card = house.read("notebooks", STEM).cells[0].source
    assert house.readme_rows(text, STEM, card, mine) == []

    # one stub that is left is enough, and the rule says which
    filled = house.manuscripts()
    assert [fault for place, text in filled.items() for fault in house.written(place, text)] == []
    for place in stubs.keys() & filled.keys():
        if stubs[place] != filled[place] and not place.endswith("setup"):
            left = {**filled, place: stubs[place]}
            faults = [fault for name, text in left.items() for fault in house.written(name, text)]
            assert faults, place
            assert {fault.split(": ")[0] for fault in faults} == {place}

    # and the exercises judge as those of the course have to
    for exercise in mine:
        said = []
        for answer in answers(begun / "tests" / "answers"):
            if answer.exercise == exercise.name:
                names = {"np": np}
                exec(answer.source, names)
                verdict = judge(exercise, local_call(names), held_back=True)
                assert verdict.correct == (not answer.fragment)
                assert answer.fragment in messages.text(verdict)
                said.append(messages.text(verdict))
        assert len(set(said)) == 6  # two right ones say the same, five wrong ones do not


def test_a_panel_is_a_stub_that_says_what_belongs_there(course):
    ((path,), todo) = new.panel("small_gains", course)
    place = "course_utils/widgets/small_gains.py"
    found = house.written(place, house.manuscripts()[place])
    assert len(found) == 6
    assert all(len(fault) > len(place) + 25 for fault in found)
    assert [line[1:3] for line in todo.splitlines() if line.startswith(" ")] == [
        f"{i}." for i in range(1, 6)
    ]
    with pytest.raises(NotImplementedError, match="TO WRITE: a tuple of what probes measures"):
        widgets.panels()["small_gains"]()
    for command in (["check"], ["format", "--check"]):
        ours = ["--config", "lint.isort.known-first-party = ['course_utils']"] * (
            "check" in command
        )
        run = [sys.executable, "-m", "ruff", *command, *ours, "--no-cache", path]
        done = subprocess.run(run, cwd=course, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_panel_whose_stub_is_filled_in_moves(course):
    ((path,), _) = new.panel("small_gains", course)
    head, _ = path.read_text(encoding="utf-8").split("\ndef _compute")
    path.write_text(head + PANEL, encoding="utf-8")
    panel = widgets.panels()["small_gains"]()
    assert panel.sentence == "A gain of 1.00 makes 2.00 of 1."
    panel.set(gain=0.5)
    assert panel.sentence == "A gain of 0.50 makes 1.50 of 1."


@pytest.mark.parametrize("name", ["Gains", "small-gains", "9_gains", "lambda", "../gains", ""])
def test_a_panel_of_a_bad_name_is_refused(course, name):
    before = files(course)
    with pytest.raises(ValueError, match=f"snake_case.*got '{re.escape(name)}'"):
        new.panel(name, course)
    assert files(course) == before


def test_a_panel_that_is_there_is_left_alone(course):
    new.panel("small_gains", course)
    with pytest.raises(FileExistsError, match="'small_gains' would meet what is there: course_u"):
        new.panel("small_gains", course)


def files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "stem",
    ["9_gains", "99", "99_", "99-gains", "99_Gains", "x99_gains", "99_gains.ipynb", "../99_x"],
)
def test_a_lesson_of_a_bad_name_is_refused(course, stem):
    before = files(course)
    said = f"expected two digits and a noun phrase in snake_case.*got '{re.escape(stem)}'"
    with pytest.raises(ValueError, match=said):
        new.lesson(stem, course)
    assert files(course) == before


def test_a_lesson_that_is_there_is_left_alone(course):
    before = files(course)
    said = "'00_other' would meet what is there: notebooks/00_start_here.ipynb, solutions/00_start"
    with pytest.raises(FileExistsError, match=said):
        new.lesson("00_other", course)
    assert files(course) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("0", "grown"), "expected two digits for the lesson, such as 13, got '0'"),
        (("00", "Grown"), "expected a name in snake_case, such as stream_size, got 'Grown'"),
        (("00", "grown-up"), "expected a name in snake_case, such as stream_size, got 'grown-up'"),
        (("00", "lambda"), "expected a name in snake_case, such as stream_size, got 'lambda'"),
        (("00", "grown", "module"), "expected the name of a class in CapWords.*got 'grown'"),
        (("00", "grown_probe"), "does not end like a probe's file, got 'grown_probe'"),
        (("00", "grown", "essay"), "expected a kind of function, module, .*got 'essay'"),
    ],
)
def test_an_exercise_of_a_bad_name_is_refused(course, words, said):
    before = files(course)
    with pytest.raises(ValueError, match=said):
        new.exercise(*words, root=course)
    assert files(course) == before


def test_an_exercise_that_another_lesson_has_is_refused(begun):
    before = files(begun)
    said = "'affine' would meet what is there: course_utils/checks/lesson_00/__init__.py"
    with pytest.raises(FileExistsError, match=said):
        new.exercise("99", "affine", root=begun)
    (begun / "tests" / "answers" / "shrunk.txt").write_text("### right\n")
    with pytest.raises(FileExistsError, match="'shrunk' would meet what is there: tests"):
        new.exercise("99", "shrunk", root=begun)
    (begun / "tests" / "answers" / "shrunk.txt").unlink()
    with pytest.raises(FileNotFoundError, match="no lesson starts with '98_'; there are 00_start"):
        new.exercise("98", "shrunk", root=begun)
    assert files(begun) == before


def test_the_commands_say_what_they_wrote_and_what_to_do_next(course, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", course)
    for begin in ("lesson", "exercise"):
        monkeypatch.setattr(new, begin, functools.partial(getattr(new, begin), root=course))
    said = CliRunner().invoke(cli.main, ["new", "lesson", STEM]).output
    assert "written: notebooks/99_small_gains.ipynb\n" in said
    assert said.count("written: README.md\n") == 1
    places = [said.index(words) for words in ("make lessons", "make exercises", "make stress")]
    assert places == sorted(places)
    assert "Optional: rows in notebooks/claims.toml" in said
    command = ["new", "exercise", "99", "Grown", "--kind", "module", "--required", "--minutes", "8"]
    said = CliRunner().invoke(cli.main, command).output
    assert "written: course_utils/checks/lesson_99/Grown_probe.py\n" in said
    assert "exercises of lesson 99 take 8 minutes now" in said
    assert "*Required · difficulty 1 of 3 · 8 minutes · 1 point*" in "".join(
        cell.source for cell in house.read("exercises", STEM).cells
    )
    again = CliRunner().invoke(cli.main, command)
    assert again.exit_code == 1
    assert "Grown.py" in again.output
