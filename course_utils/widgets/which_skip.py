"""Take the skips of an encoder-decoder away, kind by kind, and count what it still writes."""

import copy
import dataclasses

import torch

from course_utils import data, plots, probes
from course_utils.transformers import EncoderDecoder
from course_utils.widgets.panel import Panel, choice, slider

TESTED = 100
NUMBERS = 40_318, 507, 12
KINDS = {  # control: what it is called, the stack, the sublayer
    "encoder_attention": ("encoder attention", "encoder", "attend"),
    "encoder_feed": ("encoder feed-forward", "encoder", "feed"),
    "decoder_attention": ("decoder attention", "decoder", "attend"),
    "decoder_cross": ("decoder cross-attention", "decoder", "cross"),
    "decoder_feed": ("decoder feed-forward", "decoder", "feed"),
}


def which_skip(
    net,
    numbers=NUMBERS,
    encoder_attention=1.0,
    encoder_feed=1.0,
    decoder_attention=1.0,
    decoder_cross=1.0,
    decoder_feed=1.0,
) -> Panel:
    """Weaken the skips of a trained encoder-decoder, without training it again.

    It counts how many of the first 100 test numbers the net writes without a mistake.

    Parameters
    ----------
    net : transformers.EncoderDecoder
        Trained on `data.numbers_task`; a copy is used.
    numbers : sequence of int
        For the menu of numbers whose cross-attention is shown: the mean over the heads of the
        last decoder block.
    encoder_attention, encoder_feed, decoder_attention, decoder_cross, decoder_feed : float
        What the gain of all shortcuts of this kind is multiplied by: 1 keeps them, 0 removes them.

    Returns
    -------
    Panel

    Raises
    ------
    ValueError
        If a number is not between 0 and 99,999.

    References
    ----------
    Used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> example(decoder_cross=0.0).sentence[:59]
    'Decoder cross-attention at 0.00: 0 of 100 numbers right; in'
    """
    net = copy.deepcopy(net).eval()
    task = data.numbers()
    x, y = _batch(task.words_test[:TESTED], task.digits_test[:TESTED])
    shown = {
        number: _batch(*(row[None] for row in data.number_tokens(number))) for number in numbers
    }
    wirings = [
        (kind, block.get_submodule(sublayer), block.get_submodule(sublayer).wiring)
        for kind, (_, stack, sublayer) in KINDS.items()
        for block in getattr(net, stack)
    ]

    counted = {}  # a drag comes back to places where it was

    def count(**gains):
        for kind, sublayer, wiring in wirings:
            sublayer.wiring = dataclasses.replace(wiring, a=gains[kind] * wiring.a)
        key = tuple(gains[kind] for kind in KINDS)
        if key not in counted:
            counted[key] = int(probes.written_right(net, x, y).sum())
        return counted[key]

    def compute(number, **gains):
        right, (tokens, _) = count(**gains), shown[number]  # count leaves the net as wired
        weights = probes.cross_weights(net, tokens)[-1, 0].mean(0).T
        words, digits = _labels(number)
        weights[:, len(digits) :] = 0  # nothing is written there
        return weights, words, digits, right

    start = (encoder_attention, encoder_feed, decoder_attention, decoder_cross, decoder_feed)
    gains, kept = dict(zip(KINDS, start, strict=True)), dict.fromkeys(KINDS, 1.0)
    alone = {name: count(**kept | {k: 0.0}) for k, (name, *_) in KINDS.items()}
    intact = count(**kept)

    def describe(values, arrays):
        weights, words, _, right = arrays
        look = words[weights[:, 0].argmax()]
        return (
            f"{_opening([values[kind] for kind in KINDS])}: {right} of {TESTED} numbers right; "
            f"intact {intact}. The first digit of {values['number']} looks most at {look}."
        )

    return Panel(
        {
            # beside a slider there is room for the first word of a hyphened one
            **{
                k: slider(name.partition("-")[0], gains[k], 0.0, 1.0, 0.05)
                for k, (name, *_) in KINDS.items()
            },
            "number": choice("number shown", numbers[0], numbers),
        },
        compute,
        plots.which_skip(alone, intact, TESTED),
        describe,
        {
            "intact": kept,
            "no encoder skips": {k: float(KINDS[k][1] != "encoder") for k in KINDS},
            "no decoder skips": {k: float(KINDS[k][1] != "decoder") for k in KINDS},
            "no skips": dict.fromkeys(KINDS, 0.0),
        },
    )


def example(**values) -> Panel:
    """Show a net that has learnt nothing and gets every number wrong.

    Parameters
    ----------
    **values
        As in `which_skip`.

    Returns
    -------
    Panel
    """
    with torch.random.fork_rng(devices=[]):  # the notebook's own draws stay as they are
        torch.manual_seed(0)
        net = EncoderDecoder(len(data.WORDS), len(data.DIGITS), 8, 32, n_heads=4, depth=2)
    return which_skip(net, **values)


def _opening(gains):
    """Name the kinds whose gain is not 1."""
    if len(set(gains)) == 1:
        return f"Every skip at {gains[0]:.2f}"
    names = [name for name, *_ in KINDS.values()]
    changed = [f"{n} at {gain:.2f}" for n, gain in zip(names, gains, strict=True) if gain != 1]
    text = ", ".join(changed)
    return text[0].upper() + text[1:]


def _batch(words, digits):
    words, digits = torch.from_numpy(words), torch.from_numpy(digits)
    return torch.cat([words, digits[:, :-1]], 1), digits[:, 1:]


def _labels(number):
    return data.spell(number), [*str(number), "end"]
