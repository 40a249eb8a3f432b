"""Start a sandbox and talk to what runs in it.

Bubblewrap keeps learners' code from this machine: no network, no home, no file but Python,
NumPy, torch and the course's data, all read-only. In it a zygote waits that has imported
torch and opens a room for each submission.
"""

import contextlib
import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from course_utils.grading.channel import ChannelError, TooLate, receive, send

PACKAGE = Path(__file__).resolve().parents[1]
START_SECONDS = 120
ROOM_BYTES = 2**32  # resident memory of all processes of one sandbox together
FIRST_UID = 61_000
MAX_STRAY = 20  # messages that answer nothing
BOOT = (
    "import os, sys; sys.path[:0] = [{boot!r}, {offered!r}]; {become}"
    "from course_utils.grading.worker import main; main({boot!r}, {hidden})"
)
BECOME = "os.setgroups([]); os.setgid({uid}); os.setuid({uid}); "
# what the zygote is made of: nothing here knows an exercise
BOOT_MODULES = {
    "": (),
    "judging/": ("values", "protocol", "call"),
    "grading/": ("channel", "seccomp", "worker"),
}
ENVIRONMENT = {
    "PATH": "/usr/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "USER": "learner",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",  # threads that a cell starts would not live on in a fork
}
ADVICE = """\
Submissions run only in a sandbox, and bubblewrap could not make one here:
  {reason}
What helps:
  Debian, Ubuntu   apt install bubblewrap (0.8 or newer)
  Ubuntu 24.04 on  allow it to make user namespaces: an AppArmor profile for bwrap, or
                   sysctl kernel.apparmor_restrict_unprivileged_userns=0
  Windows          the same in WSL2
  macOS            a Linux container or virtual machine that may make user namespaces, such as
                   podman run --privileged, in a virtual machine of its own
--sandbox none runs submissions with your own rights instead: they can read and delete your
files and use your network. That is for notebooks that you wrote yourself."""


class SandboxUnavailable(Exception):
    """Say why there is no sandbox here, and what helps."""


class RoomEnded(Exception):
    """Say that a process of a submission ended instead of answering.

    Attributes
    ----------
    slow : bool
        Whether it used up its time.
    alive : bool
        Whether the cells' process is still there: only the calls of one exercise ended.
    """

    def __init__(self, message, slow=False, alive=False):
        super().__init__(message)
        self.slow, self.alive = slow, alive


class Sandbox:
    """Hold a zygote, and give out one room at a time.

    Parameters
    ----------
    kind : {"bubblewrap", "none"}

    Raises
    ------
    SandboxUnavailable
        If it does not start.
    """

    def __init__(self, kind="bubblewrap"):
        self.kind = kind
        self._process = self._control = None
        self._files = contextlib.ExitStack()
        self._used = True
        self._start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self):
        self.close()
        argv, environment = self._command()
        self._control, theirs = socket.socketpair()
        errors = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        try:
            with theirs:  # or its end would not be noticed
                self._process = subprocess.Popen(
                    argv, stdin=theirs, stdout=errors, stderr=errors, env=environment
                )
            self._apart = receive(self._control, START_SECONDS)["apart"]
        except (OSError, ChannelError) as error:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            self.close()
            raise SandboxUnavailable(ADVICE.format(reason=said[-1] if said else error)) from None
        self._used = False
        if self.kind == "bubblewrap":
            self._zygote_bytes = max(self._sizes())

    def _command(self):
        if self.kind == "none":
            return self._bare_command()
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxUnavailable(ADVICE.format(reason="there is no program `bwrap`"))
        return _bwrap(program), ENVIRONMENT

    def _bare_command(self):
        if not hasattr(os, "fork"):
            raise SandboxUnavailable(ADVICE.format(reason=f"{sys.platform} cannot fork"))
        folder = Path(self._files.enter_context(tempfile.TemporaryDirectory()))
        for place, source in _layout().items():
            link = folder / place.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)
        boot = BOOT.format(boot=f"{folder}/boot", offered=f"{folder}/offered", become="", hidden=[])
        return [sys.executable, "-P", "-B", "-c", boot], {**os.environ, "PYTHONHASHSEED": "0"}

    @contextlib.contextmanager
    def room(self):
        """Open a room for one submission, and end everything in it afterwards.

        Yields
        ------
        Room
        """
        if self._process is None or self._process.poll() is not None or self._used:
            self._start()
        ours, theirs = socket.socketpair()
        try:
            self._ask(b"open", [theirs.fileno()])
            theirs.close()
            # without namespaces of its own a room leaves traces: one submission per sandbox
            self._used = self.kind == "bubblewrap" and not self._apart
            yield Room(ours, self._watch if self.kind == "bubblewrap" else None)
        finally:
            ours.close()
            theirs.close()
            if self._process is not None:
                with contextlib.suppress(RoomEnded):  # then there is nothing left to end
                    self._ask(b"close")

    def _ask(self, request, fds=()):
        try:
            socket.send_fds(self._control, [request], fds)
            self._control.settimeout(START_SECONDS)
            if self._control.recv(16) == b"done":
                return
        except OSError:
            pass
        self.close()  # the next room starts another one
        raise RoomEnded("the sandbox ended")

    def _watch(self):
        with contextlib.suppress(psutil.NoSuchProcess):
            # a fork shares the zygote's pages until it writes to them
            own = sum(max(0, size - self._zygote_bytes) for size in self._sizes())
            if own > ROOM_BYTES:
                raise ChannelError(f"it used more than {ROOM_BYTES // 2**30} GB of memory")

    def _sizes(self):
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
                # of files alone a page costs nothing that could not be had again
                found = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", status, re.M)
                yield 1024 * sum(map(int, found))

    def close(self):
        """End the zygote and every room."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._control is not None:
            self._control.close()
        self._files.close()


class Room:
    """Talk to the processes of one submission."""

    def __init__(self, sock, watch):
        self._sock, self._watch, self._count = sock, watch, 0

    def ask(self, wait, /, **request):
        """Send a request and wait for its answer.

        Parameters
        ----------
        wait : float
            Seconds that the answer may take.
        **request
            Data for JSON.

        Returns
        -------
        dict

        Raises
        ------
        RoomEnded
            If no answer came, or none that belongs to the request.
        """
        self._count += 1
        until = time.monotonic() + wait
        try:
            send(self._sock, {**request, "id": self._count}, wait)
            for _ in range(MAX_STRAY):
                answer = receive(self._sock, max(0, until - time.monotonic()), self._watch)
                if not isinstance(answer, dict):
                    raise ChannelError("the reply has another form")
                if "ended" in answer:
                    raise _ended(answer["ended"], alive=not answer.get("room"))
                if answer.get("id") == self._count:
                    return answer
            raise ChannelError("the replies belong to no request")
        except TooLate:
            raise RoomEnded(f"it gave no answer within {wait:g} s", slow=True) from None
        except ChannelError as error:
            raise RoomEnded(str(error)) from None

    def begin(self):
        """Let the next calls run in a fork of the cells' process, until `leave`."""
        try:
            send(self._sock, {"op": "begin"}, 10)
        except ChannelError as error:
            raise RoomEnded(str(error)) from None

    def leave(self):
        """End that fork."""
        self.ask(10, op="leave")


