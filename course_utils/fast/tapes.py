"""Memory that one forward pass leaves for its backward pass, and that is then used again."""

import threading

_lent = threading.local()  # a panel may train on another thread than a cell


class Tape:
    """Hold what a forward pass keeps; one backward pass uses it up.

    Parameters
    ----------
    key : tuple
        What two passes must share to use the same memory, such as shapes and dtype.
    keep : bool
        Whether the forward pass keeps what a backward pass needs.
    """

    def __init__(self, key, keep):
        self.key, self.keep, self.filled = key, keep, keep

    @classmethod
    def take(cls, *key):
        """Take the tape that was lent for the same key, or make one."""
        tape = lent()
        if type(tape) is not cls or tape.key != key:
            return cls(*key)
        _lent.tape, tape.filled = None, tape.keep
        return tape

    def open(self):
        """Let a backward pass begin.

        Raises
        ------
        ValueError
            If there was one before, or the forward pass kept nothing.
        """
        if not self.filled:
            raise ValueError("the cache serves one backward pass, of a forward pass with keep=True")
        self.filled = False

    def lend(self):
        """Lend the memory to the next forward pass."""
        _lent.tape = self


def lent():
    """Tell which tape is waiting for the next forward pass.

    Returns
    -------
    Tape or None

    Examples
    --------
    >>> free()
    >>> lent() is None
    True
    """
    return getattr(_lent, "tape", None)


def free():
    """Give back the memory that is held for the next forward pass.

    Examples
    --------
    >>> free()
    """
    _lent.tape = None
