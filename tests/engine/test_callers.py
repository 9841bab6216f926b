"""The engine in a caller's program: its default dtype, its autocast, its mode, its compiler."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from longt5 import LongT5ForConditionalGeneration
from longt5.kernels import linear, native, select
from tests.parity.reference import padded_batch, pair

# A shape that the compiled kernels compute.
SHAPE = {"d_model": 64, "d_kv": 16, "num_heads": 4, "d_ff": 64}
IDS, MASK = padded_batch([150, 90], 96)
SPANS = [[(0, 60), (60, 150)], [(0, 90)]]


@contextmanager
def default_dtype(kind: torch.dtype) -> Iterator[None]:
    """Set torch's default dtype for new tensors."""
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def search(model) -> list[torch.Tensor]:
    """Return sequences, scores and attention of a search: all outputs of the compiled kernels."""
    options = {"num_beams": 3, "max_new_tokens": 8}
    output = model.generate(IDS, MASK, **options)
    drafts = model.stream(IDS, MASK, record_attention=True, spans=SPANS, **options)
    shares = [share for draft in drafts for token in draft.attention for share in token]
    return [output.sequences, output.sequences_scores, torch.tensor(shares, dtype=torch.float32)]


def trained(model) -> list[torch.Tensor]:
    """Return encoder states with dropout."""
    torch.manual_seed(0)
    return [model.train()(IDS, MASK, labels=IDS[:, :7]).encoder_last_hidden_state]


def checked(model) -> list[torch.Tensor]:
    """Return which kernels pass their check."""
    return [
        torch.tensor(
            [
                row.passed
                for row in select.compare_all(torch.device("cpu"), LongT5ForConditionalGeneration)
            ]
        )
    ]


def same(got: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("outcome", [search, trained, checked])
def test_the_default_dtype_changes_nothing(outcome) -> None:
    expected = outcome(pair(scale=3.0, dropout_rate=0.5, **SHAPE)[1])
    for kind in (torch.bfloat16, torch.float16, torch.float64):
        _, ours = pair(scale=3.0, dropout_rate=0.5, **SHAPE)
        with default_dtype(kind):
            got = outcome(ours)
        same(got, expected)


@pytest.mark.parametrize("onednn", [True, False])
def test_autocast_changes_no_search_on_the_cpu(
    onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where oneDNN does not multiply float32 (AVX2 alone), autocast reaches the products."""
    if not onednn:
        monkeypatch.setattr(linear, "uses_onednn", lambda *_: False)
    _, ours = pair(scale=3.0, **SHAPE)
    encoded = ours.encode(IDS, MASK)
    options = {"num_beams": 18, "max_new_tokens": 8}  # more rows than thin products take
    expected = ours.generate(encoded=encoded, **options)
    with torch.autocast("cpu", torch.bfloat16):
        got = ours.generate(encoded=encoded, **options)
    assert torch.equal(got.sequences, expected.sequences)
    torch.testing.assert_close(got.sequences_scores, expected.sequences_scores)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("joined", [None, False])
def test_decode_steps_have_no_dropout_in_any_mode(kind: torch.dtype, joined: bool | None) -> None:
    """The compiled step never had any; the others dropped some of what training drops."""
    _, ours = pair(scale=3.0, dropout_rate=0.5, **SHAPE)
    ours = ours.to(kind)
    encoded = ours.encode(IDS, MASK)

    def logits() -> torch.Tensor:
        cache = ours.init_cache(encoded, 1, 4, joined=joined)
        return ours.decode_step(torch.tensor([0, 0]), cache)

    expected = logits()
    ours.train()
    assert torch.equal(logits(), expected)


@pytest.mark.skipif(native.library() is None, reason="there is no C++ compiler")
@pytest.mark.skipif(
    "ATEN_CPU_CAPABILITY" in os.environ, reason="torch's compiler looks past it, and crashes"
)
@torch.no_grad()
def test_a_compiled_model_gives_the_same_results() -> None:
    """Within torch.compile nothing works in place and no kernel of ours is called."""
    _, ours = pair(num_layers=1, num_decoder_layers=1, **SHAPE)
    expected = ours(IDS, MASK, IDS[:, :7]).logits  # and all that is chosen once is chosen
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the compiler says of what it leaves alone
        got = torch.compile(ours, backend="aot_eager")(IDS, MASK, IDS[:, :7]).logits
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("where", ["encoder", "decoder"])
def test_a_search_refuses_wrapped_matrices(where) -> None:
    class Adapted(torch.nn.Module):
        """An adapter as peft wraps a matrix in."""

        def __init__(self, base) -> None:
            super().__init__()
            self.base, self.weight = base, base.weight

        def forward(self, x):
            return self.base(x) + 1.0

    _, ours = pair(scale=3.0, **SHAPE)
    attention = next(m for n, m in ours.named_modules() if n.startswith(where) and hasattr(m, "q"))
    attention.q = Adapted(attention.q)
    with pytest.raises(TypeError, match=rf"{where}.*q is of the type Adapted, .* merge"):
        ours.generate(IDS, MASK, max_new_tokens=3)
    attention.q = torch.nn.utils.parametrizations.weight_norm(attention.q.base)
    ours.generate(IDS, MASK, max_new_tokens=3)
