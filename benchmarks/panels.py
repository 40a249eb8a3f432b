"""Measure how fast panels follow the hand: ``python -m benchmarks.panels [--no-judge]``.

In a real JupyterLab the first slider of each panel is dragged by 30 single steps, each when the
last one has come to rest: milliseconds from the move of the pointer to the painted frame in which
the picture has changed, CPU time of the kernel, whether the output keeps its height. Then a quick
sweep is filmed and its frames without a picture are counted. Once directly and once with a round
trip of 120 ms, as on Binder. Prints a table and, last, one JSON object. Exits with 1 past a bar.
"""

import asyncio
import base64
import contextlib
import copy
import io
import json
import statistics
import sys
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path

import nbformat
import psutil
from nbformat import v4
from PIL import Image
from playwright.sync_api import sync_playwright
from tqdm import tqdm

from course_utils.widgets import panels
from course_utils.widgets.training_panel import TrainingPanel
from tests.browser.lab import Lab, Server, chromium

EVERY = panels()
# where a button trains, a move draws nothing anew
PANELS = [name for name in EVERY if name not in panels(TrainingPanel)]
MOVES, ROUND_TRIP_MS = 30, 120
# p95 in ms, by who draws the picture and how far the kernel is; CPU of the kernel per move
BARS = {"browser": {"direct": 33, "far": 33}, "kernel": {"direct": 150, "far": 350}}
KERNEL_MS = 20

# A picture has changed when its image has loaded or something in its SVG is another; that is on
# the screen when the next frame but one begins.
PROBE = """output => {
    const probe = window.probe = { heights: new Set() };
    const picture = probe.picture = output.querySelector(".course-guarded :is(img, svg)");
    const value = () => output.querySelector("[role=slider], [type=range]").ariaValueText;
    const changed = () => {
        probe.last = performance.now();
        requestAnimationFrame(() => requestAnimationFrame(() => {
            probe.painted ??= performance.now();
        }));
    };
    document.addEventListener("pointermove", event => {
        if (value() === probe.value) probe.moved = performance.now();
    }, { capture: true });
    picture.addEventListener("load", changed);
    if (picture.tagName !== "IMG") new MutationObserver(changed).observe(
        picture, { subtree: true, childList: true, attributes: true, characterData: true });
    const content = async () => picture.tagName !== "IMG" ? picture.innerHTML
        : String(new Uint8Array(await (await fetch(picture.src)).arrayBuffer()));
    probe.begin = async () => {
        probe.before = await content();
        probe.value = value();
        probe.painted = probe.last = undefined;
    };
    // the kernel's echo may draw once more, so rest is a time without a change
    probe.rest = async quiet => {
        const start = performance.now();
        while (performance.now() - (probe.last ?? start) < (probe.last ? quiet : 3000))
            await new Promise(go => setTimeout(go, 20));
        return probe.before === await content() ? null : probe.painted - probe.moved;
    };
    (function look() {
        probe.heights.add(output.getBoundingClientRect().height);
        requestAnimationFrame(look);
    })();
    return picture.tagName === "IMG" ? "kernel" : "browser";
}"""
# ipywidgets' slider (the bar is around its handle), or the browser's own: its handle is drawn
# inside of it, 16 pixels wide
PLACE = """handle => {
    const bar = (handle.closest(".noUi-base") ?? handle).getBoundingClientRect();
    const box = handle.getBoundingClientRect();
    const part = (handle.value - handle.min) / (handle.max - handle.min);
    const x = handle.tagName === "INPUT" ? box.left + 8 + part * (box.width - 16)
        : box.left + box.width / 2;
    return [x, box.top + box.height / 2, bar.left, bar.right];
}"""


@contextlib.contextmanager
def slow_way(port, delay):
    """Stand between browser and server and hold back every byte; gives the browser's port.

    Parameters
    ----------
    port : int
        Of the server, on this machine.
    delay : float
        Seconds, each way.
    """
    ready = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(port, delay, ready)))
    thread.start()
    loop, stop, near = ready.result(10)
    try:
        yield near
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


