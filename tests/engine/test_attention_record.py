"""Recorded attention against the decoder's full forward pass, and what it costs in memory."""

from __future__ import annotations

import pytest
import torch

from longt5 import generation
from longt5.attention_record import AttentionRecord
from tests.parity.generation_cases import models
from tests.parity.reference import padded_batch

pytestmark = pytest.mark.usefixtures("one_thread")
KEY = (1, 40, "transient-global")
SPANS = [[(0, 5), (5, 20), (20, 44)], [(0, 9)], [(3, 3), (0, 25), (10, 12), (24, 25)]]
LENGTHS = (44, 9, 25)
ENDS = list(range(1, 40, 4))


def shares(
    model, state, tokens: list[int], spans, heads: tuple[tuple[int, int], ...] | None
) -> torch.Tensor:
    """[tokens, spans] from the weights of a whole forward pass."""
    with torch.no_grad():
        output = model(
            decoder_input_ids=torch.tensor([[0, *tokens[:-1]]]),
            encoder_outputs=state,
            output_attentions=True,
        )
    weights = torch.stack([output.cross_attentions[layer][0, head] for layer, head in heads])
    return torch.stack([weights.mean(0)[:, a:b].sum(-1) for a, b in spans], -1)


@pytest.mark.parametrize("heads", [None, ((1, 2),), ((0, 0), (1, 0), (1, 2))])
@pytest.mark.parametrize(
    "options",
    [{"num_beams": 4}, {"num_beams": 1}, {"do_sample": True, "num_return_sequences": 3, "seed": 2}],
    ids=["beams", "greedy", "samples"],
)
def test_shares_match_a_forward_pass(
    heads: tuple[tuple[int, int], ...] | None, options: dict
) -> None:
    _, ours = models(KEY)
    states = [ours.encode(padded_batch([n], 40, seed=n)[0]) for n in LENGTHS]
    drafts = list(
        ours.stream(
            encoded=generation.join(states),
            record_attention=True,
            spans=SPANS,
            alignment_heads=heads,
            max_new_tokens=16,
            eos_token_id=ENDS,
            **options,
        )
    )
    every = tuple((layer, head) for layer in (0, 1) for head in range(4))
    for row, (state, spans) in enumerate(zip(states, SPANS, strict=True)):
        mine = [d for d in drafts if d.row == row]
        found = [share for d in mine for share in d.attention]
        committed = 0
        for draft in mine:
            committed += len(draft.attention)
            assert committed == len(draft.committed)
        final = mine[-1].committed
        assert final
        expected = shares(ours, state, final, spans, heads or every)
        assert torch.allclose(torch.tensor(found), expected, atol=1e-5)


def test_a_stopped_stream_returns_the_shares_of_its_tokens() -> None:
    _, ours = models(KEY)
    ids, _ = padded_batch([44], 40)
    clock = iter([False] * 6 + [True] * 9)

    class Stop:
        is_set = staticmethod(lambda: next(clock))

    state = ours.encode(ids)
    *_, last = drafts = list(
        ours.stream(
            encoded=state,
            record_attention=True,
            spans=SPANS[:1],
            num_beams=4,
            max_new_tokens=16,
            min_new_tokens=16,
            stop_event=Stop(),
        )
    )
    found = torch.tensor([share for d in drafts for share in d.attention])
    text = last.committed + last.provisional
    assert last.finish_reason == "stopped" and len(found) == len(text) == 6
    every = tuple((layer, head) for layer in (0, 1) for head in range(4))
    assert torch.allclose(found, shares(ours, state, text, SPANS[0], every), atol=1e-5)


def test_recording_does_not_change_the_drafts() -> None:
    _, ours = models(KEY)
    ids, _ = padded_batch([44], 40)
    options = {"num_beams": 4, "max_new_tokens": 12}
    plain = list(ours.stream(ids, **options))
    watched = list(ours.stream(ids, record_attention=True, spans=SPANS[:1], **options))
    assert [(d.committed, d.provisional, d.finish_reason) for d in plain] == [
        (d.committed, d.provisional, d.finish_reason) for d in watched
    ]
    assert all(d.attention is None for d in plain)


def test_taken_steps_are_freed() -> None:
    record = AttentionRecord([[(0, 3), (3, 6)], [(1, 2)]], [(0, 0)], 2, torch.device("cpu"))
    (watch,) = record.watch().values()
    for _ in range(5):
        watch(torch.full((2, 3, 2, 6), 1 / 6))
        record.end_step()
    assert {tuple(step.shape) for step in record.steps} == {(2, 2, 2)}
    assert record.take(0, [0, 1, 1], last=False) == [pytest.approx([0.5, 0.5])] * 3
    assert all(step is not None for step in record.steps)  # the other source has taken none
    assert record.take(1, [2, 3], last=False) == [pytest.approx([1 / 6])] * 2
    assert [step is None for step in record.steps] == [True, True, False, False, False]
    record.take(1, [], last=True)
    record.take(0, [1], last=False)
    assert [step is None for step in record.steps] == [True, True, True, True, False]


@pytest.mark.parametrize(
    "options,named",
    [
        ({"record_attention": True}, "spans"),
        ({"spans": [[(0, 1)]]}, "record_attention"),
        ({"record_attention": True, "spans": [[], []]}, "2 sources"),
        ({"record_attention": True, "spans": [[(0, 45)]]}, "45"),
        ({"record_attention": True, "spans": [[(0, 4)]], "alignment_heads": [[2, 0]]}, "heads"),
    ],
)
def test_spans_and_heads_must_fit(options: dict, named: str) -> None:
    _, ours = models(KEY)
    with pytest.raises(ValueError, match=named):
        next(ours.stream(padded_batch([44], 40)[0], **options))
