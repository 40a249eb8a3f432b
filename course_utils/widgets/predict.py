"""Ask for a guess before the result; compare the two afterwards."""

import html

import ipywidgets as W
from IPython.display import display

from course_utils.environment import is_static
from course_utils.widgets.guard import guarded


class Prediction:
    """Hold a question, its options and the reader's guess.

    Attributes
    ----------
    guess : str or None
        None until an option is chosen.
    """

    def __init__(self, question, options):
        self.question, self.options = question, tuple(options)
        self._dropdown = W.Dropdown(
            options=[("choose before you run on", None), *((o, o) for o in self.options)],
            description="I guess:",
            layout=W.Layout(width="min(100%, 520px)"),
        )

    @property
    def guess(self):
        """The chosen option."""
        return self._dropdown.value

    def choose(self, option):
        """Make a guess by code instead of by mouse.

        Parameters
        ----------
        option : str
            One of the options.

        Raises
        ------
        ValueError
            If it is none of them.
        """
        if option not in self.options:
            raise ValueError(f"the options are {list(self.options)}, got {option!r}")
        self._dropdown.value = option

    def reveal(self, answer):
        """Print the guess beside what was measured.

        Parameters
        ----------
        answer : str
            The option that the measurement supports.

        Raises
        ------
        ValueError
            If it is none of the options.
        """
        if answer not in self.options:
            raise ValueError(f"the options are {list(self.options)}, got {answer!r}")
        verdict = "no guess yet" if self.guess is None else f"you guessed: {self.guess}"
        if self.guess == answer:
            verdict += " (right)"
        print(f"Measured: {answer}. {verdict[0].upper()}{verdict[1:]}.")

    def _repr_mimebundle_(self, include=None, exclude=None):
        listed = "\n".join(f"  - {option}" for option in self.options)
        return {"text/plain": f"{self.question}\n{listed}"}

    def _ipython_display_(self):
        if is_static():
            display(self._repr_mimebundle_(), raw=True)
        else:
            question = W.HTML(f"<b>{html.escape(self.question)}</b>")
            display(guarded(W.VBox([question, self._dropdown])))


def predict(question, options):
    """Ask the reader for a guess; `reveal` compares it later.

    Parameters
    ----------
    question : str
    options : sequence of str

    Returns
    -------
    Prediction

    Examples
    --------
    >>> guess = predict("Is the loss lower, equal or higher?", ["lower", "equal", "higher"])
    >>> guess.choose("equal")
    >>> guess.reveal("equal")
    Measured: equal. You guessed: equal (right).
    """
    return Prediction(question, options)
