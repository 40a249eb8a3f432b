import copy
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import data, training
from course_utils.data import reversal_task
from course_utils.transformers import (
    EncoderDecoder,
    PostNormBlock,
    PreNormBlock,
    ReZeroBlock,
    TokenNet,
    causal_mask,
    copy_torch,
    cut_skips,
    sinusoids,
)
from course_utils.wiring import Wiring
from tests.transformers import close, draw, randomised

BLOCKS = {"pre": PreNormBlock, "post": PostNormBlock, "ReZero": ReZeroBlock}


def small(kind):
    def make():
        blocks = [BLOCKS[kind](16, 2, 32) for _ in range(2)]
        return TokenNet(blocks, 6, 4, 16, norm=nn.LayerNorm if kind == "pre" else None)

    return make


@pytest.mark.slow  # two seconds each
@pytest.mark.parametrize("kind", BLOCKS)
def test_fit_trains_a_small_one_until_it_says_sequences_backwards(kind):
    run = training.fit(
        small(kind), reversal_task(32, tokens=6, seq=4), steps=120, learning_rates=(3e-3,),
        loss=training.cross_entropy, measure=training.accuracy,
    )  # fmt: skip
    assert run.measured[0].max() < 0.5
    assert run.measured[-10:].mean() > 0.95


def test_a_copy_in_fit_is_trained_as_if_it_were_alone():
    draw = reversal_task(8, tokens=6, seq=4)
    run = training.fit(
        small("pre"), draw, steps=5, learning_rates=(1e-3, 1e-2), loss=training.cross_entropy
    )
    torch.manual_seed(2)
    net, generator = small("pre")(), torch.Generator().manual_seed(training.BATCH_SEED + 2)
    adam = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(5):
        x, y = draw(generator)
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
        np.testing.assert_allclose(run.loss[step, 1, 2], loss.item(), rtol=1e-4)
        adam.zero_grad()
        loss.backward()
        adam.step()


def test_without_positions_a_net_cannot_tell_first_from_last():
    net, x = small("pre")(), torch.tensor([[0, 1, 2, 3]])
    with torch.no_grad():
        net.position.zero_()
    assert torch.allclose(net(x).flip(1), net(x.flip(1)), atol=1e-5)
    assert not torch.allclose(small("pre")()(x).flip(1), small("pre")()(x.flip(1)), atol=1e-2)


def test_sinusoids_are_those_of_the_paper():
    table = sinusoids(50, 12).double()
    for p in (0, 1, 7, 49):
        for i in range(6):
            angle = torch.tensor(p / 10_000 ** (2 * i / 12), dtype=torch.double)
            expected = torch.stack([angle.sin(), angle.cos()])
            assert torch.allclose(table[p, 2 * i : 2 * i + 2], expected, atol=1e-5)
    with pytest.raises(ValueError, match="got d_model=5"):
        sinusoids(3, 5)


@settings(max_examples=30, deadline=None)
@given(p=st.integers(0, 40), q=st.integers(0, 40), shift=st.integers(0, 40))
def test_how_alike_two_positions_are_depends_on_their_distance_alone(p, q, shift):
    table = sinusoids(81, 16)
    assert torch.allclose(table[p] @ table[q], table[p + shift] @ table[q + shift], atol=1e-4)


POST, PRE = Wiring(norm="post"), Wiring(norm="pre")
NO_SKIP = Wiring(a=0, norm="post")
SOURCE = torch.tensor([[3, 4, 5, 6, 2], [7, 3, 2, 0, 0], [4, 0, 0, 0, 0]])
TARGET = torch.tensor([[1, 4, 5, 6], [1, 7, 2, 0], [1, 3, 3, 2]])
X = torch.cat([SOURCE, TARGET], 1)


def translator(encoder=POST, decoder=POST, seed=0):
    torch.manual_seed(seed)
    net = EncoderDecoder(8, 9, 5, 6, n_heads=3, depth=2, d_ff=10, encoder=encoder, decoder=decoder)
    return randomised(net, seed)


def torchs_translator(net, first):
    """The same net of torch's own stacks, with other weights."""
    options = {"dropout": 0, "batch_first": True, "norm_first": first}
    norms = [nn.LayerNorm(6) if first else None for _ in range(2)]
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 3, 10, **options), 2, norms[0], enable_nested_tensor=False
    )
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 3, 10, **options), 2, norms[1])
    return randomised(encoder, 1), randomised(decoder, 2)


def copy_stacks(net, encoder, decoder):
    for mine, theirs in ((net.encoder, encoder), (net.decoder, decoder)):
        for block, layer in zip(mine, theirs.layers, strict=True):
            copy_torch(block, layer)
    for mine, theirs in ((net.encoder_norm, encoder.norm), (net.decoder_norm, decoder.norm)):
        if theirs is not None:
            mine.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("first", [False, True], ids=["post", "pre"])