async def _serve(port, delay, ready):
    async def carry(reader, writer):
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(2**16):
                loop.call_later(delay, writer.write, chunk)  # reading goes on: no narrow line
        loop.call_later(delay, writer.close)

    async def connect(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    stop = asyncio.Event()
    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    ready.set_result((asyncio.get_running_loop(), stop, server.sockets[0].getsockname()[1]))
    await stop.wait()


def notebook(names=PANELS) -> nbformat.NotebookNode:
    """Make a notebook with one cell for each panel; the cell's id is the panel's name."""
    source = "from course_utils.widgets import panels\n\npanels()['{}']()"
    cells = [v4.new_code_cell(source.format(name), id=name) for name in names]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


class _Hand:
    """Holds a slider with the mouse."""

    def __init__(self, slider):
        self.slider, self.mouse, self.pixels = slider, slider.page.mouse, 2
        self.x, self.y, self.left, self.right = slider.evaluate(PLACE)
        self.mouse.move(self.x, self.y)
        self.mouse.down()

    def step(self):
        """Move on, and back from an end, until the slider takes another value."""
        before = self.slider.get_attribute("aria-valuetext")
        for _ in range(round(self.right - self.left)):
            if not self.left <= self.x + self.pixels <= self.right:
                self.pixels *= -1
            self.x += self.pixels
            self.mouse.move(self.x, self.y)
            if self.slider.get_attribute("aria-valuetext") != before:
                return
        raise RuntimeError(f"the slider stays at {before}")

    def sweep(self):
        """Move from end to end without waiting."""
        for i in range(21):
            self.mouse.move(self.left + i / 20 * (self.right - self.left), self.y)


def measure(output, way) -> dict:
    """Drag the first slider of a panel.

    Parameters
    ----------
    output : Locator
        What the panel's cell shows.
    way : str
        `direct` or `far`.

    Returns
    -------
    dict
        Who draws, milliseconds, moves that the picture did not follow, heights, blank frames.
    """
    page, times = output.page, []
    output.locator(".course-guarded :is(img, svg)").first.wait_for()
    output.evaluate("output => output.scrollIntoView()")
    drawn_by = output.evaluate(PROBE)
    hand = _Hand(output.get_by_role("slider").first)
    quiet = 250 + (way == "far") * ROUND_TRIP_MS
    before = _kernel_seconds()
    for _ in range(MOVES):
        page.evaluate("probe.begin()")
        hand.step()
        times.append(page.evaluate("quiet => probe.rest(quiet)", quiet))
    kernel_ms = 1000 * (_kernel_seconds() - before) / MOVES
    blank = _film(page, hand)
    hand.mouse.up()
    followed = [time for time in times if time is not None] or [1e9]
    return {
        "drawn_by": drawn_by,
        "p50_ms": round(statistics.median(followed)),
        "p95_ms": round(sorted(followed)[int(0.95 * len(followed))]),
        "kernel_ms": round(kernel_ms, 1),
        "not_followed": times.count(None),
        "heights": page.evaluate("[...probe.heights]"),
        "blank": sum(blank),
        "frames": len(blank),
    }


def _kernel_seconds():
    for process in psutil.Process().children(recursive=True):
        if "ipykernel_launcher" in process.cmdline():
            times = process.cpu_times()
            return times.user + times.system
    raise RuntimeError("no kernel runs")


def _film(page, hand):
    """Film a sweep; say of each frame if the place of the picture has no contrast."""
    film, frames = page.context.new_cdp_session(page), []

    def keep(frame):
        frames.append(Image.open(io.BytesIO(base64.b64decode(frame["data"]))))
        film.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    film.on("Page.screencastFrame", keep)
    film.send("Page.startScreencast", {"format": "jpeg"})
    hand.sweep()
    page.wait_for_timeout(1500)
    film.send("Page.stopScreencast")
    box = page.evaluate(
        "(({ left, top, right, bottom }) => [left, top, right, bottom])"
        "(probe.picture.getBoundingClientRect())"
    )
    greys = [frame.crop(box).convert("L").getextrema() for frame in frames]
    return [high - low < 64 for low, high in greys]


def faults(results) -> list:
    """Say what is past its bar.

    Parameters
    ----------
    results : dict of str to dict
        By way, then by panel: what `measure` returns.
    """
    found = []
    for way, name, use in _rows(results):
        bar = BARS[use["drawn_by"]][way]
        past = {
            f"p95 is {use['p95_ms']} ms, at most {bar}": use["p95_ms"] > bar,
            f"{use['kernel_ms']} ms of kernel, at most {KERNEL_MS}": use["kernel_ms"] > KERNEL_MS,
            f"{use['not_followed']} moves without a new picture": use["not_followed"],
            f"the height is one of {use['heights']}": len(use["heights"]) > 1,
            f"{use['blank']} of {use['frames']} frames without a picture": use["blank"],
        }
        found += [f"{name}, {way}: {what}" for what, is_so in past.items() if is_so]
    return found


def _rows(results):
    return [(way, name, use) for way, uses in results.items() for name, use in uses.items()]


def _results(browser, server):
    port, results = int(server.url.rpartition(":")[2]), {}
    with server.running(), slow_way(port, ROUND_TRIP_MS / 2000) as near:
        far = copy.copy(server)
        far.url = f"http://127.0.0.1:{near}"
        for way, reached in {"direct": server, "far": far}.items():
            page = browser.new_page(viewport={"width": 1250, "height": 950})
            lab = Lab(page, reached).open("panels.ipynb").run_all()
            results[way] = {n: measure(lab.output(n), way) for n in tqdm(PANELS, desc=way)}
            page.close()
            server.stop_kernels()
    return results


def main(judge=True) -> bool:
    """Measure, print and judge."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        nbformat.write(notebook(), server.course / "panels.ipynb")
        browser = playwright.chromium.launch(executable_path=chromium())
        results = _results(browser, server)
        browser.close()
    print("| panel | drawn by | way | p50 | p95 | kernel per move | same height | blank frames |")
    print("|---|---|---|---|---|---|---|---|")
    for way, name, use in _rows(results):
        same = "yes" if len(use["heights"]) == 1 else "no"
        times = f"{use['p50_ms']} ms | {use['p95_ms']} ms | {use['kernel_ms']} ms"
        blank = f"{use['blank']} of {use['frames']}"
        print(f"| {name} | {use['drawn_by']} | {way} | {times} | {same} | {blank} |")
    wrong = faults(results)
    print(*wrong, sep="\n")
    print(json.dumps({"results": results, "faults": wrong}))
    return judge and bool(wrong)


if __name__ == "__main__":
    sys.exit(main(judge="--no-judge" not in sys.argv))
