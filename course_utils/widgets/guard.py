"""Guard a panel in the browser: its keys stay its own, its parts have names.

Without it JupyterLab reads the keys that are typed on a control: `d d` on a slider
deletes the cell. And ipywidgets gives the handle of a slider no accessible name and the
picture no alt text.
"""

from pathlib import Path

import anywidget
import ipywidgets as W


class _Guard(anywidget.AnyWidget):
    _esm = Path(__file__).with_name("guard.js")


def guarded(box):
    """Keep the notebook's shortcuts from firing while a control of a box has the focus.

    Parameters
    ----------
    box : ipywidgets.Box
        Gets one more child, which shows nothing.

    Returns
    -------
    ipywidgets.Box
        The same box. Where no JavaScript runs, it is as it was.

    Examples
    --------
    >>> len(guarded(W.VBox([W.Dropdown()])).children)
    2
    """
    box.children = (*box.children, _Guard(layout=W.Layout(display="none")))
    return box.add_class("course-guarded")
