"""The training loop: steps, validation, saving the best model, and resuming exactly.

OUT holds ``model/`` (the best so far, Hugging Face layout), ``state.pt`` (to resume exactly),
``log.csv`` and ``curves.png``.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from tqdm import tqdm

from ..attention import LongAttention, RMSNorm
from ..checkpoint import replacing
from ..device import DTYPES, has_fast_bfloat16
from ..errors import UserError, reason
from ..generation_config import GenerationConfig
from ..memory import is_out_of_memory
from ..model import FeedForward, LongT5ForConditionalGeneration
from . import optimizer as optimizers
from .batches import Batch, Batches, Position, collate
from .corpus import Record
from .curves import Log, plot_curves
from .recipe import Recipe
from .validation import Validate, validator
from .world import World

OnStep = Callable[[int, float], None]


def adapt(model: LongT5ForConditionalGeneration, recipe: Recipe) -> None:
    """Set dropout, compilation and gradient checkpointing of a model by its recipe."""
    for module in model.modules():
        if hasattr(module, "dropout"):
            module.dropout = recipe.dropout  # type: ignore[assignment]
    if recipe.compile:
        compile_layers(model)
    for block in (*model.encoder.block, *model.decoder.block):
        if recipe.gradient_checkpointing:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def compile_layers(model: nn.Module) -> None:
    """Compile the layers that, after matrix products, take most of a training step."""
    for module in model.modules():
        if isinstance(module, LongAttention):
            module.compiled = True
        elif isinstance(module, RMSNorm | FeedForward):
            module.forward = _compiled_in_training(module)  # type: ignore[assignment]


def _compiled_in_training(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a forward that is compiled in training; inference has its own kernels."""
    plain, compiled = module.forward, torch.compile(module.forward, dynamic=True)

    def forward(x: Tensor) -> Tensor:
        return compiled(x) if module.training else plain(x)

    return forward


