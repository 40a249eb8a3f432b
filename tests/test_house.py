"""Every notebook and module keeps the house rules, and every rule can fail."""

import copy
import dataclasses
import importlib
import subprocess
import sys
import tomllib

import nbformat.v4 as v4
import pytest

from course_utils.authoring import exercises as authoring
from course_utils.authoring import notebooks
from course_utils.checks import EXERCISES
from tests import house

STEMS = house.stems("notebooks")
CLAIMS = tomllib.loads((house.ROOT / "notebooks" / "claims.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", ["notebooks", "solutions", "exercises"])
def test_the_three_folders_hold_the_same_stems(folder):
    assert house.stems(folder) == STEMS


@pytest.mark.parametrize("rule", house.EVERY_NOTEBOOK, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("folder", ["notebooks", "solutions", "exercises"])
@pytest.mark.parametrize("stem", STEMS)
def test_notebooks_keep(rule, folder, stem):
    assert rule(house.read(folder, stem)) == []


@pytest.mark.parametrize("rule", house.LESSONS, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("stem", STEMS)
def test_lessons_keep(rule, stem):
    assert rule(house.read("notebooks", stem)) == []


@pytest.mark.parametrize("rule", [house.stripped, house.few_imports], ids=lambda r: r.__name__)
@pytest.mark.parametrize("folder", ["solutions", "exercises"])
@pytest.mark.parametrize("stem", STEMS)
def test_exercises_keep(rule, folder, stem):
    assert rule(house.read(folder, stem)) == []


@pytest.mark.parametrize("folder", ["solutions", "exercises"])
@pytest.mark.parametrize("stem", STEMS)
def test_exercise_notebooks_hold_what_the_data_say(folder, stem):
    mine = [exercise for exercise in EXERCISES.values() if exercise.lesson == stem]
    assert house.complete_exercises(house.read(folder, stem), mine) == []


@pytest.mark.parametrize("stem", STEMS)
def test_a_lesson_has_three_to_five_exercises_two_required_one_concept(stem):
    mine = [exercise for exercise in EXERCISES.values() if exercise.lesson == stem]
    faults = house.exercise_set(stem, mine)
    assert faults == [], "\n".join(faults)


@pytest.mark.parametrize("stem", STEMS)
def test_exercises_are_made_from_solutions(stem):
    made = notebooks.text(authoring.exercise(house.read("solutions", stem)), keep_output=False)
    stored = (house.ROOT / "exercises" / f"{stem}.ipynb").read_text(encoding="utf-8")
    assert made == stored, "stale: run `make exercises`"


@pytest.mark.parametrize(("folder", "keep"), [("notebooks", True), ("solutions", False)])
@pytest.mark.parametrize("stem", STEMS)
def test_notebooks_are_in_normal_form(folder, keep, stem):
    stored = (house.ROOT / folder / f"{stem}.ipynb").read_text(encoding="utf-8")
    assert notebooks.text(house.read(folder, stem), keep) == stored


def test_exercise_cells_keep_their_ids_within_an_edition():
    ids = (house.ROOT / "tests" / "edition.txt").read_text(encoding="utf-8").split()
    assert {line.split("/")[0] for line in ids} == set(STEMS)
    for stem in STEMS:
        assert house.edition(stem, house.read("exercises", stem), ids) == []


def test_nothing_is_left_to_be_written():
    texts = house.manuscripts().items()
    faults = [fault for place, text in texts for fault in house.written(place, text)]
    assert faults == [], "\n".join(faults)


def test_no_answer_of_an_exercise_stands_in_a_lesson_or_among_the_modules():
    public = "\n".join(
        cell.source for stem in STEMS for cell in house.code_cells(house.read("notebooks", stem))
    )
    folders = (house.PACKAGE / name for name in ("transformers", "fast"))
    modules = (house.PACKAGE / "blocks.py", *(p for folder in folders for p in folder.glob("*.py")))
    public += "\n".join(path.read_text(encoding="utf-8") for path in modules)
    for stem in STEMS:
        for cell in house.code_cells(house.read("solutions", stem)):
            if cell.id.endswith("-answer"):
                answer = cell.source.split("### BEGIN SOLUTION\n")[-1].split("    ### END")[0]
                assert answer not in public, cell.id


def rooms():
    return [
        (path.relative_to(house.PACKAGE).parts[0].removesuffix(".py"), path)
        for path in sorted(house.PACKAGE.rglob("*.py"))
    ]


@pytest.mark.parametrize(("room", "path"), rooms(), ids=[str(p.name) for _, p in rooms()])
def test_arrows_run_one_way(room, path):
    source = path.read_text(encoding="utf-8")
    beside_an_answer = path.stem.endswith("_probe")
    assert (house.probe(source) if beside_an_answer else house.dependencies(room, source)) == []


@pytest.mark.parametrize("path", [p for _, p in rooms()], ids=lambda path: path.name)
def test_all_code_stands_where_ruff_reads_it(path):
    assert house.code_in_strings(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [p for _, p in rooms() if p.parent.name.startswith("lesson_")])
def test_an_exercise_stands_in_a_file_of_its_name(path):
    lesson = importlib.import_module(f"course_utils.checks.{path.parent.name}")
    source = path.read_text(encoding="utf-8")
    assert house.exercise_file(path.stem, source, lesson.EXERCISES) == []


@pytest.mark.parametrize("path", [p for room, p in rooms() if room == "judging"])
def test_judging_knows_no_lesson(path):
    assert house.no_lesson(path.read_text(encoding="utf-8"), EXERCISES) == []


@pytest.mark.parametrize("stem", STEMS)
def test_exercises_come_in_the_order_of_their_notebook(stem):
    mine = [name for name, exercise in EXERCISES.items() if exercise.lesson == stem]
    assert house.same_order(house.read("solutions", stem), mine) == []


def test_there_is_no_cycle():
    assert house.cycles(house.RIGHTS) == []


def imported_by(code):
    code = f"import sys, course_utils; {code}"
    code += "; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_importing_the_course_imports_neither_torch_nor_matplotlib():
    assert imported_by("import course_utils.probes, course_utils.plots") == "[]"


NUMPY = ("attention", "maps", "odes", "paths", "scalars", "shattering", "streams")


@pytest.mark.slow
def test_probes_of_numpy_nets_do_without_torch():
    files = ", ".join(f"course_utils.probes.{subject}" for subject in NUMPY)
    use = "from course_utils import probes; probes.jacobian_by_differences(abs, probes.descent(1))"
    assert imported_by(f"import {files}; {use}") == "[]"
    assert "torch" in imported_by("from course_utils import probes; probes.own_share")


def test_figures_do_without_torch():
    code = "from course_utils import plots; [getattr(plots, name) for name in plots.__all__]"
    assert imported_by(code) == "['matplotlib']"


@pytest.mark.parametrize("path", [path for _, path in rooms()], ids=lambda path: path.name)
def test_files_are_short(path):
    name = path.relative_to(house.PACKAGE).as_posix()
    assert house.short_file(name, path.read_text(encoding="utf-8")) == []


def test_what_is_measured_and_drawn_has_one_subject():
    assert house.one_subject(house.subjects("probes"), house.subjects("plots")) == []


@pytest.mark.parametrize("row", CLAIMS["claim"], ids=lambda row: row["id"])
def test_claims_are_asserted(row):
    assert house.claim(row, {stem: house.read("notebooks", stem) for stem in STEMS}) == []


def test_claims_have_names_of_their_own():
    ids = [row["id"] for row in CLAIMS["claim"]]
    assert len(set(ids)) == len(ids)


# every rule can fail: break the notebook, and the rule has to say so


def lesson():
    return house.read("notebooks", "01_residual_block")


def cell(nb, name):
    return next(cell for cell in nb.cells if cell.id == name)


def add_output(nb, **output):
    cell(nb, "own").outputs.append(v4.new_output(**output))


def break_valid(nb):
    nb.cells[1].id = nb.cells[2].id


def break_plain_metadata(nb):
    nb.metadata["widgets"] = {}


def break_clean_source(nb):
    cell(nb, "own").source += ";"


def break_folded_answers(nb):
    nb.cells[0].source = nb.cells[0].source.replace("</summary>\n\n", "</summary>\n")


def break_links(nb):
    nb.cells[0].source += "[x](00_start_here.ipynb#No-such-heading)"


def break_executed(nb):
    cell(nb, "own").execution_count = 99


def break_quiet(nb):
    add_output(nb, output_type="stream", name="stdout", text="took 12 ms")


def break_figures(nb):
    add_output(nb, output_type="display_data", data={"image/png": "", "text/plain": "<Figure>"})


def break_size(nb):
    nb.cells += [v4.new_markdown_cell("more") for _ in range(30)]


def break_short_cells(nb):
    cell(nb, "own").source = "x = 1\n" * 31


def break_prose_between(nb):
    nb.cells = [cell for cell in nb.cells if cell.cell_type == "code"]


def break_title_card(nb):
    nb.cells[0].source = nb.cells[0].source.replace("**Time**", "Time")


def break_recall(nb):
    nb.cells[0].source = nb.cells[0].source.replace("<details>", "")


def break_setup_cell(nb):
    cell(nb, "own").source = "import os"


def break_headings(nb):
    nb.cells[-1].source = nb.cells[-1].source.replace("## Sources", "Sources")


def break_closing_cells(nb):
    nb.cells[-2].source += "\n\n" + nb.cells.pop().source


def break_no_marks(nb):
    cell(nb, "own").source += "  # noqa: E731"


def break_short_chains(nb):
    cell(nb, "own").source += "\nassert 0 < 1 < 2 < 3"


def break_asserts(nb):
    for each in house.code_cells(nb):
        each.source = each.source.replace("assert ", "")


@pytest.mark.parametrize("rule", [*house.EVERY_NOTEBOOK, *house.LESSONS], ids=lambda r: r.__name__)
def test_a_broken_lesson_is_noticed(rule):
    nb = copy.deepcopy(lesson())
    globals()[f"break_{rule.__name__}"](nb)
    assert rule(nb) != []


def test_broken_exercises_are_noticed():
    nb = house.read("exercises", "01_residual_block")
    mine = [exercise for exercise in EXERCISES.values() if exercise.lesson == "01_residual_block"]
    cell(nb, "SkipBlock-task").source = cell(nb, "SkipBlock-task").source.replace("10 min", "9 min")
    assert house.complete_exercises(nb, mine) != []
    cell(nb, "setup").source += "\nimport os"
    assert house.few_imports(nb) == ["cell setup imports os"]
    cell(nb, "setup").execution_count = 1
    assert house.stripped(nb) != []
    cell(nb, "SkipBlock-answer").id = "other"
    assert "there is no cell SkipBlock-answer" in house.complete_exercises(nb, mine)


def of_lesson_01():
    return [exercise for exercise in EXERCISES.values() if exercise.lesson == "01_residual_block"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda mine: mine[3:], "3 to 5 exercises are expected, got 2"),
        (lambda mine: mine + mine[-1:], "3 to 5 exercises are expected, got 6"),
        (lambda mine: mine[1:], "two required exercises are expected, got ['SkipBlock']"),
        (lambda mine: mine[:2] + mine[3:], "one exercise is a choice or a number, got ["),
        (lambda mine: mine[:-1], "the last exercise, project_forward, is judged by properties"),
        (lambda mine: [*mine[:-1], dataclasses.replace(mine[-1], hints=())], "has 3 hints, got 0"),
    ],
)
def test_a_set_of_exercises_that_lacks_something_is_noticed(change, said):
    faults = house.exercise_set("01_residual_block", change(of_lesson_01()))
    assert [fault for fault in faults if fault.startswith("checks/lesson_01: ") and said in fault]


def test_exercises_in_another_order_are_noticed():
    names = [exercise.name for exercise in of_lesson_01()]
    assert house.same_order(house.read("solutions", "01_residual_block"), names[::-1]) != []


def test_a_changed_cell_id_is_noticed():
    stem, nb = "01_residual_block", house.read("exercises", "01_residual_block")
    ids = [f"{stem}/{cell.id}" for cell in nb.cells] + ["00_start_here/title"]
    assert house.edition(stem, nb, ids) == []
    cell(nb, "SkipBlock-answer").id = "another"
    gone, new = house.edition(stem, nb, ids)
    assert gone == f"{stem}/SkipBlock-answer was a learner's cell; bring it back"
    assert new == f"add {stem}/another to tests/edition.txt"


def test_a_stub_is_noticed_with_its_place():
    fault = "notebooks/99_a.ipynb, cell own: to be written: an assert"
    assert house.written("notebooks/99_a.ipynb, cell own", "TO WRITE: an assert\n") == [fault]
    assert house.written("README.md", "| 99 | TO WRITE: what is measured | |") != []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(notebooks/01_residual_block.ipynb) |", "(notebooks/01_other.ipynb) |"),
        ("What does adding x buy?", "What does x add?"),
        ("| 115 min | [5, 45 min](exercises/01", "| 45 min | [5, 45 min](exercises/01"),
        ("[5, 45 min](exercises/01", "[5, 44 min](exercises/01"),
        ("[5, 45 min](exercises/01", "[4, 45 min](exercises/01"),
        ("\n| 01 | 4", "\n| 01 | about 4"),
        ("\n| 01 | ", "\n| 13 | "),
    ],
)
def test_a_readme_that_says_something_else_is_noticed(old, new):
    stem, readme = "01_residual_block", (house.ROOT / "README.md").read_text(encoding="utf-8")
    card = lesson().cells[0].source
    assert house.readme_rows(readme, stem, card, of_lesson_01()) == []
    assert old in readme
    assert house.readme_rows(readme.replace(old, new), stem, card, of_lesson_01()) != []
    card = card.replace("115 minutes here, 45 for", "115 minutes here, 50 for")
    assert house.readme_rows(readme, stem, card, of_lesson_01()) != []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("probes", "import matplotlib.pyplot as plt"),
        ("plots", "import torch"),
        ("blocks", "from course_utils import training"),
        ("backprop", "from course_utils import fast"),
        ("checks", "from course_utils.widgets import panel"),
        ("checks", "from course_utils.data import digits"),
        ("judging", "from course_utils.checks import EXERCISES"),
        ("widgets", "from course_utils.grading import sandbox"),
        ("training", "import ipywidgets"),
        ("helpers", ""),
    ],
)
def test_a_wrong_arrow_is_noticed(room, source):
    assert house.dependencies(room, source) != []


