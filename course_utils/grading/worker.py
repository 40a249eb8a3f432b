"""Run inside the sandbox: import torch once, then fork a room for each submission.

The zygote forks rooms and knows no learner's code. A room is a process with namespaces of
its own: other processes, files and memory do not exist for it. In a room the cells run in one
process, which forks again for each exercise. Nothing that happens here decides a mark.
"""

import __future__

import ast
import asyncio
import contextlib
import ctypes
import dis
import gc
import importlib
import inspect
import linecache
import os
import random
import re
import resource
import signal
import socket
import sys
import textwrap
import time
import types

from course_utils.grading import seccomp
from course_utils.grading.channel import ChannelError, decode, encode, receive, send
from course_utils.judging.call import Late, deadline, local_call
from course_utils.judging.protocol import CallFailed

PROCESSES, FILE_BYTES, FILES = 24, 2**24, 64
MEMORY_BYTES = 3 * 2**29  # beyond what Python, NumPy and torch have mapped already
PROCESS_SECONDS = 240  # of computing, whatever it was asked to do

NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
SET_DUMPABLE, SET_CHILD_SUBREAPER = 4, 36
RDONLY, NOSUID_NODEV = 1, 6


def main(boot, hidden):
    """Serve on standard input: ``open`` with a socket makes a room there, ``close`` ends it.

    Parameters
    ----------
    boot : str
        The folder that this module comes from.
    hidden : list of str
        Folders that a room must not see; none where there is no sandbox.
    """
    control = socket.socket(fileno=os.dup(0))
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):  # rooms whose parent has gone become ours
        libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _offer(boot)
    apart = bool(hidden) and _can_part(libc, hidden)
    send(control, {"apart": apart})
    os.dup2(null, 2)  # what went wrong until here could be read there
    rooms = _Rooms(libc, hidden if apart else [], control, limited=bool(hidden))
    while True:
        request, fds, *_ = socket.recv_fds(control, 16, 1)
        rooms.end()
        if not request:
            os._exit(0)
        if request == b"open":
            rooms.open(fds[0])
        control.send(b"done")


def _offer(boot):
    # what brought this module here is of no use to an answer
    sys.path.remove(boot)
    for name in [name for name in sys.modules if name.partition(".")[0] == "course_utils"]:
        del sys.modules[name]
    for name in ("numpy", "torch", "torch.nn", "torch.func", "course_utils.data"):
        importlib.import_module(name)
    sys.modules["torch"].set_num_threads(1)
    gc.freeze()  # these objects stay, so that forks share their pages


class _Rooms:
    """One room at a time: open it, and end everything in it."""

    def __init__(self, libc, hidden, control, limited):
        self.libc, self.hidden, self.control, self.limited = libc, hidden, control, limited
        self.pid = self.mapped = 0
        with contextlib.suppress(FileNotFoundError), open("/proc/self/statm") as file:
            self.mapped = int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")

    def open(self, fd):
        told, tell = os.pipe()
        between = os.fork()  # a process that makes namespaces lives in them only as a parent
        if between == 0:
            with _end_of_process():
                self.control.close()
                os.close(told)
                if self.hidden:
                    _part(self.libc)
                else:
                    os.setsid()
                pid = os.fork()
                if pid:
                    os.write(tell, str(pid).encode())
                    os._exit(0)
                os.close(tell)
                if self.hidden:
                    _furnish(self.libc, self.hidden)
                if self.limited:
                    self.limit()
                    seccomp.install(self.libc)
                _keep(self.libc, socket.socket(fileno=fd), alone=bool(self.hidden))
        os.close(tell)
        os.close(fd)
        os.waitpid(between, 0)
        self.pid = int(os.read(told, 20) or 0)
        os.close(told)

    def limit(self):
        limits = {
            "AS": self.mapped + MEMORY_BYTES,
            "NPROC": PROCESSES,
            "FSIZE": FILE_BYTES,
            "NOFILE": FILES,
            "CPU": PROCESS_SECONDS,
            "CORE": 0,
            "MEMLOCK": 0,
        }
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))

    def end(self):
        if not self.pid:
            return
        with contextlib.suppress(ProcessLookupError):
            if not self.hidden:
                os.killpg(os.getpgid(self.pid), signal.SIGKILL)
            os.kill(self.pid, signal.SIGKILL)  # with it the kernel ends all of its namespace
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
            while os.waitpid(-1, os.WNOHANG)[0]:  # orphans that came to us
                pass
        self.pid = 0


