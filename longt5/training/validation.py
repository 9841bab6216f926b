"""Validation during training: loss, and ROUGE of generated texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..text.overlap import rouge_n
from ..text.salience import Salience
from ..text.words import words_of
from .batches import collate, load_salience
from .corpus import Record
from .examples import OBJECTIVES, Limits
from .objectives import Example
from .recipe import Recipe, Stage

Validate = Callable[[Any], dict[str, float]]


def validator(records: Sequence[Record], tokenizer: Any, recipe: Recipe) -> Validate | None:
    """Return a function that scores a model by the last stage's main objective.

    None without an example. ROUGE (:mod:`longt5.text.overlap`) compares with the record's summary
    if it has one, else with the example's target.
    """
    stage = recipe.stages[-1]
    salience = load_salience(recipe)
    made = [(record, _example(record, tokenizer, stage, salience)) for record in records]
    pairs = [(_reference_words(r, e, tokenizer), e) for r, e in made if e is not None]
    options = {**recipe.generation, "num_beams": 1, "num_return_sequences": 1}
    if not pairs:
        return None

    @torch.no_grad()
    def validate(model: Any) -> dict[str, float]:
        model.eval()
        loss = tokens = one = two = 0.0
        for reference, example in pairs:
            batch = collate([example]).to(model.device)
            output = model(batch.input_ids, batch.attention_mask, labels=batch.labels)
            loss, tokens = loss + output.loss.item() * batch.targets, tokens + batch.targets
            got = model.generate(batch.input_ids, **options).sequences[0].tolist()
            words = words_of(tokenizer.decode(got))
            one, two = one + rouge_n(words, reference, 1), two + rouge_n(words, reference, 2)
        model.train()
        return {"val_loss": loss / tokens, "rouge1": one / len(pairs), "rouge2": two / len(pairs)}

    return validate


def _example(
    record: Record, tokenizer: Any, stage: Stage, salience: Salience | None
) -> Example | None:
    objective = max(stage.objectives, key=lambda name: stage.objectives[name])
    limits = Limits(max(map(int, stage.sources)), stage.max_target, salience)
    return OBJECTIVES[objective](record, tokenizer, random.Random(record.id), limits)


def _reference_words(record: Record, example: Example, tokenizer: Any) -> list[str]:
    return words_of(record.summary or tokenizer.decode(example.target))
