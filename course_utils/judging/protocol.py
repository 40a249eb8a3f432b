"""Say how an answer and its judge meet: through values, or a reason why there is none.

This and `values` and `call` know no exercise, so they can go where answers run.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What became of one case; the value is shown to the learner."""

    CORRECT = "correct"
    NOT_WRITTEN = "not written yet"
    NOT_DEFINED = "not defined"
    RAISED = "raised an error"
    TOO_SLOW = "too slow"
    WRONG_TYPE = "wrong type"
    WRONG_SHAPE = "wrong shape"
    CHANGED = "argument changed in place"
    WRONG_VALUE = "wrong value"


# all that a call may say of itself; the rest is for the judge to say
NO_VALUE = (Status.NOT_WRITTEN, Status.NOT_DEFINED, Status.RAISED, Status.TOO_SLOW)


@dataclass(frozen=True)
class Reply:
    """Carry what one call returned.

    Attributes
    ----------
    value : object
        Plain data.
    after : dict
        The arguments as the call left them; those that arrays can show.
    """

    value: object
    after: dict


class CallFailed(Exception):
    """Say that a call gave no value.

    Parameters
    ----------
    status : Status
        One of `NO_VALUE`: a call can never say that it was correct.
    message : str

    Raises
    ------
    ValueError
        If the status is another one.
    """

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = Status(status), message
        if self.status not in NO_VALUE:
            raise ValueError(f"a failed call is one of {', '.join(NO_VALUE)}; got {status}")
