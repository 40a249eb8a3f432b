"""Draw the README's figure."""

from course_utils import diagrams
from course_utils.authoring.notebooks import ROOT
from course_utils.wiring import PLAIN, RESIDUAL, Wiring

NETS = {
    "plain": PLAIN,
    "residual": RESIDUAL,
    "pre-norm": Wiring(norm="pre"),
    "post-norm": Wiring(norm="post"),
}
PATH = ROOT / "figure.svg"


def write(path=PATH):
    """Write the figure to a file.

    Parameters
    ----------
    path : Path
    """
    path.write_text(diagrams.svg(NETS), encoding="utf-8")
