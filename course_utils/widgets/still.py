"""What a panel leaves where no widget runs: a picture and its sentence."""

import ipywidgets as W

from course_utils import plots
from course_utils.environment import is_static


class Still(W.VBox):
    """Show a box as a picture and a sentence where no kernel runs; panels build on it.

    A panel defines `still`, which returns both for one and the same state.
    """

    def still(self):
        """Return the PNG as bytes and the sentence that describes it."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include=None, exclude=None):
        picture, alt = plots.bundle(*self.still())
        if is_static():
            return picture, alt
        live, metadata = super()._repr_mimebundle_(include=include, exclude=exclude), {}
        if isinstance(live, tuple):
            live, metadata = live
        return {**live, **picture}, {**metadata, **alt}
