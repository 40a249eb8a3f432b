"""What the browser tests share: one server, one browser, a page for each test."""

import contextlib

import pytest

from tests.browser.lab import Lab, Server, chromium


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("lab")).running() as server:
        yield server


@pytest.fixture(scope="session")
def browser():
    try:
        path = chromium()
    except FileNotFoundError as error:
        pytest.exit(str(error), returncode=1)  # once, instead of once for each test
    from playwright.sync_api import sync_playwright  # where it is missing, the tests are skipped

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextlib.contextmanager
def new_lab(browser, server):
    page = browser.new_page(viewport={"width": 1250, "height": 950})
    try:
        yield Lab(page, server)
    finally:
        page.context.close()
        server.stop_kernels()


@pytest.fixture
def lab(browser, server):
    with new_lab(browser, server) as lab:
        yield lab


@pytest.fixture(scope="module")
def lesson(browser, server):
    """Lesson 00, run once for many tests: it holds a question, a panel and the score card."""
    with new_lab(browser, server) as lab:
        yield lab.open("notebooks/00_start_here.ipynb").run_all()
