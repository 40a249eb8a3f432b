"""Reduce what an answer returns to plain data, so that only values are judged."""

import decimal
import numbers
import sys
from dataclasses import dataclass

import numpy as np

MAX_ITEMS = 10_000  # in all lists and dicts together
MAX_BYTES = 2**26


@dataclass(frozen=True)
class Foreign:
    """Stand for a value that is not plain data; only its type's name is known."""

    type_name: str


def plain(value):
    """Reduce a value to arrays, scalars, strings, None, and lists and dicts of these.

    Parameters
    ----------
    value : object
        A torch tensor becomes an array; a tuple becomes a list.

    Returns
    -------
    object
        `Foreign` stands in for everything else, also for what is too large.

    Examples
    --------
    >>> plain((1, np.float64(2.5), object()))
    [1, 2.5, Foreign(type_name='object')]
    """
    try:
        return _plain(value, [MAX_ITEMS])
    except Exception:  # the value's own code may do anything
        return Foreign(type.__getattribute__(type(value), "__name__"))


def _plain(value, items_left):
    items_left[0] -= 1
    if items_left[0] < 0:
        raise OverflowError("too many items")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, str):
        return value
    if isinstance(value, (numbers.Real, decimal.Decimal)):
        return int(value) if type(value) is int and abs(value) < 2**63 else float(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":
            return Foreign(f"array of {value.dtype}")
        if value.size * value.itemsize > MAX_BYTES:
            return Foreign(f"very large array of shape {value.shape}")
        return np.array(value)  # a base-class copy that nothing else can change
    if isinstance(value, (list, tuple)):
        return [_plain(item, items_left) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, items_left) for key, item in value.items()}
    return Foreign(type(value).__name__)


def show(value, limit=160):
    """Write a value for a message, short enough for one or two lines.

    Parameters
    ----------
    value : object
        Plain data.
    limit : int
        Longest text in characters.

    Returns
    -------
    str

    Examples
    --------
    >>> show(np.array([1.0, 2.0]))
    '[1. 2.]'
    >>> show(np.zeros((30, 40)))
    'an array of shape (30, 40)'
    """
    if isinstance(value, np.ndarray):
        if value.size > 16:
            return f"an array of shape {value.shape}"
        text = np.array2string(value, precision=4, suppress_small=True)
        return " ".join(text.split()).replace("[ ", "[")
    if isinstance(value, Foreign):
        return kind_of(value)
    if isinstance(value, list):
        text = f"[{', '.join(show(item) for item in value[:4])}{', …' if len(value) > 4 else ''}]"
    else:
        text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def kind_of(value) -> str:
    """Name the type of plain data in words.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Examples
    --------
    >>> kind_of(np.ones(3)), kind_of(2.5), kind_of(None)
    ('an array of shape (3,)', 'a number', 'None')
    """
    if isinstance(value, np.ndarray):
        entries = "" if value.dtype.kind in "iuf" else f" of {value.dtype.name}"
        return f"an array of shape {value.shape}{entries}"
    if isinstance(value, Foreign):
        return f"an object of type {value.type_name}"
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "True or False"
    names = {
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list or tuple",
        dict: "a dict",
    }
    return names[type(value)]