PROBE = "import torch\n\n\ndef probe(answer, x):\n    return {'y': answer(x)}\n"


@pytest.mark.parametrize(
    "source",
    [
        PROBE.replace("torch", "course_utils.data"),
        PROBE.replace("probe(", "measure("),
        PROBE + "    # expected: x",
    ],
)
def test_a_wrong_probe_is_noticed(source):
    assert house.probe(PROBE) == []
    assert house.probe(source) != []


def test_code_in_a_string_is_noticed():
    assert house.code_in_strings(f"PROBE = {PROBE!r}") != []
    assert house.code_in_strings(f"measure(probe={PROBE!r})") != []
    assert house.code_in_strings(f"{PROBE!r}\nHINT = 'two\\nlines'") == []


@pytest.mark.parametrize(
    ("stem", "source"),
    [
        ("affine", "EXERCISE = Exercise(name='afine', lesson=LESSON)"),
        ("affine", "EXERCISE = choice('afine', LESSON, right='a')"),
        ("affine", "affine = Exercise(name='affine', lesson=LESSON)"),
        ("deepen", "EXERCISE = Exercise(name='deepen', lesson=LESSON)"),
    ],
)
def test_a_misnamed_exercise_is_noticed(stem, source):
    assert house.exercise_file("affine", "EXERCISE = choice('affine', LESSON)", ["affine"]) == []
    assert house.exercise_file(stem, source, ["affine"]) != []