def _ended(code, alive):
    if code == -signal.SIGXCPU:
        return RoomEnded(
            "it computed for too long; is there an endless loop?", slow=True, alive=alive
        )
    how = f"exit code {code}" if isinstance(code, int) else "no exit code"
    if isinstance(code, int) and code < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-code).name
    return RoomEnded(f"its process ended ({how})", alive=alive)


_here = threading.local()


def shared(kind):
    """Give this thread's sandbox; started once, used for many submissions.

    Parameters
    ----------
    kind : {"bubblewrap", "none"}

    Returns
    -------
    Sandbox
    """
    boxes = vars(_here).setdefault("boxes", {})
    if kind not in boxes:
        boxes[kind] = Sandbox(kind)
    return boxes[kind]


def _layout():
    """Map where each file of the course lies inside to where it lies here."""
    empty, boot = PACKAGE / "grading" / "__init__.py", {}
    for folder, names in BOOT_MODULES.items():
        boot[f"/boot/course_utils/{folder}__init__.py"] = empty
        for name in names:
            boot[f"/boot/course_utils/{folder}{name}.py"] = PACKAGE / folder / f"{name}.py"
    return boot | {
        "/offered/course_utils/__init__.py": PACKAGE / "grading" / "inert.py",
        "/offered/course_utils/data.py": PACKAGE / "data.py",
        "/offered/course_utils/datasets": PACKAGE / "datasets",
    }


def _libraries():
    """Find the files and folders of NumPy, torch and what they need, nothing else."""
    found, todo = {}, ["numpy", "torch"]
    done = set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # not needed on this system
        for file in package.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not top.endswith((".dist-info", ".pth")):
                found[top] = package.locate_file(top)
        for line in package.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    return found


def _bwrap(program):
    python = os.path.realpath(sys._base_executable)
    root = os.geteuid() == 0
    argv = [program, "--die-with-parent", "--new-session", "--hostname", "sandbox"]
    if root:  # real root needs no user namespace; it becomes a user without rights inside
        argv += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        argv += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        argv += ["--unshare-all", "--cap-drop", "ALL"]
    # the system's libraries, and the Python that this environment is made from
    system = {Path(folder) for folder in ("/bin", "/lib", "/lib64") if os.path.exists(folder)}
    links = {folder for folder in system if folder.is_symlink()}
    folders = {Path("/usr"), Path(sys.base_prefix)} | system - links
    binds = {Path("/offered", name): source for name, source in _libraries().items()}
    binds |= {Path(place): source for place, source in _layout().items()}
    parents = {parent for place in [*folders, *binds] for parent in place.parents}
    for folder in sorted(parents - {Path("/")}):
        if not any(folder.is_relative_to(bound) for bound in folders):
            argv += ["--perms", "0755", "--dir", str(folder)]
    for folder in sorted(links):
        argv += ["--symlink", os.readlink(folder), str(folder)]
    for folder in sorted(folders):
        argv += ["--ro-bind", str(folder), str(folder)]
    for folder in sorted(_masked(folders)):
        argv += ["--tmpfs", str(folder)]
    for place, source in binds.items():
        argv += ["--ro-bind", str(source), str(place)]
    argv += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    argv += ["--size", str(2**26), "--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/tmp"]
    argv += ["--remount-ro", "/"]
    become = BECOME.format(uid=FIRST_UID + os.getpid() % 1000) if root else ""
    boot = BOOT.format(boot="/boot", offered="/offered", become=become, hidden=["/proc", "/boot"])
    return [*argv, python, "-s", "-S", "-P", "-B", "-c", boot]


def _masked(folders):
    """Find packages that Python has of its own, the course perhaps among them."""
    found = {PACKAGE.parent}
    for prefix in {*folders, Path("/usr/local")}:
        for pattern in ("lib/python3*/site-packages", "lib/python3*/dist-packages"):
            found |= set(prefix.glob(pattern))
    return {path for path in found if any(path.is_relative_to(folder) for folder in folders)}
