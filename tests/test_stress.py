import json

import nbformat.v4 as v4
import numpy as np
import pytest
from typer.testing import CliRunner

from course_utils import cli, data, environment
from course_utils.authoring import notebooks, stress
from tests import house

LESSONS = notebooks.lessons()
SETUP = "import numpy as np\nfrom course_utils import setup\nsetup(seed=0)"
DRAW = "x = np.random.default_rng(0).normal(3, 1)"
# the same draws, without the second that setup takes
QUICK = "import os\nimport numpy as np\nseed = int(os.environ['COURSE_SEED'])"
QUICK_DRAW = "x = np.random.default_rng([seed, 0] if seed else 0).normal(3, 1)"
CLAIMS = "assert x > {bound}\nassert 0 < 1 < 2"


def stored(path):
    return json.loads(stress.stored_at(path).read_text(encoding="utf-8"))


def test_every_lesson_has_a_record():
    stored_stems = {path.stem for path in (house.ROOT / "notebooks" / "stress").glob("*.json")}
    assert stored_stems == {path.stem[:2] for path in LESSONS}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_asserts_of_a_lesson_are_those_that_were_run(path):
    assert stress.stale(path) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_held_under_every_arithmetic_and_seed_with_a_margin(path):
    record = stored(path)
    runs = [(run["arithmetic"], run["seed"]) for run in record["runs"]]
    assert runs == [(name, seed) for name in stress.ARITHMETICS for seed in stress.SEEDS]
    assert stress.failures(record) == []
    assert stress.thin(record) == []


@pytest.fixture
def few_runs(monkeypatch):
    monkeypatch.setattr(stress, "ARITHMETICS", {"native": {}})
    monkeypatch.setattr(stress, "SEEDS", (0, 1, 2))


@pytest.fixture
def lesson(tmp_path, few_runs):
    """Write a lesson of three cells; return how to write it and its path."""
    path = tmp_path / "notebooks" / "01_lesson.ipynb"
    path.parent.mkdir()

    def write(*sources, ids=("setup", "draw", "claims")):
        cells = [v4.new_code_cell(s, id=i) for s, i in zip(sources, ids, strict=True)]
        notebooks.write(v4.new_notebook(cells=cells), path, keep_output=False)
        return path

    return write


def run(path):
    return stress.run(("01",), root=path.parents[1])


@pytest.mark.slow
def test_each_seed_draws_anew_and_the_margin_is_measured(lesson):
    path = lesson(SETUP, DRAW, CLAIMS.format(bound=-100))
    assert run(path) == []
    record = stored(path)
    assert set(record) == {"lesson", "asserts", "cells", "runs", "versions"}
    claim, constant = record["asserts"]["claims"]
    assert (claim["assert"], claim["held"]) == ("x > -100", "3 of 3")
    seeds = [np.random.default_rng(s).normal(3, 1) for s in (0, [1, 0], [2, 0])]

    expected = stress.margin(np.full(3, -100), np.array(seeds), 1)
    assert claim["margin"] == pytest.approx(expected, abs=0.06)
    assert (constant["held"], constant["margin"]) == ("3 of 3", None)
    assert stress.stale(path) == []


@pytest.mark.slow
def test_what_does_not_hold_is_named_and_the_lesson_goes_on(lesson):
    path = lesson(QUICK, QUICK_DRAW, CLAIMS.format(bound=100))
    faults = run(path)
    assert len(faults) == 4, "three runs, and the margin"
    assert "01_lesson under native with seed 2: cell claims: expected  x > 100" in faults[2]
    assert "margin -" in faults[3]
    assert "at least 2 are needed" in faults[3]
    assert stored(path)["asserts"]["claims"][1]["held"] == "3 of 3"


@pytest.mark.slow
def test_a_claim_that_holds_by_less_than_two_spreads_is_named(lesson):
    drawn = np.array([np.random.default_rng(s).normal(3, 1) for s in (0, [1, 0], [2, 0])])
    path = lesson(QUICK, QUICK_DRAW, f"assert x > {drawn.min() - 0.1 * drawn.std()}")
    (fault,) = run(path)
    assert fault.startswith("01_lesson, cell claims: x > ")


@pytest.mark.slow
def test_a_cell_that_raises_ends_the_run_and_is_named(lesson):
    path = lesson(QUICK, "1 / 0", "assert 1 < 2")
    faults = run(path)
    assert len(faults) == 3
    assert "cell draw raised ZeroDivisionError: division by zero" in faults[0]