@pytest.mark.parametrize("word", ["lesson_03", "03_signal_at_depth", "affine"])
def test_a_judge_that_knows_a_lesson_is_noticed(word):
    assert house.no_lesson(f"name = {word!r}", EXERCISES) != []


def test_a_long_file_is_noticed():
    assert house.short_file("plots/frame.py", "\n" * 501) != []
    assert house.short_file("plots/frame.py", "\n" * 500) == []


@pytest.mark.parametrize(
    ("probes", "plots"),
    [
        ({"streams": {"cosines"}}, {"signals": {"cosines"}}),
        ({"flow": {"exact_flow"}, "odes": {"flow"}}, {}),
        ({}, {"draws": {"draws"}}),
    ],
)
def test_a_subject_with_two_names_is_noticed(probes, plots):
    assert house.one_subject(probes, plots) != []


def test_a_cycle_is_noticed():
    assert set(house.cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "change",
    [{"verdict": "maybe"}, {"cell": "title"}, {"lesson": "99"}, {"source": "https://nowhere"}],
    ids=str,
)
def test_a_broken_claim_is_noticed(change):
    row = {**CLAIMS["claim"][0], **change}
    assert house.claim(row, {"01_residual_block": lesson()}) != []
    assert house.claim({"id": "x"}, {}) != []