def test_an_encoder_decoder_equals_torchs_stacks_with_every_gradient(first):
    net = translator(*[PRE if first else POST] * 2)
    encoder, decoder = torchs_translator(net, first)
    copy_stacks(net, encoder, decoder)
    padding = SOURCE == 0
    embedded = [
        (table(tokens) * 6**0.5 + sinusoids(tokens.shape[1], 6)).detach()
        for table, tokens in ((net.source, SOURCE), (net.target, TARGET))
    ]
    memory = encoder(embedded[0], src_key_padding_mask=padding)
    stream = decoder(embedded[1], memory, tgt_mask=~causal_mask(4), memory_key_padding_mask=padding)
    out, expected, dout = net(X), net.head(stream), draw(3, 3, 4, 9)
    assert close(out, expected)
    stacks = [*net.encoder, *net.decoder, net.encoder_norm, net.decoder_norm]
    mine = [p for stack in stacks for p in stack.parameters()]
    gradients = torch.autograd.grad(out, mine, dout)
    (expected * dout).sum().backward()
    with torch.no_grad():
        for parameter in (*encoder.parameters(), *decoder.parameters()):
            parameter.copy_(parameter.grad)
    wanted = copy.deepcopy(net)
    copy_stacks(wanted, encoder, decoder)  # torch's gradients, in the places of our weights
    stacks = [*wanted.encoder, *wanted.decoder, wanted.encoder_norm, wanted.decoder_norm]
    for got, theirs in zip(gradients, (p for s in stacks for p in s.parameters()), strict=True):
        assert close(got, theirs, 1e-9)


WIRINGS = pytest.mark.parametrize(
    ("encoder", "decoder"),
    [(POST, POST), (PRE, PRE), (NO_SKIP, POST), (POST, NO_SKIP), (NO_SKIP, NO_SKIP)],
)


@WIRINGS
def test_what_comes_later_changes_no_earlier_logits(encoder, decoder):
    net, changed = translator(encoder, decoder), X.clone()
    changed[:, 5 + 2] = 8
    before, after = net(X), net(changed)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:])


@WIRINGS
def test_padding_of_the_source_changes_nothing(encoder, decoder):
    net = translator(encoder, decoder)
    short = SOURCE[1:2, :3]
    expected = net.decode(TARGET[1:2], net.encode(short), short)
    assert close(net(X[1:2]), expected)
    assert close(net(X[1:2]), net(X)[1:2])


def test_the_source_reaches_the_output():
    net, changed = translator(), X.clone()
    changed[0, 4] = 7
    assert not torch.allclose(net(X)[0], net(changed)[0])
    assert close(net(X)[1:], net(changed)[1:])


def test_the_switches_take_away_the_skips_they_name():
    net = translator(NO_SKIP, POST)
    assert {b.attend.wiring for b in net.encoder} | {b.feed.wiring for b in net.encoder} == {
        NO_SKIP
    }
    assert {b.cross.wiring for b in net.decoder} == {POST}
    cut_skips(net.decoder, "cross", "feed")
    assert {b.cross.wiring for b in net.decoder} | {b.feed.wiring for b in net.decoder} == {NO_SKIP}
    assert {b.attend.wiring for b in net.decoder} == {POST}
    same = translator(NO_SKIP, NO_SKIP)
    cut_skips(net.decoder, "attend")
    assert torch.equal(net(X), same(X))


def test_it_writes_the_likeliest_token_and_padding_after_the_end():
    net = translator()
    written = net.write(SOURCE, start=1, end=2, steps=6)
    assert written.shape == (3, 7)
    assert (written[:, 0] == 1).all()
    for row, source in zip(written, SOURCE, strict=True):
        over = False
        for i in range(1, 7):
            logits = net(torch.cat([source, row[:i]])[None])[0, -1]
            assert row[i] == (0 if over else logits.argmax())
            over = over or row[i].item() in (0, 2)


def test_fit_teaches_it_to_copy():
    def draw_batch(generator):
        digits = torch.randint(3, 8, (32, 3), generator=generator)
        start, end = torch.full((32, 1), 1), torch.full((32, 1), 2)
        return torch.cat([digits, start, digits], 1), torch.cat([digits, end], 1)

    run = training.fit(
        lambda: EncoderDecoder(8, 8, 3, 16, n_heads=2, depth=1),
        draw_batch,
        steps=200,
        learning_rates=(3e-3,),
        loss=partial(training.cross_entropy, ignore=0),
        measure=training.accuracy,
        until=0.97,
    )
    assert (run.steps_to(0.97) < 200).all()
    net, source = run.model(0), torch.tensor([[5, 3, 7], [4, 4, 6]])
    assert net.write(source, 1, 2, 4)[:, 1:-1].tolist() == source.tolist()


def test_the_vocabularies_of_the_numbers_fit():
    net = EncoderDecoder(len(data.WORDS), len(data.DIGITS), 8, 16, n_heads=4, depth=1)
    x, y = data.numbers_task(4)(torch.Generator().manual_seed(0))
    assert net(x).shape == (*y.shape, len(data.DIGITS))
