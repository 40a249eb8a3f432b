import json
import multiprocessing
import os

import pytest

from course_utils.practice import progress
from course_utils.practice.progress import Record


@pytest.fixture
def file(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_STATIC", raising=False)
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_unsaved", {})
    return tmp_path / "progress.json"


def test_points_and_hints_are_kept_and_the_best_counts(file):
    progress.add_points("affine", 1)
    progress.add_points("affine", 0)
    assert progress.add_hint("affine", most=2) == 1
    assert progress.add_hint("affine", most=2) == 2
    assert progress.add_hint("affine", most=2) == 2
    assert progress.load() == {"affine": Record(points=1, hints=2)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is not JSON"),
        ("", "it is not JSON"),
        ("[]", 'expected "version": 1'),
        ('{"version": 2, "exercises": {}}', 'expected "version": 1'),
        ('{"version": 1}', 'expected "exercises" to be an object'),
        ('{"version": 1, "exercises": {"a": {"points": "3", "hints": 0}}}', "whole points"),
        ('{"version": 1, "exercises": {"a": {"points": -1, "hints": 0}}}', "whole points"),
        ('{"version": 1, "exercises": {"a": null}}', "got None"),
    ],
)
def test_a_damaged_file_is_set_aside_and_said_so(file, capsys, text, reason):
    file.write_text(text)
    progress.add_points("affine", 1)
    said = capsys.readouterr().out
    assert reason in said
    (aside,) = [path for path in file.parent.iterdir() if "damaged" in path.name]
    assert aside.name in said
    assert aside.read_text() == text
    assert progress.load() == {"affine": Record(points=1)}


def test_two_damaged_files_are_both_kept(file, capsys):
    for text in ("{", "["):
        file.write_text(text)
        progress.load()
    kept = [path.read_text() for path in file.parent.iterdir() if "damaged" in path.name]
    assert sorted(kept) == ["[", "{"]


def test_where_nothing_can_be_written_points_are_kept_for_the_session(file, capsys, monkeypatch):
    file.write_text("a file, where a folder would have to be")
    monkeypatch.setenv("COURSE_PROGRESS", str(file / "progress.json"))
    assert progress.add_hint("affine", most=3) == 1
    assert progress.add_hint("affine", most=3) == 2
    assert "could not be saved" in capsys.readouterr().out


def test_nothing_is_written_while_outputs_are_stored(file, monkeypatch):
    monkeypatch.setenv("COURSE_STATIC", "1")
    progress.add_points("affine", 1)
    assert not file.exists()


def _add(name):
    for _ in range(20):
        progress.add_hint(name, most=1000)


def test_notebooks_open_at_once_lose_nothing(file):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add, args=(name,)) for name in ("affine", "descend")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert progress.load() == {"affine": Record(hints=20), "descend": Record(hints=20)}
    assert not list(file.parent.glob("*.tmp"))


def test_a_saved_copy_is_merged_and_the_better_result_counts(file):
    progress.add_points("affine", 1)
    saved = progress.dump({"affine": Record(0, 2), "descend": Record(2, 0)})
    progress.merge(progress.load(saved))
    assert progress.load() == {"affine": Record(1, 2), "descend": Record(2, 0)}
    with pytest.raises(ValueError, match="not JSON"):
        progress.load("nonsense")


def test_the_file_lies_at_the_courses_root(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_PROGRESS", raising=False)
    for folder in ("notebooks", "exercises"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "exercises")
    assert progress.path() == tmp_path / "progress.json"


def test_the_file_is_readable_json(file):
    progress.add_points("affine", 1)
    assert json.loads(file.read_text())["exercises"]["affine"] == {"points": 1, "hints": 0}
    assert os.listdir(file.parent).count("progress.json") == 1


def test_points_that_could_not_be_saved_are_saved_later(file, monkeypatch, capsys):
    progress.add_points("affine", 1)
    good = os.environ["COURSE_PROGRESS"]
    monkeypatch.setenv("COURSE_PROGRESS", str(file / "below a file.json"))
    assert progress.add_points("descend", 2)["descend"].points == 2
    assert progress.load()["descend"].points == 2  # the score card shows it all the same
    monkeypatch.setenv("COURSE_PROGRESS", good)
    progress.add_hint("deepen", most=3)
    assert progress.load() == {
        "affine": Record(points=1),
        "descend": Record(points=2),
        "deepen": Record(hints=1),
    }


def test_a_folder_in_place_of_the_file_is_said_so(file, capsys):
    file.mkdir()
    assert progress.load() == {}
    assert "could not be read" in capsys.readouterr().out


def test_a_file_kept_busy_is_said_so(file, monkeypatch, capsys):
    from filelock import Timeout

    def busy(_file):
        raise Timeout("lock")

    monkeypatch.setattr(progress, "_lock", busy)
    progress.add_points("affine", 1)
    assert "another notebook keeps progress.json busy" in capsys.readouterr().out


def test_a_link_stays_a_link_and_an_editors_mark_does_no_harm(file, monkeypatch):
    target = file.with_name("target.json")
    target.write_text("\ufeff" + progress.dump({"affine": Record(1, 0)}), encoding="utf-8")
    file.symlink_to(target)
    progress.add_points("descend", 2)
    assert file.is_symlink()
    assert progress.load() == {"affine": Record(points=1), "descend": Record(points=2)}


def test_a_deeply_nested_file_is_damaged(file, capsys):
    file.write_text("[" * 200_000)
    assert progress.load() == {}
    assert "It is kept as progress.json.damaged-1" in capsys.readouterr().out
