import json
import runpy

import pytest
import torch
from typer.testing import CliRunner

from course_utils import cli, data
from course_utils.authoring import results
from tests import house

FOLDER = house.ROOT / "notebooks" / "results"
SCRIPT = """
SETTINGS = {"seeds": [0, 1], "rates": (1e-4, 3e-4)}
TOLERANCE = {"accuracy": 0.04}


def measure(settings):
    return {"net": {"accuracy": [[0.98765, 0.9], [0.5, 0.6]], "rate": settings["rates"][1]}}
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "notebooks" / "results"
    folder.mkdir(parents=True)
    (folder / "04.py").write_text(SCRIPT, encoding="utf-8")
    results.run(root=tmp_path)
    return tmp_path


def script(root):
    return root / "notebooks" / "results" / "04.py"


def stored(root):
    return script(root).with_suffix(".json")


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("stem", sorted({path.stem for path in FOLDER.glob("[0-9]*.*")}))
def test_stored_results_were_made_by_the_script_beside_them(stem):
    assert results.stale(FOLDER / f"{stem}.py") == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_scripts_train_five_seeds_and_compare_something(path):
    script = runpy.run_path(str(path))
    assert len(set(script["SETTINGS"]["seeds"])) >= 5
    compared = [
        place
        for place, _ in results._leaves(data.results(path.stem)["results"])
        if script["TOLERANCE"].keys() & set(place)
    ]
    assert compared


def test_what_is_stored_names_its_script_settings_and_versions(root):
    record = json.loads(stored(root).read_text(encoding="utf-8"))
    assert set(record) == {"script", "sha256", "settings", "versions", "results"}
    assert record["settings"] == {"seeds": [0, 1], "rates": [1e-4, 3e-4]}
    assert set(record["versions"]) == {"python", "numpy", "torch"}
    assert record["results"]["net"] == {"accuracy": [[0.988, 0.9], [0.5, 0.6]], "rate": 3e-4}


def test_the_same_numbers_give_the_same_bytes(root):
    before = stored(root).read_bytes()
    results.run(["04"], root=root)
    assert stored(root).read_bytes() == before
    assert b"[0.988, 0.9]" in before  # one line for each list of numbers
    assert results.stale(script(root)) == []


def break_script(root):
    change(script(root), "0.98765", "0.95")


def break_settings(root):
    change(stored(root), "0.0003]", "0.0004]")


def break_form(root):
    change(stored(root), "{\n", "{ \n")


def break_script_away(root):
    script(root).unlink()


def break_json_away(root):
    stored(root).unlink()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (break_script, "another sha256 than 04.py has now"),
        (break_settings, "another settings"),
        (break_form, "is not as `make results` writes it"),
        (break_script_away, "04.json has no 04.py beside it"),
        (break_json_away, "04.py has no 04.json beside it"),
    ],
)
def test_a_result_of_another_script_is_noticed(root, harm, words):
    harm(root)
    (fault,) = results.stale(script(root))
    assert words in fault
    assert "make results ARGS=04" in fault


def test_check_compares_and_writes_nothing(root):
    assert results.check(root=root) == []
    change(stored(root), "0.6", "0.45")
    before = stored(root).read_bytes()
    assert results.check(root=root) == [
        "| moved | stored | now | outside by more than |",
        "|---|---|---|---|",
        "| 04 net accuracy 1 | [0.5, 0.45] | [0.5, 0.6] | 0.04 |",
    ]
    assert stored(root).read_bytes() == before


def test_check_measures_nothing_that_is_stale(root):
    change(script(root), "return {", "raise AssertionError\n    return {")
    (fault,) = results.check(root=root)
    assert "another sha256" in fault


def test_a_number_that_came_or_went_has_moved():
    old, new = {"a": [[1.0], [2.0]], "b": 1}, {"a": [[1.0]], "c": 1}
    assert results.moved(old, new, {"a": 0.1}) == [
        "| a 1 | [2.0] | None | 0.1 |",
        "| b | [1] | None | None |",
        "| c | None | [1] | None |",
    ]
    assert results.moved({"a": [1.0]}, {"a": [float("nan")]}, {"a": 0.1}) != []


def test_an_unknown_script_is_named(root):
    with pytest.raises(FileNotFoundError, match="no script starts with '07'; there are 04"):
        results.run(["07"], root=root)


@pytest.mark.parametrize(("faults", "status"), [([], 0), (["04: mean 0: moved"], 1)])
def test_the_command_fails_where_something_moved(monkeypatch, faults, status):
    monkeypatch.setattr(results, "check", lambda stems: faults)
    answer = CliRunner().invoke(cli.main, ["results", "04", "--check"])
    assert answer.exit_code == status
    assert answer.output.splitlines() == faults


def test_a_lesson_reads_the_folder_beside_it_first(root, monkeypatch):
    monkeypatch.chdir(root / "notebooks")
    assert data.results("04")["settings"]["seeds"] == [0, 1]
    monkeypatch.chdir(root)
    stem = min(FOLDER.glob("[0-9]*.json")).stem
    assert data.results(stem)["script"] == f"{stem}.py"


def test_a_lesson_without_results_is_told_so():
    with pytest.raises(FileNotFoundError, match="make results ARGS=99"):
        data.results("99")


def test_rows_of_a_list_are_compared_one_by_one():
    old = {"net": [{"accuracy": [0.5, 0.6], "rate": 1}, {"accuracy": [0.9], "rate": 2}]}
    new = {"net": [{"accuracy": [0.5, 0.6], "rate": 2}, {"accuracy": [0.2], "rate": 2}]}
    assert results.moved(old, old, {"accuracy": 0.1}) == []
    assert results.moved(old, new, {"accuracy": 0.1}) == [
        "| net 1 accuracy | [0.9] | [0.2] | 0.1 |"
    ]


def parts(script, name):
    """What an arm of a stored result is made of, with weights from the same draws."""
    settings = script["SETTINGS"]
    what = {"09": [name], "10": [name, 6], "12": [settings.get("cut", {}).get(name)]}
    torch.manual_seed(0)
    net = script["build"](*what[script["__file__"][-5:-3]], settings)
    modules = list(net.modules())
    return {
        "wiring": [each.wiring for each in modules if hasattr(each, "wiring")],
        "modules": [type(each).__name__ for each in modules],
        "weights": {name: value.tolist() for name, value in net.state_dict().items()},
        "trained": [name for name, _ in net.named_parameters()],
    }


@pytest.mark.parametrize(
    ("stem", "one", "other", "differ"),
    [
        ("09", "shortcuts, pre-norm", "attention's shortcuts", {"wiring"}),
        ("09", "shortcuts, pre-norm", "feed-forward's shortcuts", {"wiring"}),
        ("09", "plain, usual attention", "plain, usual attention, rotations", {"weights"}),
        ("10", "post-norm", "post-norm, warm-up", set()),
        ("10", "post-norm", "quiet post-norm", {"wiring"}),
        ("10", "quiet attention", "quiet feed-forward", {"weights"}),
        ("10", "post-norm", "DeepNorm, α alone", {"wiring"}),
        ("10", "post-norm", "DeepNorm, β alone", {"weights"}),
        ("10", "DeepNorm", "DeepNorm, β alone", {"wiring"}),
        ("10", "pre-norm", "pre-norm, β", {"weights"}),
        ("12", "none", "decoder cross-attention", {"wiring"}),
        ("12", "none", "all", {"wiring"}),
    ],
)
def test_arms_of_a_stored_result_differ_in_what_is_said_and_in_nothing_else(
    stem, one, other, differ
):
    script = runpy.run_path(str(FOLDER / f"{stem}.py"))
    one, other = parts(script, one), parts(script, other)
    assert {part for part in one if one[part] != other[part]} == differ
