"""Prepare a notebook: versions, threads, seeds, asserts, style; and say what may be shown."""

import importlib.metadata
import os
import random
import sys

OTHER_DRAW = 10_007  # between two draws of all random numbers: no seed of the one is the other's


def is_static() -> bool:
    """Tell whether outputs are being stored, so that nothing live may be shown.

    `COURSE_STATIC=1` asks for pictures and sentences alone: no widget views, no
    progress bars, nothing written to disk.

    Returns
    -------
    bool
    """
    return os.environ.get("COURSE_STATIC") == "1"


def course_seed() -> int:
    """Tell which draw of all random numbers is asked for by `COURSE_SEED`.

    `make stress` sets it, to learn whether what a lesson says holds for other draws as well.

    Returns
    -------
    int
        0, the draw that lessons are stored with, if nothing is set.

    Examples
    --------
    >>> course_seed()
    0
    """
    return int(os.environ.get("COURSE_SEED", 0))


def setup(seed=0):
    """Make a notebook repeatable: one thread, fixed seeds, the course's figure style.

    Call it once, in the Setup cell, after the imports. From then on an assert that fails says
    what it compared; a reader can go on, where outputs are stored it raises. With `COURSE_SEED`
    every generator starts elsewhere, those of the package and of later cells included.

    Parameters
    ----------
    seed : int
        Starts the generators of `random`, NumPy and, where it is imported, torch.

    Raises
    ------
    RuntimeError
        If a package is older than the course needs; the message says which.

    Examples
    --------
    >>> setup(seed=0)
    """
    check_versions()
    import numpy as np
    from threadpoolctl import threadpool_limits

    from course_utils import asserts, plots

    threadpool_limits(1)
    if course_seed():
        _start_elsewhere(course_seed())
    random.seed(seed + OTHER_DRAW * course_seed())
    # a learner may well use the global generator
    np.random.seed(seed + OTHER_DRAW * course_seed())  # noqa: NPY002
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_num_threads(1)  # on two shared cores two threads were 18 times slower
        torch.manual_seed(seed)
    plots.use_style()
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        asserts.install(shell, asserts.stop if is_static() else asserts.tell)


def _start_elsewhere(draw):
    """Move the seed of every generator that is made from now on, of NumPy and of torch."""
    import numpy as np

    if hasattr(np.random.default_rng, "elsewhere"):
        return  # a second setup does not move them twice
    default_rng = np.random.default_rng

    def moved_rng(seed=None):
        return default_rng(seed if seed is None else [draw, *np.atleast_1d(seed)])

    moved_rng.elsewhere = draw
    np.random.default_rng = moved_rng
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        manual_seed, generator = torch.manual_seed, torch.Generator

        class Generator(generator):
            def manual_seed(self, seed):
                return super().manual_seed(seed + OTHER_DRAW * draw)

        torch.Generator = Generator
        torch.manual_seed = lambda seed: manual_seed(seed + OTHER_DRAW * draw)


def check_versions(requirements=None):
    """Compare what is installed with what the course declares.

    Parameters
    ----------
    requirements : list of str, optional
        Such as ``["numpy>=2"]``; those of the course itself if not given.

    Raises
    ------
    RuntimeError
        If one is missing or too old.

    Examples
    --------
    >>> check_versions(["numpy>=1000"])
    Traceback (most recent call last):
    RuntimeError: This environment is too old for the course: numpy>=1000 is needed, ...
    """
    from packaging.requirements import Requirement

    if requirements is None:
        requirements = importlib.metadata.requires("residual-course") or []
    faults = []
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            faults.append(f"{requirement} is needed, {version or 'nothing'} is installed")
    if faults:
        raise RuntimeError(
            f"This environment is too old for the course: {'; '.join(faults)}. "
            "Close the notebook and run `make lab` in the course's folder, or "
            "`conda env update -f environment.yml`."
        )


def progress(steps, description, total=None):
    """Show a progress bar over `steps`; show none where outputs are being stored.

    Parameters
    ----------
    steps : iterable
    description : str
        What is going on, such as ``"training"``.
    total : int, optional
        Number of steps, where `steps` does not tell.

    Returns
    -------
    iterable
        The same steps. The bar appears after a second and goes when it is done.
    """
    from tqdm.auto import tqdm

    return tqdm(steps, desc=description, total=total, delay=1, leave=False, disable=is_static())
