"""One colour per idea, and the look of each arm of a comparison, in every lesson."""

from typing import NamedTuple

# width and dashes say the same in grey
IDENTITY = "#0072B2"
BRANCH = "#C44E00"
PLAIN = "#5B5B5B"
MUTED = "#9A9A9A"


class Look(NamedTuple):
    """Say how the line of an arm is drawn.

    Attributes
    ----------
    colour, dash : str
        As matplotlib names them.
    """

    colour: str
    dash: str


# the look tells what becomes of the identity path: none, cut by a norm, or whole
NO_PATH, CUT_PATH, WHOLE_PATH = Look(PLAIN, "--"), Look(BRANCH, "--"), Look(IDENTITY, "-")
LOUD = Look(IDENTITY, "-.")  # whole, but branches of full size drown it

ARMS = {
    "plain": NO_PATH,
    "plain-20": NO_PATH,
    "plain-56": NO_PATH,
    "plain + BatchNorm": NO_PATH,
    "plain, causal": Look(PLAIN, "-."),
    "plain, queries × 8": Look(PLAIN, ":"),
    "post-norm": CUT_PATH,
    "post-norm block": CUT_PATH,
    "b = 1": LOUD,
    "residual, b = 1": LOUD,
    "random blocks": Look(IDENTITY, "--"),  # of one net; the others are kept for a reason
}


def look(name):
    """Look up how an arm is drawn.

    The rule: a name that stands in `ARMS` has the look given there. Any other is looked up by
    what stands before its first comma, so that "plain, He" looks like "plain". What is not found
    then either has its identity path: solid blue.

    Parameters
    ----------
    name : str
        Of a net, as a figure writes it.

    Returns
    -------
    Look

    Examples
    --------
    >>> look("plain, He") == look("plain") == Look(colour=PLAIN, dash="--")
    True
    >>> look("pre-norm").dash, look("residual, b = 1").dash
    ('-', '-.')
    """
    arm, *_ = name.split(",")
    return ARMS.get(name, ARMS.get(arm, WHOLE_PATH))
