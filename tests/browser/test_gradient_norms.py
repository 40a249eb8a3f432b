"""The panel that is drawn in the browser says what the kernel's probe would say."""

import re

import pytest

from course_utils.widgets import gradient_norms as hero
from tests.browser.conftest import new_lab

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def panel(browser, server):
    with new_lab(browser, server) as lab:
        yield lab.open("notebooks/02_chain_rule.ipynb").run_all().output("panel")


def numbers(sentence):
    return [float(number) for number in re.findall(r"\d[\d.]*(?:e[+-]\d+)?", sentence)]


@pytest.mark.parametrize("label", hero.PRESETS)
def test_a_preset_shows_the_probes_numbers(panel, label):
    panel.get_by_role("button", name=label).click()
    expected = hero.gradient_norms(**hero.PRESETS[label]).sentence
    # the last digit may differ: the browser's numbers have three digits
    assert numbers(panel.get_by_role("status").inner_text()) == pytest.approx(
        numbers(expected), rel=0.06
    )


FAR = """
const Near = WebSocket;
window.WebSocket = class extends Near {
  set onmessage(heard) { super.onmessage = (event) => setTimeout(heard, 500, event); }
};
"""
NOTE = """
status => {
  window.shown = [];
  const note = () => shown.at(-1) === status.innerText || shown.push(status.innerText);
  new MutationObserver(note).observe(status, { childList: true, characterData: true });
}
"""


def test_an_answer_to_an_earlier_move_does_not_take_back_a_later_one(browser, server):
    with new_lab(browser, server) as lab:
        lab.page.add_init_script(FAR)  # what the kernel says comes half a second late
        panel = lab.open("notebooks/02_chain_rule.ipynb").run_all().output("panel")
        _, earlier, later = (panel.get_by_role("button", name=name) for name in hero.PRESETS)
        panel.get_by_role("status").evaluate(NOTE)
        earlier.dispatch_event("click")  # at once, where click() waits until all stands still
        lab.page.wait_for_timeout(550)  # the kernel has heard of it, and its answer is on the way
        later.dispatch_event("click")
        lab.page.wait_for_timeout(1500)
        shown = lab.page.evaluate("shown")
        assert len(shown) == 2, shown
        assert "branches of size 1.1" in shown[1]


def test_an_arrow_key_moves_slider_curve_and_sentence_at_once(panel):
    panel.get_by_role("button", name="plain vanishes").click()
    slider, curve = panel.get_by_role("slider").nth(1), panel.locator("svg path").first
    before = curve.get_attribute("d"), panel.get_by_role("status").inner_text()
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "0.8")
    assert curve.get_attribute("d") != before[0]
    assert "branches of size 0.8" in panel.get_by_role("status").inner_text()


def test_two_names_never_lie_on_one_another(panel):
    panel.get_by_role("button", name="both are calm").click()
    heights = [float(panel.locator("svg text", has_text=re.compile(f"^{name}$"))
               .get_attribute("y")) for name in ("plain", "residual")]  # fmt: skip
    assert abs(heights[0] - heights[1]) >= 13


def test_keys_on_a_slider_delete_no_cell(panel):
    cells = panel.page.locator(".jp-Notebook .jp-Cell").count()
    slider = panel.get_by_role("slider").first
    slider.press("d")
    slider.press("d")
    assert panel.page.locator(".jp-Notebook .jp-Cell").count() == cells
