"""The processors of a decode, in transformers' order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import logits_processors as rules
from .generation_config import GenerationConfig, as_ids
from .logits_processors import Processor
from .sampling import build_warpers


def build_processors(
    config: GenerationConfig,
    source: Tensor | None,
    rows: int,
    vocab: int,
    start: int,
    eos: Sequence[int],
    device: torch.device,
    extra: Sequence[Processor] = (),
) -> list[Processor]:
    """Return the processors of a ``config``, in transformers' order.

    ``extra``: the caller's own, which come before those of sampling.
    """
    c = config
    processors = _source_rules(c, source, rows, vocab, start, device)
    if c.bad_words_ids:
        processors.append(rules.BadWords(c.bad_words_ids, rows, start, eos, vocab))
    if c.shortest > 0:
        processors.append(rules.MinLength(c.shortest, eos))
    if c.forced_bos_token_id is not None:
        processors.append(rules.Forced(1, [c.forced_bos_token_id]))
    if c.forced_eos_token_id is not None:
        processors.append(rules.Forced(c.longest - 1, as_ids(c.forced_eos_token_id)))
    if c.remove_invalid_values:
        processors.append(rules.RemoveInvalidValues())
    if c.exponential_decay_length_penalty is not None:
        begin, factor = c.exponential_decay_length_penalty
        processors.append(rules.ExponentialDecayLengthPenalty(begin, factor, eos))
    if c.suppress_tokens:
        processors.append(rules.SuppressTokens(c.suppress_tokens, vocab))
    if c.begin_suppress_tokens:
        first = 1 if c.forced_bos_token_id is None else 2
        processors.append(rules.BeginSuppressTokens(c.begin_suppress_tokens, first, vocab))
    processors += extra
    if c.do_sample:
        processors += build_warpers(c, at_least=1 if c.num_beams == 1 else len(eos) + 1)
    if c.renormalize_logits:
        processors.append(rules.Renormalize())
    return processors


def _source_rules(
    c: GenerationConfig,
    source: Tensor | None,
    rows: int,
    vocab: int,
    start: int,
    device: torch.device,
) -> list[Processor]:
    """Return the rules about sequences and repetition, in the row and of the ``source`` [B, S]."""
    beams = c.rows_per_source
    found: list[Processor] = []
    if c.sequence_bias:
        found.append(rules.SequenceBias(c.sequence_bias, rows, start, vocab, device))
    if source is not None and c.encoder_repetition_penalty != 1.0:
        penalty = c.encoder_repetition_penalty
        found.append(rules.EncoderRepetitionPenalty(penalty, source, beams))
    if c.repetition_penalty != 1.0:
        found.append(rules.RepetitionPenalty(c.repetition_penalty, rows, start, device))
    if c.no_repeat_ngram_size:
        found.append(rules.NoRepeatNgram(c.no_repeat_ngram_size, rows, start))
    if source is not None and c.encoder_no_repeat_ngram_size:
        size = c.encoder_no_repeat_ngram_size
        found.append(rules.EncoderNoRepeatNgram(size, source, beams, start))
    return found