@contextlib.contextmanager
def _end_of_process():
    # a forked process never returns into its parent's code
    try:
        yield
    finally:
        os._exit(1)


def _can_part(libc, hidden):
    """Try it: some systems do not let a sandbox make namespaces."""
    between = os.fork()
    if between == 0:
        with _end_of_process():
            _part(libc)
            room = os.fork()
            if room:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(room, 0)[1]) & 255)
            _furnish(libc, hidden)
            os._exit(0)
    return os.waitpid(between, 0)[1] == 0


def _part(libc):
    """Leave the namespaces of the zygote; the next fork is the first process of the new ones."""
    uid, gid = os.getuid(), os.getgid()
    libc.prctl(SET_DUMPABLE, 1, 0, 0, 0)  # or the maps below would belong to root
    _call(libc.unshare, NEWUSER | NEWNS | NEWIPC | NEWPID | NEWNET)
    maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
    for name, line in maps.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def _furnish(libc, hidden):
    """Give a room a /tmp of its own, hide what it need not see, and drop every capability."""
    for folder in hidden:
        _call(libc.mount, b"none", folder.encode(), b"tmpfs", RDONLY, b"size=4k,mode=555")
    for folder in (b"/tmp", b"/dev/shm"):
        options = b"size=64m,nr_inodes=4096,mode=700"
        _call(libc.mount, b"none", folder, b"tmpfs", NOSUID_NODEV, options)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _call(libc.capset, header, (ctypes.c_uint32 * 6)())


def _call(function, *arguments):
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), function.__name__)


def _keep(libc, sock, alone):
    """Stay until the process of the cells ends, and tell how it ended."""
    cells = os.fork()
    if cells == 0:
        with _end_of_process():
            _Notebook(sock, alone).serve()
    if hasattr(libc, "prctl"):
        libc.prctl(SET_DUMPABLE, 0, 0, 0, 0)  # its learner's processes cannot trace it
    status = None
    while status is None:
        pid, ended = os.wait()
        status = ended if pid == cells else None
    _tell_end(sock, status, room=True)


def _tell_end(sock, status, room):
    with contextlib.suppress(ChannelError):
        send(sock, {"ended": os.waitstatus_to_exitcode(status), "room": room}, 5)


