"""Explore a probe: one file per panel. Nothing imports this package but notebooks."""

import importlib
import pkgutil

# what panels are made of, and what else a reader meets; every other file is a panel
PARTS = {"guard", "panel", "predict", "scorecard", "still", "training_panel"}


def panels(kind=object) -> dict:
    """Find every panel, and what makes it without a lesson.

    A file makes its panel with the function of its name or, where that needs a lesson's nets
    or minutes, with `example` beside it. What is made is told by the annotation.

    Parameters
    ----------
    kind : type
        Such as `panel.Panel`, to find those alone that make one.

    Returns
    -------
    dict of str to callable

    Raises
    ------
    LookupError
        If a file that is none of `PARTS` makes no panel.

    Examples
    --------
    >>> panels()["descent"](learning_rate=1.0).sentence[-28:]
    '0.00: w is 0 after one step.'
    """
    files = [file.name for file in pkgutil.iter_modules(__path__) if file.name not in PARTS]
    makers = {name: _maker(name) for name in files}
    return {n: m for n, m in makers.items() if issubclass(m.__annotations__["return"], kind)}


def _maker(name):
    module = importlib.import_module(f"{__name__}.{name}")
    maker = getattr(module, "example", None) or getattr(module, name, None)
    if "return" not in getattr(maker, "__annotations__", {}):
        raise LookupError(
            f"widgets/{name}.py: expected {name}() or example() that says what it makes, such as "
            f"`-> Panel`, got {'no such function' if maker is None else 'no annotation'}; a file "
            "that is no panel is named in PARTS"
        )
    return maker
