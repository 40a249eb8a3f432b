"""A JupyterLab server over a copy of the course, and one notebook open in it."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from tests import house

SETTINGS = {
    # cells out of sight are real cells, too
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
MINUTES = 60_000  # what Playwright counts in


def chromium():
    """Path of the browser; a sentence that says what to do where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found or not shutil.which(found):
        raise FileNotFoundError(
            f"the browser tests need Chromium: expected {', '.join(names)} on the PATH or its path "
            f"in CHROMIUM, got {found!r}; on Debian: apt install chromium"
        )
    return found


class Server:
    """JupyterLab in a folder of its own; nothing of the user's settings or progress is touched."""

    def __init__(self, folder):
        self.folder, self.course = folder, folder / "course"
        self.progress = folder / "progress.json"
        for name in ("notebooks", "exercises"):
            shutil.copytree(house.ROOT / name, self.course / name)
        for plugin, values in SETTINGS.items():
            file = folder / "settings" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values), encoding="utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.token = secrets.token_hex()

    @contextlib.contextmanager
    def running(self):
        """Serve until the block ends."""
        command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser",
            f"--ServerApp.root_dir={self.course}", f"--port={self.url.rpartition(':')[2]}",
            "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1",
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        with (self.folder / "server.log").open("w") as log:
            process = subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log)
            try:
                self._wait(process)
                yield self
            finally:
                process.terminate()
                process.wait(30)

    def _environment(self):
        places = {
            "COURSE_PROGRESS": self.progress,
            "IPYTHONDIR": self.folder / "ipython",
            "JUPYTER_CONFIG_DIR": self.folder / "config",
            "JUPYTER_DATA_DIR": self.folder / "data",
            "JUPYTER_RUNTIME_DIR": self.folder / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": self.folder / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": self.folder / "workspaces",
        }
        rest = {key: value for key, value in os.environ.items() if key != "COURSE_STATIC"}
        rest.pop("MPLBACKEND", None)  # a learner's kernel chooses its own
        texts = {key: str(value) for key, value in places.items()}
        return {**rest, **texts, "JUPYTER_TOKEN": self.token, "OMP_NUM_THREADS": "1"}

    def _wait(self, process):
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                return self.request("GET", "/api/status")
            time.sleep(0.2)
        log = (self.folder / "server.log").read_text(encoding="utf-8")
        raise RuntimeError(f"JupyterLab did not start:\n{log[-3000:]}")

    def request(self, method, path):
        """Ask the server's API; JSON comes back, or None."""
        headers = {"Authorization": f"token {self.token}"}
        question = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(question, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def stop_kernels(self):
        """End every session, so that memory stays that of one notebook."""
        for session in self.request("GET", "/api/sessions"):
            self.request("DELETE", f"/api/sessions/{session['id']}")


class Lab:
    """The notebook that is open on a page; cells go by their ids."""

    def __init__(self, page, server):
        self.page, self.server, self.errors = page, server, []
        page.set_default_timeout(MINUTES / 4)
        page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path):
        """Open a notebook and wait until its kernel can take a command; earlier ones are lost."""
        self.page.goto(f"{self.server.url}/lab/tree/{path}?reset&token={self.server.token}")
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp?.shell.currentWidget;
                return panel?.content?.model?.cells?.length > 0
                    && panel.sessionContext.session?.kernel?.status === "idle";
            }""",
            timeout=MINUTES,
        )
        self._notebook("nb => nb.widgets.forEach(c => c.node.dataset.cell = c.model.id)")
        return self

    def run_all(self):
        """Run the notebook from top to bottom and wait for its end."""
        self._command("notebook:run-all-cells")
        return self

    def run(self, *cells):
        """Run some cells one after the other."""
        for cell in cells:
            self._select(cell)
            self._command("notebook:run-cell")

    def replace_cell(self, cell, source):
        """Type a new source into a cell."""
        self.cell(cell).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)

    def press(self, place, *keys):
        """Put the focus on a place and press keys there."""
        place.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def cell(self, cell):
        """Find a cell on the page."""
        return self.page.locator(f"[data-cell='{cell}']")

    def output(self, cell):
        """Find what a cell shows."""
        return self.cell(cell).locator(".jp-OutputArea-output")

    def cells(self):
        """Ids of the cells that the notebook has now."""
        return self._notebook("nb => nb.widgets.map(c => c.model.id)")

    def outputs(self):
        """For each code cell that is not empty: its id, execution count and outputs."""
        return self._notebook(
            """nb => nb.widgets.filter(c => c.model.type === "code" && c.model.sharedModel.source)
                .map(c => [c.model.id, c.model.executionCount, c.model.outputs.toJSON()])"""
        )

    def _select(self, cell):
        self._notebook(
            """(nb, id) => {
                nb.deselectAll();
                nb.activeCellIndex = nb.widgets.findIndex(c => c.model.id === id);
            }""",
            cell,
        )

    def _command(self, name):
        # a command answers when the last of its cells is done, so nothing is waited for in vain
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def _notebook(self, function, argument=None):
        return self.page.evaluate(
            f"argument => ({function})(jupyterapp.shell.currentWidget.content, argument)", argument
        )
