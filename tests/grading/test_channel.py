"""Frames carry plain data both ways, and nothing else gets through."""

import contextlib
import socket
import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from course_utils.grading import channel
from course_utils.grading.channel import ChannelError, TooLate, decode, encode, receive, send
from course_utils.judging.values import Foreign

ARRAYS = hnp.arrays(
    st.sampled_from(["f4", "f8", "i2", "i8", "u1", "?", "c16", ">f8"]), hnp.array_shapes(min_dims=0)
)
SCALARS = st.none() | st.booleans() | st.integers(1 - 2**63, 2**63 - 1) | st.floats() | st.text()
PLAIN = st.recursive(
    SCALARS | ARRAYS | st.builds(Foreign, st.text(max_size=99)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["array", "list", "dict", "plain", "foreign", "x"]), inner, max_size=2
        )
    ),
    max_leaves=20,
)


@pytest.fixture
def pair():
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype.newbyteorder("=") == b.dtype and np.array_equal(
            a, b, equal_nan=a.dtype.kind in "fc"
        )
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b or (a != a and b != b)


@given(PLAIN)
def test_what_is_sent_arrives(value):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, encode(value))
        assert same(value, decode(receive(theirs)))


@given(JSON)
def test_anything_else_is_refused_and_nothing_raises(message):
    with contextlib.suppress(ChannelError):
        assert encode(decode(message))


@pytest.mark.parametrize(
    "forged",
    [
        {"array": ["O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [10**9, 10**9], ""]},
        {"array": ["<f8", [-1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [True], "AAAAAAAAAAA="]},
        {"array": ["<f8", [1], "AAAA"]},
        {"array": ["<M8[s]", [1], "AAAAAAAAAAA="]},
        {"array": [["f", "<f8"], [1], "AAAAAAAAAAA="]},
        {"array": 3},
        {"plain": {"a": 1}},
        {"dict": [[1, {"plain": 1}]]},
        {"list": {"plain": 1}},
        {"plain": 1, "list": []},
        {},
        [],
        None,
    ],
    ids=repr,
)
def test_forged_values_are_refused(forged):
    with pytest.raises(ChannelError):
        decode(forged)


def test_depth_is_limited():
    value = {"plain": 1}
    for _ in range(10_000):
        value = {"list": [value]}
    with pytest.raises(ChannelError):
        decode(value)


def test_a_frame_has_a_limit_both_ways(pair):
    ours, theirs = pair
    with pytest.raises(ChannelError, match="at most"):
        send(ours, "x" * channel.MAX_FRAME)
    theirs.sendall(struct.pack(">I", 2**32 - 1))
    with pytest.raises(ChannelError, match="at most"):
        receive(ours)


def test_waiting_has_an_end_even_if_bytes_trickle_in(pair):
    ours, theirs = pair

    def trickle():
        theirs.sendall(struct.pack(">I", 100))
        for _ in range(20):
            threading.Event().wait(0.02)
            theirs.send(b" ")

    thread = threading.Thread(target=trickle)
    thread.start()
    with pytest.raises(TooLate):
        receive(ours, seconds=0.2)
    thread.join()


def test_someone_watches_while_we_wait(pair):
    def watch():
        raise ChannelError("seen")

    with pytest.raises(ChannelError, match="seen"):
        receive(pair[0], seconds=5, watch=watch)


def test_a_gone_side_is_noticed(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ChannelError, match="gone"):
        receive(ours)


def test_garbage_is_no_json(pair):
    ours, theirs = pair
    theirs.sendall(struct.pack(">I", 4) + b"\xff\x00[[")
    with pytest.raises(ChannelError, match="not JSON"):
        receive(ours)
