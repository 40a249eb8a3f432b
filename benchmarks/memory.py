"""Measure what a notebook costs a learner: ``python -m benchmarks.memory [STEM ...]``.

For each lesson and each solved exercise notebook, on one thread and with live panels: memory
of an idle JupyterLab server plus the kernel at its peak, seconds from the start of the kernel
to the first figure, seconds that all of it takes an undisturbed core, and seconds to run again,
from Setup, up to the end of each section: what a reader pays whose kernel was lost there.
Prints a table and, last, one JSON object. Exits with 1 if a notebook needs more than 900 MB.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import psutil
from jupyter_server.utils import url_path_join
from nbclient import NotebookClient
from tqdm import tqdm

from tests import house
from tests.budget import measure

LIMIT_MB = 900


def server_mb() -> float:
    """Start a JupyterLab server and measure its memory once it answers.

    Returns
    -------
    float
        Resident memory in MB.

    Raises
    ------
    RuntimeError
        If it does not answer within a minute.
    """
    with tempfile.TemporaryDirectory() as runtime:
        options = ["--no-browser", "--allow-root", "--ServerApp.token=x", "--port=0"]
        command = [sys.executable, "-m", "jupyterlab", *options]
        environment = {**os.environ, "JUPYTER_RUNTIME_DIR": runtime}
        server = subprocess.Popen(
            command, cwd=house.ROOT, env=environment, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(server, runtime)
            return psutil.Process(server.pid).memory_info().rss / 2**20
        finally:
            server.terminate()
            server.wait()


def _wait_for(server, runtime):
    for _ in range(120):
        time.sleep(0.5)
        for name in os.listdir(runtime):
            if re.fullmatch(rf"jpserver-{server.pid}\.json", name):
                with open(os.path.join(runtime, name), encoding="utf-8") as file:
                    url = json.load(file)["url"]
                urllib.request.urlopen(url_path_join(url, "lab?token=x")).read()
                return
    raise RuntimeError("JupyterLab did not answer within a minute")


def run(folder, stem) -> dict:
    """Run a notebook in a fresh kernel and time it.

    Parameters
    ----------
    folder, stem : str

    Returns
    -------
    dict
        Peak memory of the kernel in MB, seconds to the first figure (None without one), seconds
        of an undisturbed core, and seconds from the start of the kernel to the end of each section.
    """
    nb = house.read(folder, stem)
    client = NotebookClient(nb, timeout=300, kernel_name="python3")
    first_figure, use, sections, section = None, None, {}, "Setup"
    start = time.perf_counter()
    with client.setup_kernel(cwd=str(house.ROOT / folder)):
        for index, cell in enumerate(nb.cells):
            if cell.cell_type == "markdown":
                headings = re.findall(r"^## (.+)$", cell.source, re.M)
                section = headings[-1] if headings else section
                continue
            client.execute_cell(cell, index)
            sections[section] = time.perf_counter() - start
            if first_figure is None and any("image/png" in o.get("data", {}) for o in cell.outputs):
                first_figure = sections[section]
            use = measure(psutil.Process(client.km.provisioner.process.pid), use)
    return {
        "kernel_mb": use.peak_mb,
        "first_figure_s": first_figure,
        "quiet_core_s": use.quiet_seconds,
        "sections_s": sections,
    }


def main(stems):
    """Measure, print and judge."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("COURSE_STATIC", None)
    chosen = [stem for stem in house.stems("notebooks") if not stems or stem in stems]
    server = server_mb()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_PROGRESS"] = os.path.join(folder, "progress.json")
        for stem in tqdm(chosen, desc="lessons"):
            figures[stem] = run("notebooks", stem)
            figures[f"{stem}, exercises"] = run("solutions", stem)
    print("| notebook | server + kernel, peak | first figure | quiet core | to run it all again |")
    print("|---|---|---|---|---|")
    for name, use in figures.items():
        use["total_mb"] = server + use["kernel_mb"]
        first = f"{use['first_figure_s']:.0f} s" if use["first_figure_s"] else "–"
        quiet, again = use["quiet_core_s"], max(use["sections_s"].values())
        print(f"| {name} | {use['total_mb']:.0f} MB | {first} | {quiet:.0f} s | {again:.0f} s |")
    print(json.dumps({"server_mb": server, "notebooks": figures}))
    return max(use["total_mb"] for use in figures.values()) > LIMIT_MB


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
