"""What a learner sees: the course in a real JupyterLab, in a real browser."""

import json

import pytest

from tests import house
from tests.answers import answers

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser
PATHS = [
    pytest.param(f"{folder}/{stem}.ipynb", marks=[pytest.mark.slow] if place else [])
    for folder in ("notebooks", "exercises")
    for place, stem in enumerate(house.stems(folder))
]
PRACTICE = "exercises/00_start_here.ipynb"
AFFINE = [answer for answer in answers() if answer.exercise == "affine"]
RIGHT = next(answer for answer in AFFINE if not answer.fragment)
WRONG = next(answer for answer in AFFINE if answer.fragment)


@pytest.mark.parametrize("path", PATHS)
def test_a_notebook_runs_from_top_to_bottom_without_an_error(lab, path):
    ran = lab.open(path).run_all().outputs()
    faults = [
        (cell, output)
        for cell, _, outputs in ran
        for output in outputs
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert faults == []
    assert [count for _, count, _ in ran] == list(range(1, len(ran) + 1))
    assert lab.errors == []


class Panel:
    """The parts of a panel on the page."""

    def __init__(self, lab, cell):
        self.output = lab.output(cell)
        self.handle = self.output.get_by_role("slider").first
        self.buttons = self.output.get_by_role("button")
        self.sentence = self.output.get_by_role("status")
        self.readout = self.output.locator(".widget-readout").first
        self.image = self.output.locator("img.course-figure")

    def at(self, value):
        """Wait until slider and sentence show a value; the picture arrives before the sentence."""
        expect(self.readout).to_have_text(value)
        expect(self.sentence).to_contain_text(f"1 - {value} =")

    def state(self):
        """Sentence, picture and height."""
        self.image.evaluate("image => image.decode()")
        pixels = self.image.evaluate(
            "async image => [...new Uint8Array(await (await fetch(image.src)).arrayBuffer())]"
        )
        return self.sentence.inner_text(), bytes(pixels), self.output.bounding_box()["height"]


@pytest.fixture
def panel(lesson):
    """The panel of lesson 00, at its first preset."""
    panel = Panel(lesson, "panel")
    panel.buttons.first.click()
    panel.at("0.05")
    yield panel
    assert lesson.errors == []


def moved(panel, before):
    """Picture and sentence have changed, and nothing below the panel jumps."""
    expect(panel.sentence).not_to_have_text(before[0])
    after = panel.state()
    assert after[1] != before[1], "the picture is the old one"
    assert after[2] == before[2], "the height changed"
    return after


def test_a_slider_moves_by_keyboard_and_the_picture_and_the_sentence_follow(lesson, panel):
    start = panel.state()
    for keys, value in [(["ArrowRight", "ArrowRight"], "0.15"), (["End"], "2.50")]:
        lesson.press(panel.handle, *keys)
        panel.at(value)
        moved(panel, start)
    lesson.press(panel.handle, "Home", "ArrowUp")
    panel.at("0.05")
    assert panel.state() == start


def test_a_slider_moves_by_mouse_and_the_picture_and_the_sentence_follow(lesson, panel):
    state = panel.state()
    panel.handle.hover()
    lesson.page.mouse.down()
    box = panel.output.locator(".noUi-base").first.bounding_box()
    for step in (60, 120, 180):
        lesson.page.mouse.move(box["x"] + step, box["y"] + box["height"] / 2)
        state = moved(panel, state)
    lesson.page.mouse.up()


def test_tab_leads_from_control_to_control(lesson, panel):
    panel.buttons.last.focus()
    lesson.page.keyboard.press("Tab")
    expect(panel.handle).to_be_focused()
    lesson.page.keyboard.press("Tab")
    expect(panel.readout).to_be_focused()


def test_a_slider_tells_its_name_and_the_value_that_is_shown(lesson, panel):
    expect(panel.handle).to_have_accessible_name("learning rate")
    expect(panel.handle).to_have_attribute("aria-valuetext", "0.05")
    lesson.press(panel.handle, "ArrowRight")
    expect(panel.handle).to_have_attribute("aria-valuetext", "0.10")


@pytest.mark.parametrize(
    ("cell", "role"),
    [("panel", "slider"), ("panel", "button"), ("predict", "combobox"), ("scorecard", "button")],
)
def test_a_control_keeps_its_keys_from_changing_cells(lesson, cell, role):
    cells = lesson.cells()
    control = lesson.output(cell).get_by_role(role).first
    for keys in ("dd", "a", "b", "x"):
        lesson.press(control, *keys)
        assert lesson.cells() == cells, f"{keys} on a {role} is a command"
        expect(control).to_be_focused()


def test_outside_a_panel_the_shortcuts_are_jupyterlabs(lab):
    lab.open(PRACTICE)
    cells = lab.cells()
    lab.cell(cells[0]).click()
    lab.page.keyboard.press("d")
    lab.page.keyboard.press("d")
    lab.page.wait_for_function(
        "n => jupyterapp.shell.currentWidget.content.widgets.length === n", arg=len(cells) - 1
    )


def solve(lab, answer):
    """Type an answer, run its check and read what it says."""
    lab.replace_cell("affine-answer", answer.source)
    lab.run("affine-answer", "affine-check")
    return lab.output("affine-check")


def test_a_wrong_answer_and_a_right_one_are_told_what_they_are(lab):
    lab.open(PRACTICE).run_all()
    expect(solve(lab, WRONG)).to_contain_text(WRONG.fragment)
    expect(solve(lab, RIGHT)).to_contain_text("✔")
    assert lab.errors == []


def test_a_score_card_is_saved_wiped_and_restored(lab, server, tmp_path):
    lab.open(PRACTICE).run_all()
    solve(lab, RIGHT)
    score = lab.output("score")
    row = score.get_by_role("row", name="00_start_here")
    lab.run("score")
    expect(row).to_contain_text("1 of 8")
    with lab.page.expect_download() as download:
        score.get_by_role("link", name="Save to a file").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)

    server.progress.unlink()
    lab.run("score")
    expect(row).to_contain_text("0 of 8")
    with lab.page.expect_file_chooser() as chooser:
        score.get_by_role("button", name="Restore").click()
    chooser.value.set_files(saved)
    expect(score.get_by_text("Restored: the better result of each counts.")).to_be_visible()
    expect(row).to_contain_text("1 of 8")
    assert json.loads(server.progress.read_text())["exercises"]["affine"]["points"] == 1
    assert lab.errors == []
