"""Batches of examples of similar length, up to a budget of tokens; a seed decides them.

Everything follows from (seed, stage, number of the pool), so a run can resume at any batch.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError, reason
from ..model import IGNORE_INDEX
from ..text.salience import Salience
from .corpus import Record
from .examples import OBJECTIVES, Limits
from .objectives import Example
from .recipe import Recipe

MAX_POOL_SIZE = 256  # examples that are sorted by length together: more would pad less, but a
# pool takes longer to make and mixes examples less well


@dataclass(frozen=True)
class Position:
    """Position of a run in its data: the next batch of a pool of a stage."""

    stage: int = 0
    pool: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Batch:
    """``input_ids`` and ``attention_mask`` [B, S], ``labels`` [B, T] (-100: no target)."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return this batch on a device."""
        moved = (x.to(device) for x in (self.input_ids, self.attention_mask, self.labels))
        return Batch(*moved)

    @property
    def targets(self) -> int:
        """Return the number of tokens to predict."""
        return int((self.labels != IGNORE_INDEX).sum())

    @property
    def sources(self) -> int:
        """Return the number of tokens to read."""
        return int(self.attention_mask.sum())


def collate(examples: Sequence[Example], pad: int = 0) -> Batch:
    """Return examples as one batch, padded on the right."""

    def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
        width = max(map(len, rows))
        return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])

    sources = [example.source for example in examples]
    mask = padded([[1] * len(source) for source in sources], 0)
    return Batch(padded(sources, pad), mask, padded([e.target for e in examples], IGNORE_INDEX))


def group_by_length(examples: Sequence[Example], budget: int) -> list[list[Example]]:
    """Group examples of similar length, at most ``budget`` tokens with padding per group.

    An example that is larger has a group of its own.

    >>> sizes = group_by_length([Example([1] * n, [1]) for n in (9, 2, 8, 1)], 20)
    >>> [[len(e.source) for e in group] for group in sizes]
    [[1, 2, 8], [9]]
    """
    groups: list[list[Example]] = []
    source = target = 0
    for example in sorted(examples, key=lambda e: (len(e.source), len(e.target))):
        source, target = max(source, len(example.source)), max(target, len(example.target))
        if not groups or (len(groups[-1]) + 1) * (source + target) > budget:
            groups.append([])
            source, target = len(example.source), len(example.target)
        groups[-1].append(example)
    return groups


class Batches:
    """The batches of a recipe over its records."""

    def __init__(self, records: Sequence[Record], tokenizer: Any, recipe: Recipe) -> None:
        self.records, self.tokenizer, self.recipe = records, tokenizer, recipe
        self.size = min(MAX_POOL_SIZE, len(records))
        self.salience = load_salience(recipe)
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def after(self, position: Position) -> Iterator[tuple[Position, list[Example]]]:
        """Yield endless batches of a stage from a position on, each with the position after it.

        The next pool is made while one is used.
        """
        stage, pool, at = position.stage, position.pool, position.batch
        with ThreadPoolExecutor(1) as worker:
            groups = self.pool(stage, pool)
            while True:
                following = worker.submit(self.pool, stage, pool + 1)
                for number in range(at, len(groups)):
                    yield Position(stage, pool, number + 1), groups[number]
                groups, pool, at = following.result(), pool + 1, 0

    def pool(self, stage: int, number: int) -> list[list[Example]]:
        """Return the batches of one pool. Raises UserError when no record gives an example."""
        first = number * self.size
        made = (self._example(stage, n) for n in range(first, first + self.size))
        examples = [example for example in made if example is not None]
        if not examples:
            names = ", ".join(self.recipe.stages[stage].objectives)
            raise UserError(
                f"None of {self.size} records gave an example ({names}): check what the data has; "
                "summary needs pairs, the others a few whole sentences."
            )
        groups = group_by_length(examples, self.recipe.batch_tokens)
        random.Random(f"{self.recipe.seed} {stage} {number}").shuffle(groups)
        return groups

    def _example(self, stage: int, number: int) -> Example | None:
        kind = self.recipe.stages[stage]
        rng = random.Random(f"{self.recipe.seed} {stage} example {number}")
        objective, source = _draw(kind.objectives, rng), _draw(kind.sources, rng)
        epoch, at = divmod(number, len(self.records))
        record = self.records[self._order(epoch)[at]]
        limits = Limits(int(source), kind.max_target, self.salience)
        return OBJECTIVES[objective](record, self.tokenizer, rng, limits)

    def _shuffled(self, epoch: int) -> list[int]:
        order = list(range(len(self.records)))
        random.Random(f"{self.recipe.seed} epoch {epoch}").shuffle(order)
        return order


def load_salience(recipe: Recipe) -> Salience | None:
    """Load the sentence ranking of a recipe, None if it names none. Raises UserError."""
    if not recipe.salience:
        return None
    try:
        found = Salience.load(recipe.salience)
    except ValueError as error:
        raise UserError(f"The ranking cannot be used: {reason(error)}.") from error
    if found is None:
        raise UserError(f"{recipe.salience} has no salience.json: check salience in the recipe.")
    return found


def _draw(shares: Mapping[str, float], rng: random.Random) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
