"""Turn a drawing into a panel: controls, presets, picture, one live sentence.

A panel is a thin shell around three functions: ``compute(**controls) → arrays``
(pure), ``drawing.update(*arrays)``, ``describe(controls, arrays) → sentence``.
The still parts of the picture are drawn once; a move redraws the lines alone.
"""

import html
import io
import threading

import ipywidgets as W
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from course_utils.widgets.guard import guarded
from course_utils.widgets.still import Still

# in a dark theme the light picture is inverted, and its hues turned back
STYLE = (
    "<style>.course-sentence{display:block;min-height:2.8em;font-size:14px;line-height:1.4}"
    '[data-jp-theme-light="false"] .course-figure{filter:invert(.91) hue-rotate(180deg)}</style>'
)


class Panel(Still):
    """Show a drawing whose parameters can be moved.

    Parameters
    ----------
    controls : dict of str to Widget
        Each has a `value`; the names are those of `compute`'s parameters.
    compute : callable
        Maps the control values to a tuple of arrays; pure, under 20 ms.
    drawing : plots.Drawing
        Its `update` takes what `compute` returns.
    describe : callable
        Maps (values, arrays) to one sentence with the numbers that count.
    presets : dict of str to dict
        A button for each: label → control values.

    Attributes
    ----------
    sentence : str
        What the picture shows now.

    Notes
    -----
    With `COURSE_STATIC=1` the panel shows as a PNG and its sentence.
    """

    def __init__(self, controls, compute, drawing, describe, presets):
        self.controls, self._compute, self._describe = controls, compute, describe
        self._drawing = drawing
        self._canvas = FigureCanvasAgg(drawing.figure)
        self._background = None
        # JupyterLab may call back on another thread while a first call still draws
        self._lock = threading.RLock()
        self._image = W.Image(format="png").add_class("course-figure")
        self._image.layout.max_width = f"min(100%, {self._canvas.get_width_height()[0]}px)"
        self._sentence = W.HTML()
        for artist in drawing.artists:
            artist.set_animated(True)
        for control in controls.values():
            control.observe(self._redraw, "value")
            # ipywidgets keeps no order between a message of the browser and a move by code
            control.set_state = self._in_turn(control.set_state)
        buttons = [self._preset_button(label, values) for label, values in presets.items()]
        self._redraw()
        super().__init__(
            [W.HBox(buttons), *controls.values(), self._image, self._sentence, W.HTML(STYLE)]
        )
        guarded(self)

    @property
    def figure(self):
        """The figure in its present state, for a static view."""
        return self._drawing.figure

    @property
    def values(self) -> dict:
        """The value of each control, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values):
        """Move several controls and redraw once.

        Parameters
        ----------
        **values
            New control values by name.

        Returns
        -------
        Panel
            Itself.

        Raises
        ------
        ValueError
            If a name is not one of the controls.
        """
        unknown = values.keys() - self.controls.keys()
        if unknown:
            raise ValueError(f"the controls are {list(self.controls)}, got {sorted(unknown)}")
        with self._lock:
            for name, value in values.items():
                control = self.controls[name]
                control.unobserve(self._redraw, "value")
                control.value = value
                control.observe(self._redraw, "value")
            self._redraw()
        return self

    def _preset_button(self, label, values):
        button = W.Button(description=label, tooltip=f"Set {values}")
        button.on_click(lambda _: self.set(**values))
        return button

    def _in_turn(self, call):
        def one_at_a_time(*args, **kwargs):
            with self._lock:
                return call(*args, **kwargs)

        return one_at_a_time

    def _redraw(self, _change=None):
        with self._lock:
            arrays = self._compute(**self.values)
            self._drawing.update(*arrays)
            self._image.value = self._png()
            self.sentence = self._describe(self.values, arrays)
            self._sentence.value = (
                '<span class="course-sentence" role="status" aria-live="polite">'
                f"{html.escape(self.sentence)}</span>"
            )

    def _png(self):
        if self._background is None:
            self._canvas.draw()
            self._drawing.figure.set_layout_engine("none")  # the frame is settled
            self._background = self._canvas.copy_from_bbox(self._drawing.figure.bbox)
        self._canvas.restore_region(self._background)
        for artist in self._drawing.artists:
            artist.axes.draw_artist(artist)
        size = self._canvas.get_width_height()
        pixels = Image.frombuffer("RGBA", size, self._canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
        buffer = io.BytesIO()
        pixels.convert("RGB").save(buffer, "png", compress_level=1)
        return buffer.getvalue()

    def still(self):
        """Return the picture as it is now, and its sentence."""
        with self._lock:
            return bytes(self._image.value), self.sentence


def slider(label, value, minimum, maximum, step, readout_format=".2f"):
    """Make one labelled slider; whole numbers where `step` is one.

    Parameters
    ----------
    label : str
        Read out by a screen reader.
    value, minimum, maximum, step : float or int
    readout_format : str

    Returns
    -------
    Widget
    """
    common = _look(label)
    if isinstance(step, int):
        return W.IntSlider(value, minimum, maximum, step, **common)
    return W.FloatSlider(
        value, min=minimum, max=maximum, step=step, readout_format=readout_format, **common
    )


def choice(label, value, options):
    """Make one labelled menu.

    Parameters
    ----------
    label : str
        Read out by a screen reader.
    value : object
    options : sequence

    Returns
    -------
    Widget
    """
    return W.Dropdown(options=list(options), value=value, **_look(label))


def _look(label):
    layout, style = W.Layout(width="min(100%, 520px)"), {"description_width": "130px"}
    return {"description": label, "layout": layout, "style": style}
