"""Submissions, honest, broken and hostile, and what each of them is due.

An attack also tells how it shows where nothing stops it: in a run with ``--sandbox none``
(`open_wall`), or against checks in the learner's own process (`same_process`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.grading.notebooks import (
    POINTS,
    RIGHT,
    code,
    notebook,
    remade,
    version_3,
    with_answer,
    without_ids,
)

ALL = sum(POINTS.values())


@dataclass(frozen=True)
class Case:
    name: str
    content: bytes
    due: tuple  # least and most points
    says: str = ""  # in a reason, a note or the problem
    hides: str = ""  # nowhere in what was found
    open_wall: Callable | None = None  # (its result as text, its points) → shown
    as_root: bool = False  # what open_wall shows needs root
    same_process: str = ""  # "judge" or "naive": which check in one process is deceived


def case(name, nb, due, says="", **fields):
    content = nb if isinstance(nb, bytes) else json.dumps(nb).encode()
    due = due if isinstance(due, tuple) else (due, due)
    return Case(name, content, due, says, **fields)


def lines(*parts):
    return "\n".join(parts)


def _metadata(nb, **metadata):
    return {**nb, "metadata": metadata}


def _colab(nb):
    for cell in nb["cells"]:
        cell["metadata"] = {"id": cell.pop("id"), "colab": {"base_uri": "x"}}
        cell["source"] = "".join(cell["source"]).splitlines(True)
    return _metadata(nb, colab={"provenance": []}, kernelspec={"name": "python3"})


def _vscode(nb):
    for cell in nb["cells"]:
        cell["metadata"] = {"vscode": {"languageId": "python"}}
    return _metadata(nb, language_info={"name": "python", "version": "3.12.1"})


def _copied(nb):
    cells = [c for c in nb["cells"] if c["id"] == "affine-answer"]
    nb["cells"] += [{**cells[0]}, {**cells[0], "id": "affine-answer"}]
    return nb


def _loud(nb):
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 5_000_000}
    nb["cells"][1]["outputs"] = [output]
    return nb


def _tensor():
    return lines(
        "def lowest_point(A, b):",
        "    return torch.linalg.solve(torch.tensor(A), torch.tensor(b))",
    )


TRAINED = lines(
    "model = torch.nn.Linear(3, 1)",
    "for _ in range(3):",
    "    model(torch.ones(2, 3)).sum().backward()",
)
TWO_CELLS = (
    "def product(x, W):\n    return x @ W.T",
    RIGHT["affine"].replace("x @ W.T", "product(x, W)"),
)

PLOTS = lines(
    "import matplotlib, pandas as pd",
    "import matplotlib.pyplot as plt",
    "plt.rcParams['figure.figsize'] = (6, 4)",
    "fig, (a1, a2, a3) = plt.subplots(1, 3)",
    "fig, axes = plt.subplots(2, 2)",
    "for ax in axes.flat: ax.plot([1])",
    "frame = pd.DataFrame({'a': [1]})",
    "frame['b'] = frame['a'] + 1",
    "print(matplotlib.__version__, len(frame))",
    "",
)
SHELL_LINES = "%load_ext x\n!pip install \\\n   numpy\nfiles = !ls\nt = %timeit -o 1\nnp.dot?\n"
POOL = lines(
    "from concurrent.futures import ProcessPoolExecutor",
    "with ProcessPoolExecutor(2) as pool:",
    "    assert list(pool.map(abs, [1, -2])) == [1, 2]",
    "",
)
EXPERIMENT = "start = time.process_time()\nwhile time.process_time() < start + 1.2: pass"

HONEST = [
    case("all right", notebook(), ALL),
    case("nothing written", notebook({}), 0, "still reaches"),
    case("one answer", notebook({"affine": RIGHT["affine"]}), 1),
    case("one wrong", with_answer("affine", "def affine(x, W, c):\n    return x @ W.T"), 7, "c"),
    case("a copied cell", _copied(notebook()), ALL),
    case("a split cell", notebook({**RIGHT, "affine": TWO_CELLS[1]}, before=TWO_CELLS[:1]), ALL),
    case("one merged cell", notebook({}, after=["\n\n".join(RIGHT.values())]), ALL),
    case("a cell made again", remade(notebook(), "descend"), ALL),
    case("written above the stub", notebook({}, before=RIGHT.values()), ALL),
    case("no ids", without_ids(notebook()), ALL),
    case("the last definition wins", notebook(after=["def affine(x, W, c):\n    return x"]), 7),
    case(
        "a last definition that does not run",
        notebook(after=["1 / 0\ndef affine(x, W, c):\n    return x"]),
        ALL,
        "ZeroDivisionError",
    ),
    case("a list", with_answer("affine", RIGHT["affine"].replace("x @", "(x @") + ").tolist()"), 7),
    case("a tensor", with_answer("lowest_point", _tensor()), ALL),
    case("warnings", notebook(before=["import warnings\nwarnings.warn('careful')"]), ALL),
    case("prints", notebook(before=["for i in range(1000):\n    print(i)"]), ALL),
    case("a syntax error", notebook(before=["def broken(:\n    pass"]), ALL, "SyntaxError"),
    case("a syntax error in an answer", with_answer("affine", "def affine(x, W, c)\n    1"), 7),
    case("a cell that fails", notebook(before=["1 / 0"]), ALL, "ZeroDivisionError"),
    case("another kernel", _metadata(notebook(), kernelspec={"name": "mine", "language": "python"}), ALL),
    case("Colab", _colab(notebook()), ALL),
    case("VS Code", _vscode(notebook()), ALL),
    case("format 3", version_3(notebook()), ALL),
    case("format 99", {**notebook(), "nbformat": 99}, ALL),
    case("a byte-order mark", b"\xef\xbb\xbf" + json.dumps(notebook()).encode(), ALL),
    case("magics", notebook(before=["%matplotlib inline", "%%time\nx = 1", "!pip install x"]), ALL),
    case(
        "plots",
        notebook(before=["import numpy as np, matplotlib.pyplot as plt\nplt.plot([1])"]),
        ALL,
        "left out an import",
    ),
    case("an import on top of an answer", with_answer("affine", f"import scipy\n{RIGHT['affine']}"), ALL),
    case("display", notebook(before=["display(1)\nget_ipython().run_line_magic('x', 1)"]), ALL),
    case("checks in one cell with answers", notebook({**RIGHT, "affine": RIGHT["affine"] + '\ncheck("affine")\nhint("affine")\nscorecard()'}), ALL),
    case("a trained network", notebook(before=[TRAINED]), ALL),
    case("five megabytes of outputs", _loud(notebook()), ALL),
    case("a rude word in Chinese", notebook(before=["s = '他妈的 \u202e'"]), ALL),
    case("lines for the shell", notebook({**RIGHT, "affine": SHELL_LINES + RIGHT["affine"]}), ALL),
    case("indented in a block", notebook({**RIGHT, "affine": "if True:\n    !pip install x\n    %time y = 1\n" + RIGHT["affine"]}), ALL),
    case("pasted from a console", notebook({**RIGHT, "affine": ">>> def affine(x, W, c):\n...     return x @ W.T + c"}), ALL),
    case("pasted from the web", notebook({**RIGHT, "affine": "\ufeffdef affine(x, W, c):\n\u00a0   return x @ W.T + c"}), ALL),
    case("a progress bar", with_answer("descend", "from tqdm import tqdm\n" + RIGHT["descend"].replace("range(steps)", "tqdm(range(steps))")), ALL),
    case("a plot in an answer", with_answer("affine", "import scipy, math\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()\ndef affine(x, W, c):\n    plt.plot(x)\n    return x @ W.T + c * math.exp(0)"), ALL),
    case("settings of plots", notebook({**RIGHT, "affine": PLOTS + RIGHT["affine"]}), ALL),
    case("a compiler that is not there", with_answer("affine", "from numba import njit\n@njit(cache=True)\n" + RIGHT["affine"]), ALL),
    case("two threads", with_answer("lowest_point", "torch.set_num_threads(2)\n" + TRAINED + "\n" + _tensor()), ALL),
    case("empty worksheets", {**notebook(), "worksheets": []}, ALL),
    case("a decimal", with_answer("learning_rate_limit", "from decimal import Decimal\nlearning_rate_limit = Decimal('0.25')"), ALL),
    case("what a kernel has", with_answer("affine", "help(np.dot)\nimport asyncio, pickle\nawait asyncio.sleep(0)\nclass K: pass\npickle.loads(pickle.dumps(K()))\n" + RIGHT["affine"] + "\nexit"), ALL),
    case("an external process", with_answer("affine", POOL + RIGHT["affine"]), ALL),
    case("many experiments", notebook(before=["import time"], after=[f"{EXPERIMENT}  # {i}" for i in range(9)]), ALL, "left out: those before it took"),
    case("a setup cell of its own", notebook(before=["from __future__ import annotations\nimport math"]), ALL),
]  # fmt: skip

BROKEN = [
    case("zero bytes", b"", 0, "empty"),
    case("random bytes", bytes(range(256)) * 9, 0, "not JSON"),
    case("half a notebook", json.dumps(notebook()).encode()[:3000], 0, "not JSON"),
    case("a list", b"[1, 2]", 0, "no cells"),
    case("null", b"null", 0, "no cells"),
    case("nested too deep", b"[" * 200_000, 0, "not JSON"),
    case("no cells", {"cells": [], "metadata": {}}, 0, "without cells"),
    case("cells that are none", {"cells": {"a": 1}}, 0, "without cells"),
    case("odd cells", {"cells": [None, 1, "x", [], {}, code(7), code([1]), code(None)]}, 0, "not written"),
    case("a zip file", b"PK\x03\x04" + bytes(300), 0, "not JSON"),
    case("another language", _metadata(notebook(before=["x <- c(1, 2)\nlibrary(ggplot2)"]), kernelspec={"name": "ir"}), ALL),
    case("answers as text", notebook({}, after=[]) | {"cells": [{"cell_type": "markdown", "source": RIGHT["affine"]}]}, 0),
    case("a source of 30 MB", json.dumps(notebook(before=["#" * 30_000_000])).encode(), 0, "larger than 20 MB"),
]  # fmt: skip


def found(text):
    return lambda said, points: text in said


def earned(least):
    return lambda said, points: points >= least


# a cell tells what it got as an error, which the instructor can read among its notes
WRONG = {**RIGHT, "affine": "def affine(x, W, c):\n    return 0 * x @ W.T + c"}
SOCKETS = lines(
    "import json, os, socket, struct",
    "def sockets():",
    "    for fd in range(3, 64):",
    "        try:",
    "            yield socket.socket(fileno=os.dup(fd))",
    "        except OSError:",
    "            pass",
    "def frame(message):",
    "    data = json.dumps(message).encode()",
    "    return struct.pack('>I', len(data)) + data",
)
FORGED = lines(
    SOCKETS,
    "for s in sockets():",
    "    for i in range(1, 90):",
    "        s.send(frame({'id': i, 'notes': ['FORGED'], 'failed': ['correct', 'FORGED'],",
    "                      'value': {'plain': 'correct'}, 'after': {'dict': []}}))",
)
REFERENCE = lines(
    "import sys",
    "sys.path.insert(0, '{root}')",
    "for name in [n for n in sys.modules if n.startswith('course_utils')]:",
    "    del sys.modules[name]",
    "from course_utils.checks import EXERCISES",
    "globals().update({n: e.reference for n, e in EXERCISES.items() if e.reference})",
    "learning_rate_limit = learning_rate_limit()",
)
SOLUTION = lines(
    "import json",
    "for cell in json.load(open('{root}/solutions/00_start_here.ipynb'))['cells']:",
    "    if cell['id'].endswith('-answer'):",
    "        exec(''.join(cell['source']))",
)
PEEK = lines(
    "import sys",
    "def peeked(**arguments):",
    "    frame = sys._getframe()",
    "    while frame:",
    "        if 'exercise' in frame.f_locals:",
    "            return frame.f_locals['exercise'].reference(**arguments)",
    "        frame = frame.f_back",
    "affine = central_difference = descend = lowest_point = peeked",
)
HUNT = lines(
    "import gc",
    "def hunted(**arguments):",
    "    for thing in gc.get_objects():",
    "        if type(thing).__name__ == 'Exercise' and thing.name == 'affine':",
    "            return thing.reference(**arguments)",
    "affine = hunted",
)
EQUAL = lines(
    "class Equal(np.ndarray):",
    "    def __eq__(self, other):",
    "        return True",
    "    def __array_ufunc__(self, *a, **k):",
    "        return True",
    "def affine(x, W, c):",
    "    return np.zeros((len(x), len(W))).view(Equal)",
)
ZEROED = lines(
    "def affine(x, W, c):",
    "    for a in (x, W, c):",
    "        a[...] = 0",
    "    return np.zeros((len(x), len(W)))",
)
PATCHED_NUMPY = lines(
    "np.abs = lambda a: np.zeros(np.shape(a))",
    "def affine(x, W, c):",
    "    return np.zeros((len(x), len(W)))",
)
PATCHED_BUILTINS = lines(
    "import builtins",
    "builtins.max = lambda *a, **k: float('inf')",
    "def affine(x, W, c):",
    "    return np.zeros((len(x), len(W)))",
)
PATCHED_JUDGE = lines(
    "import sys",
    "sys.modules['course_utils.judging.judge'].compare = lambda *a: ('correct', '')",
    "def affine(x, W, c):",
    "    return np.zeros((len(x), len(W)))",
)
PATCHED_TORCH = lines(
    "import torch",
    "torch.Tensor.numpy = lambda self: np.ones(9)",
    "torch.tensor = torch.zeros = lambda *a, **k: None",
    "torch.Tensor.__eq__ = lambda self, other: True",
)
HEARTBEAT = lines(
    "import os, time",
    "if os.fork() == 0:",
    "    os.setsid()",
    "    while not os.path.exists('{folder}/stop'):",
    "        open('{folder}/heartbeat', 'a').write('x')",
    "        time.sleep(0.05)",
)
KEYRING = lines(
    "import ctypes",
    "call = ctypes.CDLL(None).syscall",
    "def leave(name):",
    "    return call(248, b'user', name.encode(), b'x', 1, -3)",
    "def look(name):",
    "    return call(250, 10, -3, b'user', name.encode(), 0)",
    "{do}",
)
SYSTEM_V = lines(
    "import ctypes",
    "segment = ctypes.CDLL(None).shmget(0, 2**20, 0o1600)",
    "raise RuntimeError('segment got' if segment >= 0 else 'no segment')",
)
TELLS = lines(
    "def affine(x, W, c):",
    "    open('/tmp/seen', 'a').write(f'shape {x.shape}')",
    "    return x @ W.T + c",
)
PORTS = lines(
    "import os, socket",
    "def leave():",
    "    server = socket.create_server(('127.0.0.1', 0))",
    "    client = socket.create_connection(server.getsockname())",
    "    client.close()",
)
FORKS = lines(
    "import os, time",
    "n = 0",
    "try:",
    "    for _ in range(200):",
    "        if os.fork() == 0:",
    "            time.sleep(60)",
    "            os._exit(0)",
    "        n += 1",
    "except OSError:",
    "    pass",
    "raise RuntimeError('many forks' if n > 100 else 'few forks')",
)
FILES = lines(
    "import os",
    "folder = '{folder}' if os.path.exists('{folder}') else '/tmp'",
    "for i in range(20):",
    "    open(f'{folder}/{i}', 'wb').write(bytes(10**7))",
    "raise RuntimeError('200 MB written')",
)
MEMORY = "x = np.empty(2 * 2**30, np.uint8)\nraise RuntimeError('2 GB got')"
SWALLOW = lines(
    "def affine(x, W, c):",
    "    while True:",
    "        try:",
    "            while True:",
    "                pass",
    "        except:",
    "            pass",
)
NO_ALARM = lines(
    "import signal",
    "def affine(x, W, c):",
    "    for s in (signal.SIGALRM, signal.SIGPROF, signal.SIGXCPU):",
    "        signal.signal(s, signal.SIG_IGN)",
    "    while True:",
    "        pass",
)
LOOP = "def affine(x, W, c):\n    while True:\n        pass"
SELF = "def affine(x, W, c):\n    x = []\n    x.append(x)\n    return x"


def leaks(name, source, shown, **fields):
    """A cell that reports what it reached; the answers are right and keep their points."""
    return case(name, notebook(before=[source]), ALL, hides=shown, open_wall=found(shown), **fields)


def dies(name, source, due=ALL, says="", **fields):
    return case(name, notebook(before=[source]), due, says, **fields)


def answers(name, source, says="", due=ALL - 1):
    return case(name, with_answer("affine", source), due, says)


def cheats(name, source, how):
    return case(name, notebook({}, after=[source]), 0, same_process=how)


ATTACKS = [
    # time
    dies("a loop in a cell", "while True:\n    pass", says="stopped after"),
    dies("a loop in a cell that catches all", SWALLOW.replace("def affine(x, W, c):", "if True:"), says="left out"),
    dies("a sleep in a cell", "import time\ntime.sleep(10**6)", says="gave no answer within"),
    dies("one long operation", "np.linalg.svd(np.random.rand(3000, 3000))", says="left out"),
    answers("a loop in a call", LOOP, "endless loop"),
    answers("a loop that catches all", SWALLOW, "endless loop"),
    answers("a loop without alarms", NO_ALARM, "no answer"),
    answers("a sleep in a call", "import time\ndef affine(x, W, c):\n    time.sleep(10**6)", "gave no answer"),
    # ends
    dies("sys.exit in a cell", "import sys\nsys.exit()", says="SystemExit"),
    dies("os._exit in a cell", "import os\nos._exit(0)", says="left out: its process ended (exit code 0)"),
    dies("a segmentation fault", "import ctypes\nctypes.string_at(0)", says="SIGSEGV"),
    dies("it kills itself", "import os\nos.kill(os.getpid(), 9)", says="SIGKILL"),
    dies("it kills its group", "import os\nos.killpg(0, 9)", (0, ALL)),
    answers("os._exit in a call", "import os\ndef affine(x, W, c):\n    os._exit(0)", "gave no value"),
    answers("an abort in a call", "import os\ndef affine(x, W, c):\n    os.abort()", "SIGABRT"),
    answers("it kills its parent", "import os\ndef affine(x, W, c):\n    os.kill(os.getppid(), 9)"),
    answers("endless recursion", "import sys\nsys.setrecursionlimit(10**9)\ndef affine(x, W, c):\n    return affine(x, W, c)"),
    # resources
    leaks("memory", MEMORY, "2 GB got"),
    leaks("forks", FORKS, "many forks"),
    leaks("files", FILES, "200 MB written"),
    dies("output", "for i in range(100):\n    print('x' * 10**6)"),
    dies("threads", "import threading\nfor _ in range(9):\n    threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()", (0, ALL)),
    dies("forks without end", "import os\nwhile True:\n    os.fork()", (0, ALL)),
    # the machine
    leaks("it reads a file", "raise RuntimeError(open('{folder}/secret').read())", "the-secret"),
    leaks("it reads the home", "import os\nraise RuntimeError('home' + str(bool(os.listdir('{root}'))))", "homeTrue"),
    leaks("it writes a file", "open('{folder}/written', 'w').write('x')\nraise RuntimeError('has written')", "has written"),
    leaks("it changes another submission", "open('{folder}/victim.ipynb', 'w').write('x')\nraise RuntimeError('changed it')", "changed it"),
    case("it leaves ports behind", notebook(before=[PORTS + "\nleave()\nraise RuntimeError('ports left' if '{folder}' and os.path.exists('{folder}') else '')"]), ALL, hides="ports left", open_wall=found("ports left")),
    leaks("it connects", "import socket\nsocket.create_connection(('127.0.0.1', {port}), 5).send(b'x')\nraise RuntimeError('connected')", "connected"),
    leaks("it kills a process", "import os\nos.kill({pid}, 9)\nraise RuntimeError('has killed')", "has killed"),
    leaks("it lives on", HEARTBEAT + "\nraise RuntimeError(str(os.path.exists('{folder}')))", "True"),
    leaks("it looks at processes", "import os\nn = sum(p.isdigit() for p in os.listdir('/proc'))\nraise RuntimeError('many processes' if n else '')", "many processes"),
    leaks("it reads its parent's memory", "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')\nraise RuntimeError('opened')", "opened", as_root=True),
    leaks("it leaves a trace", "import tempfile\nopen(tempfile.gettempdir() + '/{trace}', 'w').write('left')\nraise RuntimeError('left' if __import__('os').path.exists('{folder}') else '')", "left"),
    leaks("it finds a trace", "import tempfile\nraise RuntimeError('trace: ' + open(tempfile.gettempdir() + '/{trace}').read())", "trace: left"),
    leaks("a key of the one who marks", KEYRING.replace("{do}", "found = look('{trace}-host')\nraise RuntimeError('host key ' + str(found > 0))"), "host key True"),
    leaks("it leaves a key", KEYRING.replace("{do}", "leave('{trace}')\nraise RuntimeError('left key ' + str(look('{trace}') > 0))"), "left key True"),
    leaks("memory of no process", SYSTEM_V, "segment got"),
    case("it tells held-back arguments", notebook({**RIGHT, "affine": TELLS, "central_difference": "def central_difference(W, x, eps):\n    raise ValueError(open('/tmp/seen').read())"}), ALL - 2, hides="shape (1, 5)"),
    leaks("it writes where Python is", "import numpy\nopen(numpy.__file__, 'a').close()\nraise RuntimeError('may write')", "may write", as_root=True),
    # marks
    case("it reads the solutions", notebook({}, after=[SOLUTION]), 0, open_wall=earned(ALL)),
    case("it imports the references", notebook({}, after=[REFERENCE]), 0, open_wall=earned(6)),
    case("forged replies", notebook({}, before=[FORGED]), 0, open_wall=found("FORGED")),
    dies("a giant frame", SOCKETS + "\nfor s in sockets():\n    s.settimeout(1)\n    s.send(b'\\xff' * 10**5)", (0, ALL)),
    dies("garbage frames", SOCKETS + "\nfor s in sockets():\n    s.send(os.urandom(999))", (0, ALL)),
    dies("half a frame", SOCKETS + "\nfor s in sockets():\n    s.send(frame('x' * 99)[:50])\nos._exit(0)", (0, ALL)),
    dies("closed sockets", "import os\nos.closerange(0, 99)", (0, ALL), "left out"),
    dies("patched json", "import json\njson.dumps = json.loads = lambda *a, **k: '[]'", (0, ALL)),
    dies("patched fork", "import os\nos.fork = lambda: 0", (0, ALL)),
    dies("patched exit", "import os\nos._exit = lambda *a: None", (0, ALL)),
    case("patched torch", notebook({}, before=[PATCHED_TORCH]), 0),
    cheats("patched numpy", PATCHED_NUMPY, "judge"),
    cheats("patched builtins", PATCHED_BUILTINS, "judge"),
    cheats("a patched judge", PATCHED_JUDGE, "judge"),
    cheats("it looks in frames", PEEK, "judge"),
    cheats("it looks among all objects", HUNT, "judge"),
    cheats("always equal", EQUAL, "naive"),
    cheats("it zeroes its arguments", ZEROED, "naive"),
    # values
    answers("a huge array", "def affine(x, W, c):\n    return np.zeros(10**10)"),
    answers("a huge view", "def affine(x, W, c):\n    return np.broadcast_to(1.0, (10**6, 10**6))", "very large"),
    answers("a large array", "def affine(x, W, c):\n    return np.zeros(7 * 10**6)", "very large"),
    answers("a long text", "def affine(x, W, c):\n    return 'x' * 10**8"),
    answers("a list that holds itself", SELF),
    answers("an endless generator", "def affine(x, W, c):\n    return iter(int, 1)"),
    answers("not a number", "def affine(x, W, c):\n    return np.nan * x @ W.T"),
    answers("markup", "def affine(x, W, c):\n    raise ValueError('<script>alert(1)</script>')", "<script>"),
    answers("half a surrogate", "def affine(x, W, c):\n    raise ValueError('\\ud800 \\x00 \\x1b[31m')"),
    answers("a class without a name", "class A(Exception):\n    __str__ = None\ndef affine(x, W, c):\n    raise A"),
    answers("input", "def affine(x, W, c):\n    return input()", "EOFError"),
]  # fmt: skip

CASES = {f"{kind} {i:02d} {c.name}": c for kind, cases in (("honest", HONEST), ("broken", BROKEN), ("attack", ATTACKS)) for i, c in enumerate(cases)}  # fmt: skip