@pytest.mark.slow
def test_a_process_that_dies_is_named_and_run_again(lesson):
    path = lesson(QUICK, "import os", "os._exit(3)")
    assert "the process ended with 3" in run(path)[0]
    assert not list(path.parents[1].rglob("native-*"))


@pytest.mark.slow
def test_a_run_that_was_finished_is_not_repeated(lesson, monkeypatch):
    path = lesson(QUICK, QUICK_DRAW, "assert x > -100")
    run(path)
    before = stored(path)
    monkeypatch.setattr(stress.subprocess, "Popen", None)
    assert run(path) == []
    assert stored(path) == before
    lesson(QUICK, QUICK_DRAW, "assert x > -200")
    with pytest.raises(TypeError):  # another lesson is run
        run(path)


@pytest.mark.slow
def test_another_assert_is_stale_and_other_cells_are_free(lesson):
    path = lesson(QUICK, QUICK_DRAW, "assert x > -100")
    assert stress.stale(path) == [
        "there is no 01.json in notebooks/stress: run `make stress ARGS=01`"
    ]
    run(path)
    lesson(QUICK, "x = 3", "assert x > -100")
    assert stress.stale(path) == []
    lesson(QUICK, QUICK_DRAW, "assert x > -200")
    (fault,) = stress.stale(path)
    assert fault.startswith("cell claims of 01_lesson asserts something else than was run")


@pytest.mark.slow
def test_one_run_alone_stores_nothing(lesson):
    path = lesson(QUICK, QUICK_DRAW, "assert x > -100")
    assert stress.run(("01",), root=path.parents[1], once=("native", 7)) == []
    assert not stress.stored_at(path).exists()


@pytest.mark.slow
def test_the_instruction_sets_reach_the_libraries():
    child = stress.subprocess.run(
        [
            stress.sys.executable,
            "-c",
            "import torch; from threadpoolctl import threadpool_info;"
            "print(torch.backends.cpu.get_cpu_capability(),"
            "*(i.get('architecture') for i in threadpool_info()))",
        ],
        env=stress.os.environ | stress.ARITHMETICS["SSE"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.startswith("DEFAULT")


@pytest.mark.parametrize(
    ("left", "right", "sign", "expected"),
    [
        ([1, 2, 3], [5, 5, 5], 1, 3.0),
        ([1, 2, 3], [5, 5, 5], -1, -1.69),
        ([10, 100, 1000], [1] * 3, -1, 2.0),  # by their logarithms
        ([1, 10, 100], [1000] * 3, 1, 15.3),
        ([-1, 10, 100], [1000] * 3, 1, 15.1),
        ([0.1, np.inf, 0.1], [1, 1, 1], 1, 0.0),
        ([0, 1e-17, 0], [1, 3, 9], 1, 1000.0),  # no distance, however its bound varies
        ([1, 1, 1, -97], [2] * 4, 1, 0.75),  # far off on the harmless side
        ([5, 9, 7], [np.inf] * 3, 1, None),
        ([2, 2], [5, 5], 1, None),
    ],
)
def test_a_margin_is_a_distance_in_spreads(left, right, sign, expected):
    found = stress.margin(np.array(left), np.array(right), sign)
    assert found == (expected if expected is None else pytest.approx(expected, abs=0.05))


def test_stored_results_are_drawn_again_from_their_seeds(monkeypatch):
    before = data.results("09")
    monkeypatch.setenv("COURSE_SEED", "3")
    after = data.results("09")
    assert after["settings"] == before["settings"]
    old, new = (record["results"]["plain, shaped"] for record in (before, after))
    assert set(new["steps"]) < set(old["steps"])
    assert new["learning_rate"] == old["learning_rate"]
    pairs = dict(zip(old["steps"], old["accuracy"], strict=True))
    assert new["accuracy"] == [pairs[steps] for steps in new["steps"]]  # a seed stays one run


def test_the_command_fails_where_a_claim_does_not_hold(monkeypatch):
    asked = []
    monkeypatch.setattr(stress, "run", lambda stems, once: asked.append((stems, once)) or ["fault"])
    answer = CliRunner().invoke(cli.main, ["stress", "05", "--once", "AVX2-3"])
    assert (answer.exit_code, answer.output) == (1, "fault\n")
    assert asked == [(("05",), ("AVX2", 3))]
    assert CliRunner().invoke(cli.main, ["stress", "--once", "AVX9-3"]).exit_code == 2


def test_no_lesson_is_told_which_draw_it_is():
    assert environment.course_seed() == 0
    for path in LESSONS:
        assert "COURSE_SEED" not in house.prose(notebooks.read(path))
