"""`python -m longt5.training`: pretrain or fine-tune by a recipe, resuming interrupted runs; or
learn to rank sentences for an extractive model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError, positive, reason
from ..text.words import count_words
from . import recipe as recipes

COMMANDS = {
    "fine-tune": ("summary", "learn to write the given summaries (or targets) of documents"),
    "pretrain": ("gap-sentences", "learn from text alone, by the paper's objective"),
}


def training_parser() -> argparse.ArgumentParser:
    """Return the parser of the commands."""
    p = argparse.ArgumentParser(
        prog="python -m longt5.training",
        description=(
            "Train a LongT5 by a recipe. The same command resumes an interrupted run; on several "
            "GPUs: torchrun --nproc-per-node N -m longt5.training ..."
        ),
    )
    commands = p.add_subparsers(dest="command", required=True)
    for name, (objective, about) in COMMANDS.items():
        c = commands.add_parser(
            name,
            help=about,
            description=(f"{about.capitalize()}. A stage that names no objective has {objective}."),
        )
        c.add_argument("--config", type=Path, required=True, metavar="RECIPE.toml")
        c.add_argument("--data", type=Path, metavar="DIR", help="the folder of the recipe's files")
        c.add_argument(
            "--out",
            type=Path,
            default=Path("trained"),
            metavar="DIR",
            help="model/, state.pt, log.csv, curves.png (default: trained)",
        )
        c.add_argument(
            "--trial",
            type=positive,
            metavar="N",
            help="at most N steps of each stage, to see that a recipe runs",
        )
        c.add_argument("--device", default="auto", metavar="D")
    c = commands.add_parser(
        "salience",
        help="learn which sentences to repeat",
        description=(
            "Learn from pairs of documents and summaries which sentences a summary repeats, for an "
            "extractive model. Writes salience.json, which belongs into the folder of its weights."
        ),
    )
    c.add_argument("--data", required=True, metavar="FILE_OR_DATASET")
    c.add_argument("--limit", type=positive, metavar="N", help="pairs (default: all)")
    c.add_argument(
        "--min-words", type=positive, metavar="N", help="only documents of so many words or more"
    )
    c.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    return p


def learn_salience(chosen: argparse.Namespace) -> None:
    """Fit and write the sentence ranking. Raises UserError."""
    from . import salience
    from .corpus import read_records

    chosen.out.mkdir(parents=True, exist_ok=True)
    records = read_records(chosen.data, chosen.limit, paired=True)
    if chosen.min_words:
        records = [r for r in records if count_words(r.document) >= chosen.min_words]
    salience.fit(records, workers=os.cpu_count() or 1).save(chosen.out)


def train_model(chosen: argparse.Namespace) -> None:
    """Run or resume the chosen recipe. Raises UserError."""
    from . import loop, start, world

    recipe = recipes.load_recipe(chosen.config, COMMANDS[chosen.command][0])
    if chosen.trial:
        recipe = recipes.shorten(recipe, chosen.trial)
    try:
        here = world.join_processes(chosen.device)
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        records, validation = start.load_records(recipe, chosen.data)
        model, tokenizer = start.prepare_model(recipe, records, chosen.out, here)
        loop.Trainer(model, tokenizer, recipe, records, validation, chosen.out, here).run()
    finally:
        world.leave_processes(here)


def _explain_failure(error: Exception, out: Path) -> str | None:
    """Return a message for errors of memory or disk, None for other errors."""
    from ..memory import is_out_of_memory

    if is_out_of_memory(error):
        return (
            "Memory ran out: try a smaller batch_tokens with more accumulation, shorter "
            "sources, or gradient_checkpointing = true, in another --out."
        )
    if isinstance(error, OSError):
        message = f"The run ended ({reason(error)}): check space and permissions of {out}."
        return f"{message} {_resume_hint(out)}".rstrip()
    return None


def _resume_hint(out: Path) -> str:
    """Return how to resume the run, "" without a saved state."""
    state = out / "state.pt"
    return f"The same command resumes from {state}." if state.is_file() else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    chosen = training_parser().parse_args(argv)
    try:
        if chosen.command == "salience":
            learn_salience(chosen)
            print(f"The ranking is in {chosen.out / 'salience.json'}.")
            return 0
        train_model(chosen)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        hint = chosen.command != "salience" and _resume_hint(chosen.out)
        message = f"Stopped. {hint}" if hint else "Stopped before anything was saved."
        print(message, file=sys.stderr)
        return 130
    except (MemoryError, OSError, RuntimeError) as error:
        explanation = _explain_failure(error, chosen.out)
        if explanation is None:
            raise
        print(explanation, file=sys.stderr)
        return 1
    print(f"The model is in {chosen.out / 'model'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
