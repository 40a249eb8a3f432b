"""Add a button to a panel: train what the controls say, and watch the curve grow."""

import threading

import ipywidgets as W
import numpy as np

from course_utils import data, plots, training
from course_utils.widgets.panel import Panel

SEEDS, REPAINT = (0, 1, 2), 10


class TrainingPanel(Panel):
    """Train three seeds of the chosen net on the digits, at the press of a button.

    The last net stays in the picture, in grey.

    Parameters
    ----------
    controls : dict of str to Widget
        One of them is ``learning_rate``.
    make_model : callable
        Maps the control values to a module that takes 64 pixels to 10 classes.
    name : callable
        Maps the control values to a few words that open the sentence.
    presets : dict of str to dict
        A button for each: label → control values.
    steps : int
        Steps of one training, on batches of 64.

    Raises
    ------
    ValueError
        If no control is called ``learning_rate``.
    """

    def __init__(self, controls, make_model, name, presets, steps=150):
        if "learning_rate" not in controls:
            raise ValueError(f"a learning_rate is needed, the controls are {list(controls)}")
        self._make_model, self._name, self._steps = make_model, name, steps
        self._curves = {}  # control values → accuracies so far, in the order of training
        self._stopped = {}  # control values → why training ended early
        self._busy = threading.Lock()
        self.button = W.Button(description=f"Train {steps} steps", button_style="primary")
        self.button.on_click(lambda _: self.train())
        drawing = plots.training_curve(steps, "Three seeds now (colour), and the net before (grey)")
        super().__init__(controls, self._look_up, drawing, self._say, presets)
        above = 1 + len(controls)
        self.children = (*self.children[:above], self.button, *self.children[above:])
        self.train()

    def train(self):
        """Train three seeds with the present values, and keep their curve.

        Returns
        -------
        TrainingPanel
            Itself. While it trains already, nothing happens.
        """
        if not self._busy.acquire(blocking=False):
            return self
        values = self.values
        key, curve = tuple(values.values()), []
        self._curves.pop(key, None)
        self._curves[key] = curve

        def measure(prediction, target):
            accuracies = training.accuracy(prediction, target)
            curve.append(accuracies.numpy())
            if len(curve) % REPAINT == 0:
                self._redraw()
            return accuracies

        self.button.disabled = True
        try:
            run = training.fit(
                lambda: self._make_model(values),
                data.digits_task(64),
                steps=self._steps,
                learning_rates=(values["learning_rate"],),
                seeds=SEEDS,
                loss=training.cross_entropy,
                clip=1,
                measure=measure,
            )
            if run.diverged:
                self._stopped[key] = str(run.diverged[0])
        finally:
            self.button.disabled = False
            self._busy.release()
        self._redraw()
        return self

    def _look_up(self, **values):
        key = tuple(values.values())
        others = [curve for other, curve in self._curves.items() if other != key]
        return _array(self._curves.get(key, [])), _array(others[-1] if others else [])

    def _say(self, values, arrays):
        now, before = arrays
        opening = f"{self._name(values)}, learning rate {values['learning_rate']:g}"
        if stopped := self._stopped.get(tuple(values.values())):
            return f"{self._name(values)}: training stopped. {stopped[0].upper()}{stopped[1:]}."
        if len(now) < plots.SMOOTH:
            return f"{opening}: not trained yet, press the button."
        last = now[-plots.SMOOTH :].mean(0)
        ending = ""
        if len(before) >= plots.SMOOTH:
            ending = f" The net before it had {before[-plots.SMOOTH :].mean():.2f}."
        return (
            f"{opening}: accuracy {last.mean():.2f} after {len(now)} steps, from "
            f"{last.min():.2f} to {last.max():.2f} over the seeds.{ending}"
        )


def _array(curve):
    return np.array(curve, float).reshape(-1, len(SEEDS))
