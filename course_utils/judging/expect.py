"""Say what keeps a value from being judged at all: its kind, its shape, numbers that are none.

A property begins with one of these. Each returns "" where all is well, else a sentence that
quotes what was expected and what came, as the other properties do.
"""

import numpy as np

from course_utils.judging.values import kind_of


def is_array(value, shape=None, kinds="iuf") -> bool:
    """Tell whether a value is an array of real numbers.

    Parameters
    ----------
    value : object
        Plain data.
    shape : tuple of int, optional
        The only shape that will do.
    kinds : str
        The kinds of numbers that will do, as `numpy.dtype.kind` names them.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_array(np.ones(3), (3,)), is_array(np.ones(3), (2,)), is_array([1.0, 1.0])
    (True, False, False)
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
        return False
    return shape is None or value.shape == shape


def array(value, shape) -> str:
    """Expect an array of real numbers of this shape.

    Parameters
    ----------
    value : object
        Plain data.
    shape : tuple of int

    Returns
    -------
    str

    Examples
    --------
    >>> array(np.ones((3, 2)), (3,))
    'expected an array of shape (3,), got an array of shape (3, 2)'
    """
    return "" if is_array(value, shape) else _another(value, shape)


def _another(value, shape):
    return f"expected an array of shape {shape}, got {kind_of(value)}"


def pair(value, names) -> str:
    """Expect two values in a tuple or a list.

    Parameters
    ----------
    value : object
        Plain data.
    names : str
        What the two are called.

    Returns
    -------
    str

    Examples
    --------
    >>> pair([1.0, 2.0, 3.0], "W1, W2")
    'expected the pair W1, W2, got 3 values'
    """
    if not isinstance(value, list):
        return f"expected the pair {names}, got {kind_of(value)}"
    return "" if len(value) == 2 else f"expected the pair {names}, got {len(value)} values"


def measured(value, shape, parts) -> str:
    """Expect what a probe measured on outputs of one shape.

    Parameters
    ----------
    value : object
        The probe's dict; it holds the entry ``returned`` where the answer returned something
        else than an array of `shape`.
    shape : tuple of int
        Of the answer's outputs.
    parts : dict of str to tuple of int
        The shape of each measurement.

    Returns
    -------
    str

    Examples
    --------
    >>> measured({"returned": None}, (2, 3), {"y": (2, 3)})
    'expected an array of shape (2, 3), got None'
    >>> measured({"y": np.ones(2)}, (2, 3), {"y": (2, 3)})
    "expected an array of shape (2, 3) under 'y', got an array of shape (2,)"
    """
    if not isinstance(value, dict):
        return _another(value, shape)
    if "returned" in value:
        return _another(value["returned"], shape)
    for name, wanted in parts.items():
        part = value.get(name)
        if not is_array(part, wanted, "f"):
            return f"expected an array of shape {wanted} under {name!r}, got {kind_of(part)}"
    return ""


def finite(values) -> str:
    """Expect numbers that are finite.

    Parameters
    ----------
    values : ndarray

    Returns
    -------
    str

    Examples
    --------
    >>> finite(np.array([1.0, np.inf, np.nan]))
    'expected finite numbers, got inf'
    """
    odd = values[~np.isfinite(values)]
    return f"expected finite numbers, got {odd[0]}" if odd.size else ""
