"""Measure for lesson 12 which skips the 2017 transformer misses: `make results ARGS=12`."""

from functools import partial

import torch

from course_utils import data, probes, setup, training, transformers
from course_utils.environment import progress

ENCODER = [["encoder", "attend"], ["encoder", "feed"]]
DECODER = [["decoder", "attend"], ["decoder", "cross"], ["decoder", "feed"]]
SETTINGS = {
    "cut": {  # the skips that are taken away
        "none": [],
        "encoder attention": ENCODER[:1],
        "encoder feed-forward": ENCODER[1:],
        "decoder attention": DECODER[:1],
        "decoder cross-attention": DECODER[1:2],
        "decoder feed-forward": DECODER[2:],
        "all of the decoder": DECODER,
        "all of the encoder": ENCODER,
        "all": ENCODER + DECODER,
    },
    "d_model": 64,
    "n_heads": 4,
    "depth": 2,
    "steps": 300,
    "long": {"cut": ["encoder attention", "all of the encoder", "all"], "steps": 1200},
    "deeper": {
        "cut": [
            "none",
            "encoder attention",
            "encoder feed-forward",
            "decoder attention",
            "decoder cross-attention",
            "decoder feed-forward",
            "all of the decoder",
        ],
        "depths": [4, 6],
        "long": "decoder cross-attention",  # again, at the last depth
        "seeds": [0, 1, 2],
    },
    "told": ["mean", "place", "word"],  # to the memory, where the encoder's attention skips are cut
    "warm_up": 50,
    "learning_rates": [2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3],
    "measured": 20,  # test numbers for the share of the own word
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"exact": 0.15, "own": 0.1, "loss": 0.15}


class Told(transformers.EncoderDecoder):
    """Add one vector to each row of the memory, for exercise 3.

    ``told`` is the mean of the words, the row's own place, its own word, or None.
    """

    told = None

    def encode(self, source):
        """Map tokens to the memory, as `EncoderDecoder` does, and tell it something."""
        memory, scale = super().encode(source), self.d_model**0.5
        words = self.source(source) * scale
        if self.told == "mean":
            real = (source != data.PAD).unsqueeze(-1)
            return memory + (words * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)
        if self.told == "place":
            return memory + transformers.sinusoids(source.shape[1], self.d_model).to(memory)
        return memory + words if self.told == "word" else memory


def build(cut, settings, told=None):
    """Build the encoder-decoder of 2017 without some of its skips.

    Parameters
    ----------
    cut : list of [str, str]
        Part and sublayer of each kind of skip that is taken away.
    settings : dict
    told : {"mean", "place", "word"}, optional
        What is added to the memory.

    Returns
    -------
    EncoderDecoder
    """
    net = Told(
        len(data.WORDS),
        len(data.DIGITS),
        source_seq=8,
        d_model=settings["d_model"],
        n_heads=settings["n_heads"],
        depth=settings["depth"],
    )
    net.told = told
    for part, sublayer in cut:
        transformers.cut_skips(getattr(net, part), sublayer)
    return net


def train(cut, steps, settings, told=None) -> dict:
    """Train one net at the rate that suits it best.

    Parameters
    ----------
    cut : list of [str, str]
    steps : int
    settings : dict
    told : str, optional

    Returns
    -------
    dict
        For each seed ``exact``, the share of the test numbers that are written without a
        mistake, ``own``, how much a row of the memory holds of its own word, and the last
        ``loss``; and the ``learning_rate``.
    """
    numbers, runs = data.numbers(), {}
    words = torch.from_numpy(numbers.words_test)
    digits = torch.from_numpy(numbers.digits_test)

    def score(rate):
        runs[rate] = training.fit(
            lambda: build(cut, settings, told),
            data.numbers_task(64),
            steps=steps,
            learning_rates=(rate,),
            seeds=settings["seeds"],
            loss=partial(training.cross_entropy, ignore=data.PAD),
            warmup=settings["warm_up"],
        )
        return -runs[rate].loss[-20:, 0].mean(0)

    rate, scores = training.at_best_rate(score, settings["learning_rates"])
    nets = [runs[rate].model(0, place).eval() for place in range(len(settings["seeds"]))]
    written = [net.write(words, data.START, data.END, 6) for net in nets]
    measured = words[: settings["measured"]]
    return {
        "exact": [(w == digits).all(1).float().mean().item() for w in written],
        "own": [probes.own_share(net, measured).mean().item() for net in nets],
        "loss": (-scores).tolist(),
        "learning_rate": rate,
    }


def measure(settings) -> dict:
    """Train all nets.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        A dict of `train` for each way to take skips away; some again, with more steps, with
        more blocks on each side, or with a memory that is told something.
    """
    setup(seed=0)
    steps, long, deeper = settings["steps"], settings["long"], settings["deeper"]
    jobs = {name: (name, steps, settings) for name in settings["cut"]}
    cut = "encoder attention"
    jobs |= {f"{cut}, {told} told": (cut, steps, settings, told) for told in settings["told"]}
    jobs |= {
        f"{name}, {long['steps']} steps": (name, long["steps"], settings) for name in long["cut"]
    }
    for depth in deeper["depths"]:
        other = settings | {"depth": depth, "seeds": deeper["seeds"]}
        jobs |= {f"{name}, {depth} blocks": (name, steps, other) for name in deeper["cut"]}
    key = f"{deeper['long']}, {depth} blocks, {long['steps']} steps"
    jobs[key] = (deeper["long"], long["steps"], other)
    return {
        key: train(settings["cut"][name], *how)
        for key, (name, *how) in progress(jobs.items(), "nets of lesson 12")
    }
