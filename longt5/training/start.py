"""Prepare a run: its records, its tokenizer, and a loaded or new model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from ..checkpoint import locate
from ..config import LongT5Config
from ..errors import UserError, reason
from ..memory import is_out_of_memory
from ..model import LongT5ForConditionalGeneration
from ..tokenizer import Tokenizer
from . import copy_circuit, vocabulary
from .corpus import Record, read_records
from .recipe import Recipe
from .world import World

TOKENIZER_FILES = ("spiece.model", "tokenizer.json", "tokenizer_config.json")
VOCAB_SIZE_MULTIPLE = 64  # the embedding is padded to one: matrix products are fastest then


def load_records(recipe: Recipe, folder: Path | None) -> tuple[list[Record], list[Record]]:
    """Return (training, validation) records; names are looked up in ``folder`` first.

    Raises UserError without training records.
    """
    data = recipe.data

    def named(name: str) -> str:
        inside = folder / name if folder is not None else Path(name)
        return str(inside) if inside.is_file() else name

    train = [
        r
        for name in data.train
        for r in read_records(named(name), None, data.subset or None, data.split)
    ]
    if not data.train:
        raise UserError("The recipe names no training data: set data.train.")
    if not train:
        raise UserError(f"There is no text in {', '.join(data.train)}: look at its rows.")
    if not data.validation:
        return train, []
    validation = read_records(
        named(data.validation), data.limit, data.subset or None, data.validation_split
    )
    return train, validation


def prepare_model(
    recipe: Recipe, records: Sequence[Record], out: Path, world: World
) -> tuple[LongT5ForConditionalGeneration, Tokenizer]:
    """Return the model in float32 and the tokenizer, whose files are written to ``out/model``.

    Raises UserError for a checkpoint or a shape that cannot be used.
    """
    folder = out / "model"
    try:
        source = locate(recipe.init, None, local_files_only=False) if recipe.init else None
        if world.is_first and not (out / "state.pt").is_file():  # a resumed run has its own
            _write_tokenizer(recipe, records, folder, source)
        world.wait()
        tokenizer = Tokenizer.from_pretrained(folder, split_special_tokens=True)
        if source is not None:
            return LongT5ForConditionalGeneration.from_pretrained(
                source, device="cpu", dtype=torch.float32
            ), tokenizer
        return _new_model(recipe, tokenizer), tokenizer
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        what = recipe.init or "the shape in [model]"
        raise UserError(f"The run cannot begin from {what}: {reason(error)}.") from error


def _write_tokenizer(
    recipe: Recipe, records: Sequence[Record], folder: Path, source: Path | None
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if source is not None and source.resolve() == folder.resolve():
        return  # the run continues its own model
    if source is not None:
        made = tuple(name for name in TOKENIZER_FILES if (source / name).is_file())
        for name in made:
            shutil.copyfile(source / name, folder / name)
    else:
        texts = (text for r in records for text in (r.document, r.summary) if text)
        made = vocabulary.train_vocabulary(texts, recipe.vocabulary, folder)
    for name in set(TOKENIZER_FILES) - set(made):  # left by an earlier run of another recipe
        (folder / name).unlink(missing_ok=True)


def _new_model(recipe: Recipe, tokenizer: Tokenizer) -> LongT5ForConditionalGeneration:
    rows = -(-tokenizer.vocab_size // VOCAB_SIZE_MULTIPLE) * VOCAB_SIZE_MULTIPLE
    torch.manual_seed(recipe.seed)
    values = {"vocab_size": rows, "dropout_rate": recipe.dropout, **recipe.model}
    model = LongT5ForConditionalGeneration(LongT5Config(**values))
    if recipe.copy_circuit:
        copy_circuit.wire(model, recipe.seed)
    return model
