import numpy as np
import pytest
import torch

from course_utils import data


def test_the_digits_are_all_there_and_scaled_by_the_training_set():
    d = data.digits()
    assert len(d.x_train) + len(d.x_test) == 1797
    assert abs(d.x_train.mean()) < 1e-6
    assert abs(d.x_train.std() - 1) < 1e-6
    assert np.bincount(d.y_train).min() >= 130
    assert np.array_equal(d.x_test, data.digits().x_test)


@pytest.mark.parametrize("angle", [0.0, 0.25, 1.5, np.pi])
def test_a_rotation_turns_every_vector_by_the_same_angle(angle):
    R = data.rotation(6, angle).astype(float)
    assert np.allclose(R @ R.T, np.eye(6), atol=1e-6)
    x = np.random.default_rng(0).normal(size=(5, 6))
    cosine = ((x @ R) * x).sum(1) / (x**2).sum(1)
    assert np.allclose(cosine, np.cos(angle), atol=1e-6)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="got 5"):
        data.rotation(5, 1.0)


def test_a_reversed_sequence_is_the_answer():
    draw = data.reversal_task(16, tokens=3, seq=5)
    x, y = draw(torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (16, 5)
    assert torch.equal(y.flip(1), x)
    assert x.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (85, "eighty five"),
        (100, "one hundred"),
        (707, "seven hundred and seven"),
        (1005, "one thousand five"),
        (20_000, "twenty thousand"),
        (99_999, "ninety nine thousand nine hundred and ninety nine"),
    ],
)
def test_numbers_are_spelled(number, words):
    assert " ".join(data.spell(number)) == words


def test_no_two_numbers_are_spelled_alike():
    spelled = [tuple(data.spell(number)) for number in range(0, 100_000, 7)]
    assert len(set(spelled)) == len(spelled)
    assert max(map(len, spelled)) == 8
    assert {word for words in spelled for word in words} == set(data.WORDS[3:])


@pytest.mark.parametrize("number", [-1, 100_000])
def test_other_numbers_are_refused(number):
    with pytest.raises(ValueError, match=f"got {number}"):
        data.spell(number)


def test_words_and_digits_say_the_same_and_no_number_is_in_both_parts():
    n, read = data.numbers(), {}
    for part in ("train", "test"):
        words, digits = getattr(n, f"words_{part}"), getattr(n, f"digits_{part}")
        read[part] = [int("".join(data.DIGITS[i] for i in row if i > data.END)) for row in digits]
        for row, number in zip(words, read[part], strict=True):
            assert [data.WORDS[i] for i in row if i != data.PAD] == data.spell(number)
        assert (digits[:, 0] == data.START).all()
        assert ((digits == data.END).sum(1) == 1).all()
    assert len(set(read["train"]) | set(read["test"])) == 6000


def test_the_next_digit_is_the_answer():
    x, y = data.numbers_task(32)(torch.Generator().manual_seed(0))
    assert x.shape == (32, 14)
    assert y.shape == (32, 6)
    assert torch.equal(x[:, 9:], y[:, :-1])
    assert (x[:, 8] == data.START).all()


def test_hops_follow_pointers_one_by_one():
    for hops in (1, 3):
        x, y = data.hops_task(hops, batch=4, seq=6)(torch.Generator().manual_seed(0))
        assert (x.sort(1).values == torch.arange(6)).all()
        for row, answers in zip(x.tolist(), y.tolist(), strict=True):
            for place, answer in enumerate(answers):
                for _ in range(hops):
                    place = row[place]
                assert place == answer


def test_looking_back_asks_the_last_places_for_what_stood_so_far_before():
    draw = data.lookback_task(5, batch=3, seq=12, asked=4)
    x, y = draw(torch.Generator().manual_seed(0))
    assert x.shape == (3, 12)
    for place in range(4):
        assert torch.equal(y[:, place], x[:, 8 + place - 5])
    with pytest.raises(ValueError, match="between 0 and 12 - 4, got 9"):
        data.lookback_task(9, seq=12, asked=4)
