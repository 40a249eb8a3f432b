"""Call an answer in this process and hand back plain data."""

import _thread
import inspect
import signal
import threading
import traceback

import numpy as np

from course_utils.judging.protocol import CallFailed, Reply, Status
from course_utils.judging.values import plain

STUB = "your turn"  # what an unwritten answer raises
MAX_TEXT = 400


def local_call(namespace, clock="wall"):
    """Make the `call` that `judge` needs from the names a notebook has defined.

    Parameters
    ----------
    namespace : dict
        Name → function, class or value.
    clock : {"wall", "cpu"}
        What a timeout counts: seconds that pass, or seconds of computing.

    Returns
    -------
    callable
        ``call(name, arguments, probe, timeout) → Reply``; raises `CallFailed`.

    Examples
    --------
    >>> call = local_call({"double": lambda x: 2 * x})
    >>> call("double", {"x": np.ones(2)}, "", 1.0).value
    array([2., 2.])
    """

    def call(name, arguments, probe, timeout):
        if name not in namespace:
            raise CallFailed(
                Status.NOT_DEFINED, f"there is no `{name}` in this notebook: run its cell first"
            )
        answer = namespace[name]
        if answer is None:
            raise CallFailed(Status.NOT_WRITTEN, f"`{name}` is still None")
        if not callable(answer) or not (arguments or probe):
            return Reply(plain(answer), {})
        after = arguments
        try:
            with deadline(timeout, clock):
                value = _run(answer, arguments, probe)
                if probe and isinstance(value, dict) and isinstance(value.get("after"), dict):
                    after = value.pop("after")
                value = plain(value)
        except Late:
            raise CallFailed(
                Status.TOO_SLOW,
                f"`{name}` ran longer than {timeout:g} s; is there an endless loop?",
            ) from None
        # an answer may even try to end the process
        except (Exception, SystemExit, GeneratorExit) as error:
            raise _failure(name, error, answer) from None
        return Reply(value, {k: v for k, v in after.items() if isinstance(v, np.ndarray)})

    return call


def _run(answer, arguments, probe):
    if not probe:
        return answer(**arguments)
    namespace = {}
    exec(compile(probe, "<probe>", "exec"), namespace)
    return namespace["probe"](answer, **arguments)


class Late(BaseException):
    """The time is up; not an Exception, so that `except Exception` lets it pass."""


class deadline:
    """Interrupt the main thread when the time is up."""

    def __init__(self, seconds, clock):
        self.seconds, self.armed, self.expired = seconds, False, False
        name, bell = ("ITIMER_PROF", "SIGPROF") if clock == "cpu" else ("ITIMER_REAL", "SIGALRM")
        self.timer, self.bell = (getattr(signal, part, None) for part in (name, bell))
        # only POSIX can wake a sleeping main thread, and only from the main thread
        main = threading.current_thread() is threading.main_thread()
        self.has_alarm = main and hasattr(signal, "setitimer")

    def __enter__(self):
        self.armed = True
        if self.has_alarm:
            self._before = signal.signal(self.bell, self._ring)
            # again every half second, in case the answer catches the first one
            signal.setitimer(self.timer, self.seconds, 0.5)
        else:
            self._thread = threading.Timer(self.seconds, self._interrupt)
            self._thread.daemon = True
            self._thread.start()

    def _ring(self, *_):
        if self.armed:
            raise Late

    def _interrupt(self):
        if self.armed:
            self.expired = True
            _thread.interrupt_main()

    def __exit__(self, kind, error, trace):
        try:
            self.armed = False
        finally:
            if self.has_alarm:
                signal.setitimer(self.timer, 0)
                signal.signal(self.bell, self._before)
            else:
                self._thread.cancel()
        if self.expired and kind is KeyboardInterrupt:
            raise Late from None


def _failure(name, error, answer):
    """Type, text and the learner's own line, not the library's below it."""
    try:
        text = str(error)
    except Exception:
        text = "its message cannot be written"
    text = text.encode("utf-8", "replace").decode()
    text = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    line = _own_line(error, answer)
    if isinstance(error, NotImplementedError) and text == STUB:
        return CallFailed(
            Status.NOT_WRITTEN,
            f"`{name}` still reaches `raise NotImplementedError`{line}\n"
            "  Your code takes the place of that line.",
        )
    return CallFailed(Status.RAISED, f"`{name}` raised {type(error).__name__}: {text}{line}")


def _own_line(error, answer):
    # a class of a notebook has no file of its own; its methods do
    parts = vars(answer).values() if inspect.isclass(answer) else [inspect.unwrap(answer)]
    files = {part.__code__.co_filename for part in parts if inspect.isfunction(part)}
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    return f"\n  in line {own[-1].lineno} of your cell: {own[-1].line}" if own else ""
