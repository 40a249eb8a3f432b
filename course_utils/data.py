"""Hand out the course's data. Everything ships with the package; nothing is downloaded."""

import json
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Digits:
    """Hold the handwritten digits, split once and for all.

    Attributes
    ----------
    x_train, x_test : ndarray, shape (1437, 64) and (360, 64), float32
        Pixels, shifted and scaled to mean 0 and variance 1 over the training set.
    y_train, y_test : ndarray, shape (1437,) and (360,), int64
        0 to 9.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def digits() -> Digits:
    """Load 1797 handwritten digits of 8×8 pixels.

    Returns
    -------
    Digits
        The same split for every seed, so that seeds vary the network alone.

    References
    ----------
    Alpaydin and Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI.
    First used in notebooks/01_residual_block.ipynb.

    Examples
    --------
    >>> d = digits()
    >>> d.x_train.shape, d.y_test.shape, d.y_train.max()
    ((1437, 64), (360,), np.int64(9))
    """
    with as_file(files("course_utils") / "datasets" / "digits.npz") as file, np.load(file) as raw:
        x, y = raw["images"].reshape(-1, 64).astype(np.float32), raw["labels"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    x, y, train = x[order], y[order], 1437
    x = (x - x[:train].mean()) / x[:train].std()
    return Digits(x[:train], y[:train], x[train:], y[train:])


def results(lesson) -> dict:
    """Read what was measured for a lesson whose minute it does not fit in.

    Parameters
    ----------
    lesson : str
        Its number, such as ``"04"``.

    Returns
    -------
    dict
        ``script``, its ``sha256``, ``settings`` with the seeds, ``versions``, and ``results``:
        nested dicts and lists of numbers. Taken from the folder ``results`` beside the
        notebook or else from the course's own. With `COURSE_SEED` the seeds are drawn again,
        with replacement, from those that are stored: as far as they can tell, another
        measurement.

    Raises
    ------
    FileNotFoundError
        If nothing is stored for this lesson.

    References
    ----------
    Written by ``make results``. First used in notebooks/04_trainable_depth.ipynb.

    Examples
    --------
    >>> results("04")["settings"]["seeds"]
    [0, 1, 2, 3, 4]
    """
    from course_utils.environment import course_seed  # in grading's sandbox data stand alone

    course = Path(__file__).resolve().parents[1] / "notebooks"
    for folder in (Path.cwd(), course):
        file = folder / "results" / f"{lesson}.json"
        if file.is_file():
            record = json.loads(file.read_text(encoding="utf-8"))
            if course_seed():
                seeds = len(record["settings"]["seeds"])
                drawn = np.random.default_rng([course_seed(), 0]).integers(seeds, size=seeds)
                record["results"] = _drawn_again(record["results"], drawn)
            return record
    raise FileNotFoundError(
        f"nothing is stored for lesson {lesson!r} in the folder results of {Path.cwd()} or of "
        f"{course}: `make results ARGS={lesson}` measures it"
    )


def _drawn_again(value, drawn):
    """Put other seeds in the place of a result's: the same ones in every list of that length."""
    if isinstance(value, dict):
        return {key: _drawn_again(part, drawn) for key, part in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        return [_drawn_again(part, drawn) for part in value]
    if isinstance(value, list) and len(value) == len(drawn):
        return [value[place] for place in drawn]
    return value


def digits_task(batch=128):
    """Make a task of the training digits: random batches of pixels and labels.

    Parameters
    ----------
    batch : int

    Returns
    -------
    callable
        Maps a `torch.Generator` to x, shape (batch, 64), and y, shape (batch,), int64, as
        `training.fit` wants it.

    Examples
    --------
    >>> import torch
    >>> x, y = digits_task(32)(torch.Generator().manual_seed(0))
    >>> x.shape, y.shape
    (torch.Size([32, 64]), torch.Size([32]))
    """
    import torch  # here, so that the NumPy lessons need not wait for it

    d = digits()
    x, y = torch.from_numpy(d.x_train), torch.from_numpy(d.y_train)

    def draw(generator):
        chosen = torch.randint(len(x), (batch,), generator=generator)
        return x[chosen], y[chosen]

    return draw


def reversal_task(batch=32, tokens=8, seq=8):
    """Make a task that only a look at another position solves: say a sequence backwards.

    Parameters
    ----------
    batch : int
    tokens : int
        How many different ones there are.
    seq : int
        Length of each sequence.

    Returns
    -------
    callable
        Maps a `torch.Generator` to x and y, both of shape (batch, seq), int64, as
        `training.fit` wants it.

    References
    ----------
    First used in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> import torch
    >>> x, y = reversal_task(2)(torch.Generator().manual_seed(0))
    >>> x.shape, torch.equal(y, x.flip(1))
    (torch.Size([2, 8]), True)
    """
    import torch  # here, so that the NumPy lessons need not wait for it

    def draw(generator):
        x = torch.randint(tokens, (batch, seq), generator=generator)
        return x, x.flip(1)

    return draw


def lookback_task(distance, batch=32, tokens=8, seq=32, asked=8):
    """Make a task of one look, far or near: say the token that stood `distance` places before.

    Parameters
    ----------
    distance : int
        At most ``seq - asked``.
    batch : int
    tokens : int
        How many different ones there are.
    seq : int
        Length of each sequence.
    asked : int
        How many places are to answer: the last ones, the same for each distance.

    Returns
    -------
    callable
        Maps a `torch.Generator` to x, shape (batch, seq), and y, shape (batch, asked), int64,
        as `training.fit` wants it.

    Raises
    ------
    ValueError
        If one of the places asked would look to before the start.

    References
    ----------
    Used in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> import torch
    >>> x, y = lookback_task(3)(torch.Generator().manual_seed(0))
    >>> torch.equal(y, x[:, 21:29])
    True
    """
    if not 0 <= distance <= seq - asked:
        raise ValueError(f"distance must be between 0 and {seq} - {asked}, got {distance}")

    import torch  # here, so that the NumPy lessons need not wait for it

    def draw(generator):
        x = torch.randint(tokens, (batch, seq), generator=generator)
        return x, x[:, seq - asked - distance : seq - distance]

    return draw


def hops_task(hops, batch=64, seq=8):
    """Make a task of several looks in a row: follow pointers.

    The places hold their own numbers, each once, shuffled: a place points to the one whose number
    it holds, which may be itself. At each place the number is asked for at which one arrives after
    `hops` steps from pointer to pointer.

    Parameters
    ----------
    hops : int
        With 1 the answer stands at the place itself.
    batch : int
    seq : int
        Length of each sequence, and how many tokens there are.

    Returns
    -------
    callable
        Maps a `torch.Generator` to x and y, both of shape (batch, seq), int64, as
        `training.fit` wants it.

    References
    ----------
    Used in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> import torch
    >>> x, y = hops_task(2, batch=1, seq=4)(torch.Generator().manual_seed(1))
    >>> x, y
    (tensor([[1, 2, 3, 0]]), tensor([[2, 3, 0, 1]]))
    """
    import torch  # here, so that the NumPy lessons need not wait for it

    def draw(generator):
        x = torch.rand(batch, seq, generator=generator).argsort(1)
        y = x
        for _ in range(hops - 1):
            y = x.gather(1, y)
        return x, y

    return draw


_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
ONES, TENS = _SMALL.split(), _TENS.split()
PAD, START, END = 0, 1, 2  # the first tokens of both vocabularies
WORDS = ("<pad>", "<start>", "<end>", *ONES, *TENS, "hundred", "and", "thousand")
DIGITS = ("<pad>", "<start>", "<end>", *"0123456789")


def spell(number) -> list:
    """Say a number in English words.

    Parameters
    ----------
    number : int
        From 0 to 99,999.

    Returns
    -------
    list of str
        At most eight, all of them in `WORDS`.

    Raises
    ------
    ValueError
        If the number is out of that range.

    Examples
    --------
    >>> " ".join(spell(40_318))
    'forty thousand three hundred and eighteen'
    """
    if not 0 <= number < 100_000:
        raise ValueError(f"numbers from 0 to 99999 are spelled, got {number}")
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10 - 2], *(spell(number % 10) if number % 10 else [])]
    size, name, link = (1000, "thousand", []) if number >= 1000 else (100, "hundred", ["and"])
    rest = [*link, *spell(number % size)] if number % size else []
    return [*spell(number // size), name, *rest]


def number_tokens(number):
    """Write a number as words and as digits, in places of `WORDS` and of `DIGITS`.

    Parameters
    ----------
    number : int
        From 0 to 99,999.

    Returns
    -------
    words, digits : ndarray, shapes (8,) and (7,), int64
        Padded at the end; the digits have a start and an end.

    Raises
    ------
    ValueError
        If the number is out of that range.

    Examples
    --------
    >>> number_tokens(12)
    (array([15,  0,  0,  0,  0,  0,  0,  0]), array([1, 4, 5, 2, 0, 0, 0]))
    """
    words, digits = np.full(8, PAD), np.full(7, PAD)
    said = [WORDS.index(word) for word in spell(number)]
    written = [START, *(DIGITS.index(digit) for digit in str(number)), END]
    words[: len(said)], digits[: len(written)] = said, written
    return words, digits


@dataclass(frozen=True)
class Numbers:
    """Hold numbers as words and as digits, split once and for all.

    Attributes
    ----------
    words_train, words_test : ndarray, shape (5600, 8) and (400, 8), int64
        Places in `WORDS`, padded at the end.
    digits_train, digits_test : ndarray, shape (5600, 7) and (400, 7), int64
        Places in `DIGITS`: a start, up to five digits, an end, padding.
    """

    words_train: np.ndarray
    digits_train: np.ndarray
    words_test: np.ndarray
    digits_test: np.ndarray


def numbers() -> Numbers:
    """Draw 6000 different numbers below 100,000, as words and as digits.

    Returns
    -------
    Numbers
        The same for every seed.

    References
    ----------
    First used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> n = numbers()
    >>> " ".join(WORDS[i] for i in n.words_test[0] if i)
    'fifty eight thousand seven hundred and fifty one'
    >>> [DIGITS[i] for i in n.digits_test[0]]
    ['<start>', '5', '8', '7', '5', '1', '<end>']
    """
    drawn = np.random.default_rng(0).choice(100_000, 6000, replace=False)
    words, digits = np.empty((6000, 8), np.int64), np.empty((6000, 7), np.int64)
    for row, number in enumerate(drawn.tolist()):
        words[row], digits[row] = number_tokens(number)
    return Numbers(words[:5600], digits[:5600], words[5600:], digits[5600:])


def numbers_task(batch=64):
    """Make a task of the training numbers: from words, and the digits so far, to the next digit.

    Parameters
    ----------
    batch : int

    Returns
    -------
    callable
        Maps a `torch.Generator` to x, shape (batch, 8 + 6), words and digits without the last
        side by side, and y, shape (batch, 6), digits without the first, as `training.fit`
        wants it. Both int64, `PAD` where a number is over.

    References
    ----------
    First used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> import torch
    >>> x, y = numbers_task(2)(torch.Generator().manual_seed(0))
    >>> x.shape, torch.equal(x[:, 9:], y[:, :-1])
    (torch.Size([2, 14]), True)
    """
    import torch  # here, so that the NumPy lessons need not wait for it

    n = numbers()
    words, digits = torch.from_numpy(n.words_train), torch.from_numpy(n.digits_train)

    def draw(generator):
        chosen = torch.randint(len(words), (batch,), generator=generator)
        return torch.cat([words[chosen], digits[chosen, :-1]], 1), digits[chosen, 1:]

    return draw


def linear_task(target, batch=64):
    """Make a task without end: normal inputs x, answers x @ target.

    Parameters
    ----------
    target : Tensor, shape (d_in, d_out)
    batch : int

    Returns
    -------
    callable
        Maps a `torch.Generator` to x, shape (batch, d_in), and y, shape (batch, d_out), as
        `training.fit` wants it.

    Examples
    --------
    >>> import torch
    >>> x, y = linear_task(torch.eye(3))(torch.Generator().manual_seed(0))
    >>> x.shape, torch.equal(x, y)
    (torch.Size([64, 3]), True)
    """
    import torch  # here, so that the NumPy lessons need not wait for it

    def draw(generator):
        x = torch.randn(batch, len(target), generator=generator)
        return x, x @ target

    return draw


def rotation(width, angle, seed=0) -> np.ndarray:
    """Draw a rotation of `width`-dimensional space that turns every vector by `angle`.

    Parameters
    ----------
    width : int
        Even.
    angle : float
        In radians; 0 gives the identity, π gives −x.
    seed : int
        Draws the planes in which it turns.

    Returns
    -------
    ndarray, shape (width, width), float32
        R with R Rᵀ = I; rows of a batch x are turned by x @ R.

    Raises
    ------
    ValueError
        If `width` is odd.

    Examples
    --------
    >>> R = rotation(4, 0.5)
    >>> x = np.ones(4) / 2
    >>> round(float(np.arccos(x @ R @ x)), 3)
    0.5
    """
    if width % 2:
        raise ValueError(f"a rotation of every vector needs an even width, got {width}")
    planes, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    blocks = np.kron(np.eye(width // 2), turn)
    return (planes @ blocks @ planes.T).astype(np.float32)
