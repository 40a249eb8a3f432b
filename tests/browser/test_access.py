"""What axe-core finds in the panels: nothing that keeps a learner out."""

import nbformat
import pytest

from benchmarks.panels import EVERY, notebook
from course_utils import widgets
from tests.browser.conftest import new_lab

sync_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.browser
THEMES = {"JupyterLab Light": "true", "JupyterLab Dark": "false"}
AS_SVG = "gradient_norms"
PICTURE = ".course-guarded :is(img, svg)"


def change_theme(lab, theme):
    lab.page.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    is_light = f"body[data-jp-theme-light={THEMES[theme]}]"
    lab.page.locator(is_light).wait_for(state="attached")


@pytest.fixture(scope="module", params=THEMES)
def panels(request, browser, server):
    """One page with every panel, in one theme."""
    nbformat.write(notebook(EVERY), server.course / "panels.ipynb")
    with new_lab(browser, server) as lab:
        lab.open("panels.ipynb").run_all()
        change_theme(lab, request.param)
        # JupyterLab's body is 0 pixels high, so axe takes all text for hidden and skips contrast
        lab.page.add_style_tag(content="body { height: 100vh }")
        for name in EVERY:
            lab.output(name).locator(PICTURE).first.wait_for()
        yield lab
        change_theme(lab, "JupyterLab Light")  # the server keeps it for the next test


def faults(lab, cell):
    """List what axe finds in the panel of a cell: the rule, its impact and the elements."""
    lab.output(cell).last.evaluate(
        "output => output.scrollIntoView()"
    )  # it skips what is out of sight
    place = f"[data-cell='{cell}'] .course-guarded"
    for _ in range(20):  # a page that still moves has text without a known background
        answer = sync_playwright.Axe().run(lab.page, context=place).response
        judged = {rule["id"] for rule in answer["passes"] + answer["violations"]}
        if judged >= {"button-name", "color-contrast"}:
            break
        lab.page.wait_for_timeout(250)
    else:
        pytest.fail(f"axe has judged no more than {sorted(judged)}")
    return [
        f"{violation['id']} ({violation['impact']}): {node['html']}"
        for violation in answer["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", EVERY)
def test_axe_finds_no_serious_fault_in_a_panel(panels, name):
    assert faults(panels, name) == []


def test_every_panel_there_is_has_a_cell_on_the_page():
    assert [cell.id for cell in notebook(EVERY).cells] == list(widgets.panels())


@pytest.mark.parametrize(
    ("breakage", "rule"),
    [
        ("panel.querySelector('button').outerHTML = '<button></button>'", "button-name"),
        ("panel.querySelector('button').style.color = '#888'", "color-contrast"),
        ("panel.querySelector('svg').removeAttribute('aria-label')", "svg-img-alt"),
    ],
    ids=["button-name", "color-contrast", "svg-img-alt"],
)
def test_a_broken_panel_is_noticed(panels, breakage, rule):
    # a panel is broken and mended again by showing it anew
    panels.output(AS_SVG).locator(".course-guarded").evaluate(f"panel => {{ {breakage} }}")
    found = faults(panels, AS_SVG)
    panels.run(AS_SVG)
    panels.output(AS_SVG).locator(PICTURE).first.wait_for()
    assert [fault for fault in found if not fault.startswith(rule)] == []
    assert len(found) == 1