class Trainer:
    """A run of a recipe: the model, its position in the data, and its best score."""

    def __init__(
        self,
        model: LongT5ForConditionalGeneration,
        tokenizer: Any,
        recipe: Recipe,
        records: Sequence[Record],
        validation: Sequence[Record],
        out: Path,
        world: World,
    ) -> None:
        self.model, self.recipe, self.out, self.world = model.to(world.device), recipe, out, world
        options = {**model.generation_config.to_dict(), **recipe.generation}
        model.generation_config = GenerationConfig.from_dict(options)
        adapt(model, recipe)
        self.wrapped: Any = world.wrapped(model)
        self.optimizer = optimizers.build_optimizer(model, recipe.optimizer)
        self.batches, self.data = Batches(records, tokenizer, recipe), _digest(records)
        self.step, self.position, self.best = 0, Position(), -math.inf
        wanted, fast = recipe.precision, has_fast_bfloat16(world.device)
        self.half = wanted == "bfloat16" or (wanted == "auto" and fast)
        self._resume()
        self.validate: Validate | None = None
        if world.is_first:
            self.log = Log(out / "log.csv", self.step)
            self.validate = validator(validation, tokenizer, recipe)

    def run(self, on_step: OnStep | None = None) -> None:
        """Run all remaining steps; call ``on_step(step, loss)`` after each."""
        first = self.world.is_first
        bar = tqdm(
            total=self.recipe.steps, initial=self.step, unit="step", disable=None if first else True
        )
        self.model.train()
        while self.step < self.recipe.steps:
            stage = self.recipe.stage_at(self.step)
            if stage != self.position.stage:
                self.position = Position(stage)
            stream = self.batches.after(self.position)
            while self.step < self.recipe.steps and self.recipe.stage_at(self.step) == stage:
                logged = self._one_step(stream)
                bar.update()
                bar.set_postfix(loss=f"{logged['loss']:.3f}")
                self._log_and_save(logged)
                if on_step is not None:
                    on_step(self.step, logged["loss"])
        bar.close()

    def _one_step(self, stream: Iterator[tuple[Position, Any]]) -> dict[str, Any]:
        """Update the weights once; return the step's values for the log."""
        began = time.perf_counter()
        batches = [batch.to(self.world.device) for batch in self._take(stream)]
        targets, sources = self.world.total(
            sum(batch.targets for batch in batches), sum(batch.sources for batch in batches)
        )
        seed, options = self.recipe.seed, self.recipe.optimizer
        # Dropout follows from the step alone, so that a resumed run drops the same.
        torch.manual_seed((seed * 1_000_003 + self.step) * self.world.size + self.world.rank)
        loss = 0.0
        for number, batch in enumerate(batches):
            with self._no_sync(last=number == len(batches) - 1):
                loss += self._backward(batch, targets)
        (loss,) = self.world.total(loss)
        lr = optimizers.learning_rate(self.step, self.recipe.steps, options)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), options.clip or math.inf)
        if not math.isfinite(loss) or not bool(norm.isfinite()):
            raise UserError(
                f"The loss is no number any more after step {self.step}: begin again in another "
                "--out with a lower optimizer.lr, a longer warmup, or precision float32. Where "
                f"there is a best model so far, init can name it: {self.out / 'model'}."
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        seconds = time.perf_counter() - began
        return {
            "step": self.step,
            "stage": self.position.stage,
            "loss": loss,
            "lr": lr,
            "norm": norm.item(),
            "tokens_per_s": round(sources / seconds),
        }

    def _take(self, stream: Iterator[tuple[Position, Any]]) -> list[Batch]:
        """Return this process's share of the next batches; all processes iterate over the same."""
        world, mine = self.world, []
        for number in range(self.recipe.accumulation * world.size):
            self.position, examples = next(stream)
            if number % world.size == world.rank:
                mine.append(collate(examples))
        return mine

    def _backward(self, batch: Batch, targets: float) -> float:
        """Compute gradients of a batch's share of the step's mean loss; return that share."""
        with self._autocast():
            output = self.wrapped(batch.input_ids, batch.attention_mask, labels=batch.labels)
        share = output.loss * (batch.targets / targets)
        # DDP averages the gradients of processes; their sum is needed.
        (share * self.world.size).backward()
        return share.item()

    def _no_sync(self, last: bool) -> AbstractContextManager[Any]:
        return nullcontext() if last or self.world.size == 1 else self.wrapped.no_sync()

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.half)

    def _log_and_save(self, logged: dict[str, Any]) -> None:
        """Log the step; validate and save at their intervals and at the end."""
        ends = self.step == self.recipe.steps
        if self.world.is_first:
            checks = ends or self.step % self.recipe.validate_every == 0
            if checks and self.validate is not None:
                logged.update(self.validate(self.model))
            self.log.add(**logged)
            if ends or self.step % self.recipe.save_every == 0 or "rouge1" in logged:
                score = logged.get("rouge1", 0.0) + logged.get("rouge2", 0.0)
                self._save(score, checks)
        if ends:
            self.world.wait()

    def _save(self, score: float, checked: bool) -> None:
        """Save the model if it is the best so far (or nothing validates it), and the state."""
        if self.validate is None or (checked and score > self.best):
            self.best = score
            half = copy.deepcopy(self.model).to(DTYPES[self.recipe.save_dtype])
            half.save_pretrained(self.out / "model")
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "position": dataclasses.astuple(self.position),
            "best": self.best,
            "recipe": repr(self.recipe),
            "world": self.world.size,
            "half": self.half,
            "data": self.data,
        }
        with replacing(self.out / "state.pt") as part:
            torch.save(state, part)
        notice = plot_curves(self.out / "log.csv", self.out / "curves.png")
        if notice and self.step == self.recipe.steps:
            tqdm.write(notice)

    def _resume(self) -> None:
        """Resume from ``state.pt`` if there is one. Raises UserError if it is of another run."""
        path = self.out / "state.pt"
        if not path.is_file():
            return
        state = _read_state(path, self.world.device)
        if (state["recipe"], state["world"]) != (repr(self.recipe), self.world.size):
            raise UserError(
                f"{self.out} holds a run of another recipe or number of processes: choose another "
                "--out, or delete its state.pt."
            )
        if state.get("data", self.data) != self.data:
            raise UserError(
                f"The training data is not that of the run in {self.out}, which cannot go on "
                "exactly: put the data back, or begin again in another --out (init can name "
                f"{self.out / 'model'})."
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.best = state["step"], state["best"]
        self.position = Position(*state["position"])
        self.half = state["half"]  # "auto" may choose otherwise on another machine


def _digest(records: Sequence[Record]) -> str:
    """Return a hash of the data in its order."""
    found = hashlib.sha256()
    for record in records:
        found.update(repr((record.document, record.summary)).encode())
    return found.hexdigest()


def _read_state(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (EOFError, OSError, RuntimeError, UnpicklingError) as error:
        if is_out_of_memory(error):
            raise
        raise UserError(
            f"{path} cannot be read ({reason(error)}): delete it to begin again, or put back a "
            "copy of it."
        ) from error
