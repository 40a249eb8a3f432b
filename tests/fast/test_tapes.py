import threading

import pytest

from course_utils.fast import tapes


class Roll(tapes.Tape):
    def __init__(self, length, keep):
        super().__init__((length, keep), keep)


def test_memory_goes_round_from_a_backward_pass_to_the_next_forward_pass():
    first = Roll.take(3, True)
    first.open()
    first.lend()
    assert tapes.lent() is first
    assert Roll.take(4, True) is not first
    again = Roll.take(3, True)
    assert again is first
    assert tapes.lent() is None
    again.open()
    with pytest.raises(ValueError, match="one backward pass"):
        again.open()


def test_another_kind_of_tape_and_another_thread_get_their_own():
    class Other(Roll):
        pass

    tape, found = Roll.take(3, True), []
    tape.lend()
    assert type(Other.take(3, True)) is Other
    thread = threading.Thread(target=lambda: found.append(tapes.lent()))
    thread.start()
    thread.join()
    assert found == [None]
    tapes.free()
    assert tapes.lent() is None


def test_nothing_goes_back_through_a_pass_that_kept_nothing():
    with pytest.raises(ValueError, match="keep=True"):
        Roll.take(3, False).open()