class _LeftOut:
    """Stand for what the sandbox lacks, such as a plot or a progress bar; its use does nothing."""

    def __init__(self, items=None):
        self._items = items

    def __getattr__(self, name):
        if name == "__version__":
            return "0"
        if name.startswith("__"):
            raise AttributeError(name)
        return _LeftOut()

    def __call__(self, *arguments, **_):
        first = arguments[0] if arguments else None
        if len(arguments) == 1 and isinstance(first, (types.FunctionType, type)):
            return first  # as a decorator it changes nothing
        return _LeftOut(range(first) if isinstance(first, int) else first)

    def __iter__(self):
        # `for x in tqdm(xs)` wants the items of xs; an unpacking wants as many as it has names
        caller = sys._getframe(1)
        op, count = caller.f_code.co_code[caller.f_lasti : caller.f_lasti + 2]
        if dis.opname[op] == "UNPACK_SEQUENCE":
            return iter([_LeftOut() for _ in range(count)])
        return iter((self, self) if self._items is None else self._items)

    def __setitem__(self, *_):
        pass

    def __len__(self):
        return 0

    def _itself(self, *_):
        return self

    __add__ = __sub__ = __mul__ = __truediv__ = __radd__ = __rmul__ = __neg__ = _itself

    def __getitem__(self, _):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class _Notebook:
    """Run the cells of one submission, and fork for the calls of each exercise."""

    def __init__(self, sock, alone):
        self.sock, self.alone, self.flags = sock, alone, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        self.names = vars(module)
        # what a notebook's kernel has beyond Python
        for name in ("display", "get_ipython", "help", "exit", "quit", "Out", "In", "_", "__"):
            self.names[name] = _LeftOut()
        for seed in (
            random.seed,
            sys.modules["numpy"].random.seed,
            sys.modules["torch"].manual_seed,
        ):
            seed(0)

    def serve(self):
        while True:
            request = receive(self.sock)
            if request["op"] == "cell":
                self._answer(request, self.run)
                continue
            pid = os.fork()
            if pid == 0:
                with _end_of_process():
                    self.serve_calls()
            _, status = os.waitpid(pid, 0)
            if status:
                _tell_end(self.sock, status, room=False)

    def serve_calls(self):
        call = local_call(self.names, clock="cpu")

        def answer(request):
            arguments = decode(request["arguments"])
            try:
                reply = call(request["name"], arguments, request["probe"], request["timeout"])
            except CallFailed as failure:
                return {"failed": [failure.status, failure.message]}
            return {"value": encode(reply.value), "after": encode(reply.after)}

        while (request := receive(self.sock))["op"] == "call":
            _stop_after(request["timeout"] + 2)
            self._answer(request, answer)
        send(self.sock, {"id": request["id"]})
        os._exit(0)

    def _answer(self, request, function):
        here = os.getpid()
        answer = function(request)
        if os.getpid() != here:  # learner's code has forked, and this is the copy
            os._exit(0)
        if self.alone and request["op"] == "cell":
            self._clear()
        try:
            send(self.sock, {**answer, "id": request["id"]})
        except ChannelError:
            large = {"value": {"foreign": "very large value"}, "after": {"dict": []}}
            send(self.sock, {**large, "id": request["id"]})

    def _clear(self):
        """End the processes that a cell left behind; of others there is only the first one."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()

    def run(self, request):
        """Run one cell statement by statement; return what has to be said of it."""
        source, file, seconds = request["source"], f"<{request['cell']}>", request["seconds"]
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        notes, failed, begun = [], True, time.process_time()
        _stop_after(seconds + 2)
        try:
            with deadline(seconds, "cpu"):
                for statement in _parse(source, file, self.flags).body:
                    self._run_statement(statement, file, notes)
            failed = False
        except Late:
            notes.append(f"stopped after {seconds:g} s of computing")
        except BaseException as error:  # also what ends a program: the other cells still count
            notes.append(_short(error))
        return {"notes": notes, "failed": failed, "seconds": time.process_time() - begun}

    def _run_statement(self, statement, file, notes):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self._import(ast.Import([alias]), alias, file, notes)
        elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            for alias in statement.names:
                one = ast.ImportFrom(statement.module, [alias], statement.level)
                self._import(one, alias, file, notes)
        else:
            self._execute(statement, file)

    def _import(self, statement, alias, file, notes):
        try:
            self._execute(ast.fix_missing_locations(statement), file)
        except ImportError as error:
            notes.append(f"left out an import: {_short(error)}")
            if alias.name != "*":
                self.names[alias.asname or alias.name.partition(".")[0]] = _LeftOut()

    def _execute(self, statement, file):
        code = compile(ast.Module([statement], []), file, "exec", self.flags, dont_inherit=True)
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                self.flags |= getattr(__future__, alias.name).compiler_flag
        waiting = eval(code, self.names)
        if inspect.iscoroutine(waiting):  # `await` at top level, as notebooks allow it
            asyncio.run(waiting)


# what a notebook's shell understands and Python does not → what takes its place
SHELL = (
    (r"^([ \t]*)[%!?](?:.*\\\n)*.*$", r"\1pass"),  # %time, !ls \
    (r"^([ \t]*)[\w.]+\?\??[ \t]*$", r"\1pass"),  # np.linalg.solve?
    (r"^([ \t]*[\w, ]+=)[ \t]*[%!].*$", r"\1 None"),  # files = !ls
    (r"^(?:>>>|\.\.\.) ?", ""),  # pasted from a console
    ("\ufeff", ""),  # pasted from elsewhere
    ("\u00a0", " "),
)


def _parse(source, file, flags):
    try:
        return compile(source, file, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as error:
        python = source
        for pattern, instead in SHELL:
            python = re.sub(pattern, instead, python, flags=re.M)
        try:
            python = textwrap.dedent(python)
            return compile(python, file, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        except SyntaxError:
            raise error from None


def _stop_after(seconds):
    """Let the kernel end this process, should it compute longer; nothing here can prevent that."""
    soft = int(time.process_time() + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))


def _short(error):
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text[:200]}"
