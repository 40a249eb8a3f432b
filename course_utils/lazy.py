"""Look the names of a package up when they are first used, so that importing it costs nothing."""

import importlib


def attach(package, homes, root=None):
    """Make what a package or module needs to find names in other modules.

    Parameters
    ----------
    package : str
        Its `__name__`.
    homes : dict of str to sequence of str
        Modules, relative to the root, and the public names that each defines.
    root : str, optional
        A package; `package` itself if not given.

    Returns
    -------
    getattr, dir : callable
        For the package's `__getattr__` and `__dir__` (PEP 562).
    names : list of str
        For its `__all__`, in alphabetical order.

    Examples
    --------
    >>> find, names, _ = attach("course_utils", {"wiring": ["Wiring", "scaled"]})
    >>> find("scaled")(4).b
    0.5
    >>> names()
    ['Wiring', 'scaled']
    >>> find("scale")
    Traceback (most recent call last):
    AttributeError: module 'course_utils' has no attribute 'scale'
    """
    home = {name: module for module, names in homes.items() for name in names}

    def find(name):
        # python asks here only for what the package does not hold yet
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{root or package}.{home[name]}"), name)

    return find, lambda: sorted(home), sorted(home)
