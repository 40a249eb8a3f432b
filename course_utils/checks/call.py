"""Call an answer in this process and hand back plain data."""

import _thread
import inspect
import threading
import traceback

import numpy as np

from course_utils.checks.judge import CallFailed, Reply, Status
from course_utils.checks.values import plain


def local_call(namespace):
    """Make the `call` that `judge` needs from the names a notebook has defined.

    Parameters
    ----------
    namespace : dict
        Name → function, class or value.

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
        if not callable(answer):
            return Reply(plain(answer), {})
        try:
            with _deadline(timeout):
                value = _run(answer, arguments, probe)
        except NotImplementedError:
            raise CallFailed(Status.NOT_WRITTEN, f"`{name}` has no code of yours yet") from None
        except TimeoutError:
            raise CallFailed(
                Status.TOO_SLOW,
                f"`{name}` ran longer than {timeout:g} s; is there an endless loop?",
            ) from None
        except Exception as error:
            raise CallFailed(Status.RAISED, _explain(name, error, answer)) from None
        after = value.pop("after", {}) if probe and isinstance(value, dict) else arguments
        return Reply(plain(value), {k: v for k, v in after.items() if isinstance(v, np.ndarray)})

    return call


def _run(answer, arguments, probe):
    if not probe:
        return answer(**arguments)
    namespace = {}
    exec(compile(probe, "<probe>", "exec"), namespace)
    return namespace["probe"](answer, **arguments)


class _deadline:
    """Interrupt the main thread when the time is up; works on every system."""

    def __init__(self, seconds):
        self.expired = False
        self._timer = threading.Timer(seconds, self._interrupt)
        self._timer.daemon = True

    def _interrupt(self):
        self.expired = True
        _thread.interrupt_main()

    def __enter__(self):
        self._timer.start()

    def __exit__(self, kind, error, trace):
        self._timer.cancel()
        if self.expired and kind is KeyboardInterrupt:
            raise TimeoutError from None


def _explain(name, error, answer):
    """Type, text and the learner's own line, not the library's below it."""
    # a class of a notebook has no file of its own; its methods do
    parts = vars(answer).values() if inspect.isclass(answer) else [inspect.unwrap(answer)]
    files = {part.__code__.co_filename for part in parts if inspect.isfunction(part)}
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename in files]
    text = f"`{name}` raised {type(error).__name__}: {error}"
    if not own:
        return text
    return f"{text}\n  in line {own[-1].lineno} of your cell: {own[-1].line}"
