"""Carry plain data between the grader and a sandbox: frames of JSON, arrays as bytes.

Nothing is pickled. Both sides use `encode`, `decode`, `send` and `receive`; what comes
out of a sandbox is believed to be data of the right form, and nothing more.
"""

import base64
import json
import re
import struct
import time

import numpy as np

from course_utils.judging.values import Foreign

MAX_FRAME = 2**24  # bytes
MAX_DEPTH = 50
DTYPE = re.compile(r"[<>|=]?[biufc][0-9]{1,2}")


class ChannelError(Exception):
    """Say that no message came, or none that can be read."""


class TooLate(ChannelError):
    """Say that no message came in time."""


def encode(value):
    """Turn plain data into what JSON can hold.

    Parameters
    ----------
    value : object
        As `judging.values.plain` returns it.

    Returns
    -------
    dict

    Examples
    --------
    >>> encode([np.arange(2, dtype="i2"), None])
    {'list': [{'array': ['<i2', [2], 'AAABAA==']}, {'plain': None}]}
    """
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": [value.dtype.str, list(value.shape), data]}
    if isinstance(value, list):
        return {"list": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[key, encode(item)] for key, item in value.items()]}
    if isinstance(value, Foreign):
        return {"foreign": value.type_name}
    return {"plain": value}


def decode(message):
    """Turn it back, and refuse everything that `encode` does not write.

    Parameters
    ----------
    message : object
        Anything that JSON can hold.

    Returns
    -------
    object
        Plain data.

    Raises
    ------
    ChannelError
        If the message has another form.

    Examples
    --------
    >>> decode(encode({"y": np.ones(3)}))
    {'y': array([1., 1., 1.])}
    >>> decode({"pickle": "gASV"})
    Traceback (most recent call last):
    course_utils.grading.channel.ChannelError: the reply is not plain data: no kind 'pickle'
    """
    try:
        return _decode(message, MAX_DEPTH)
    # whatever a forged message sets off while it is read
    except (ValueError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise ChannelError(f"the reply is not plain data: {str(error)[:200]}") from None


def _decode(message, depth):
    if depth == 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    ((kind, value),) = message.items() if isinstance(message, dict) else ((message, None),)
    if kind == "array":
        dtype, shape, data = value
        if not DTYPE.fullmatch(_checked(dtype, str)):
            raise ValueError(f"no array of type {dtype[:50]!r}")
        dtype = np.dtype(dtype)
        if not all(_checked(n, int) >= 0 for n in shape):
            raise ValueError(f"no array of {dtype} and shape {shape}")
        raw = base64.b64decode(_checked(data, str), validate=True)
        return np.frombuffer(raw, dtype).reshape(tuple(shape)).astype(dtype.newbyteorder("="))
    if kind == "list":
        return [_decode(item, depth - 1) for item in _checked(value, list)]
    if kind == "dict":
        return {_checked(key, str): _decode(item, depth - 1) for key, item in value}
    if kind == "foreign":
        return Foreign(_checked(value, str)[:100])
    if kind == "plain" and (value is None or type(value) in (bool, float, str)):
        return value
    if kind == "plain" and type(value) is int and abs(value) < 2**63:
        return value
    raise ValueError(f"no kind {str(kind)[:50]!r}")


def _checked(value, kind):
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def send(sock, message, seconds=None):
    """Send one frame.

    Parameters
    ----------
    sock : socket
    message : object
        Anything that JSON can hold.
    seconds : float, optional
        How long the other side may take to read it.

    Raises
    ------
    ChannelError
        If the message is larger than `MAX_FRAME` or the other side is gone or does not read.
    """
    frame = json.dumps(message).encode()
    if len(frame) > MAX_FRAME:
        raise ChannelError(f"a message has at most {MAX_FRAME} bytes, got {len(frame)}")
    sock.settimeout(seconds)
    try:
        sock.sendall(struct.pack(">I", len(frame)) + frame)
    except OSError as error:
        raise ChannelError(f"the other side does not read: {error}") from None


def receive(sock, seconds=None, watch=None):
    """Wait for one frame and read it.

    Parameters
    ----------
    sock : socket
    seconds : float, optional
        How long the whole frame may take.
    watch : callable, optional
        Called four times a second while waiting; may raise `ChannelError`.

    Returns
    -------
    object
        What JSON holds.

    Raises
    ------
    TooLate
        If the time is up.
    ChannelError
        If the other side is gone, or sends too much or something else.
    """
    until = None if seconds is None else time.monotonic() + seconds
    (size,) = struct.unpack(">I", _exactly(sock, 4, until, watch))
    if size > MAX_FRAME:
        raise ChannelError(f"a message has at most {MAX_FRAME} bytes, got {size}")
    try:
        return json.loads(_exactly(sock, size, until, watch))
    except (ValueError, RecursionError, MemoryError):
        raise ChannelError("the message is not JSON") from None


def _exactly(sock, size, until, watch):
    parts, watched = bytearray(), time.monotonic()
    while len(parts) < size:
        now = time.monotonic()
        left = 0.25 if until is None else until - now
        if left <= 0:
            raise TooLate("no message in time")
        if watch is not None and now - watched > 0.25:
            watch()
            watched = now
        sock.settimeout(None if watch is None and until is None else min(0.3, left))
        try:
            part = sock.recv(min(size - len(parts), 2**20))
        except TimeoutError:
            continue
        except OSError as error:
            raise ChannelError(f"the other side is gone: {error}") from None
        if not part:
            raise ChannelError("the other side is gone")
        parts += part
    return bytes(parts)
