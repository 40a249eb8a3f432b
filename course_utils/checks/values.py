"""Reduce what an answer returns to plain data, so that only values are judged."""

import sys
from dataclasses import dataclass

import numpy as np

MAX_ITEMS = 10_000


@dataclass(frozen=True)
class Foreign:
    """Stand for a value that is not plain data; only its type's name is known."""

    type_name: str


def plain(value, depth=0):
    """Reduce a value to arrays, scalars, strings, None, and lists and dicts of these.

    Parameters
    ----------
    value : object
        A torch tensor becomes an array; a tuple becomes a list.
    depth : int
        How deep the value is nested.

    Returns
    -------
    object
        `Foreign` stands in for everything else.

    Examples
    --------
    >>> plain((1, np.float64(2.5), object()))
    [1, 2.5, Foreign(type_name='object')]
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj().resolve_neg().numpy()
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) is int and abs(value) > 2**63:
        return Foreign("very large int")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return np.array(value)  # a base-class copy that nothing else can change
    if type(value) in (list, tuple) and len(value) <= MAX_ITEMS and depth < 5:
        return [plain(item, depth + 1) for item in value]
    if type(value) is dict and len(value) <= MAX_ITEMS and depth < 5:
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
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
        return f"a {value.type_name}"
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
        return f"an array of shape {value.shape}"
    if isinstance(value, Foreign):
        return f"a {value.type_name}"
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "True or False"
    names = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "a dict"}
    return names[type(value)]
