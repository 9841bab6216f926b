"""Abstractive writing: the model writes in its own words, by the decoding settings of its author.

Nothing is planned beforehand. The search gets a word target, as limits in tokens; which facts it
states, and how, is up to the model. A sentence may state what the source does not, so its numbers
and names are checked afterwards (:mod:`app.evidence.section_evidence`).

The checkpoint's own settings rule, and those that the person chose before them, but for four:
the beams are the run's, nothing is drawn at random, a model without a rule against repetition
gets one, and the lengths follow the target.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..documents.model import Chunk
from ..warning import AppWarning, WarningKind
from ..wording import joined
from .lengths import token_limits, tokens_per_word
from .options import DECODING_OPTIONS, Options

if TYPE_CHECKING:
    from longt5 import GenerationConfig

# For models whose settings have no rule against repetition: with random weights, most 4-grams of
# a summary repeat earlier ones without it (tests/tools/measure_repetition.py). The authors of
# summarization checkpoints set 3 as well.
ADDED_NGRAM_SIZE = 3
# The share of the target below which a text may not end. Higher, and a search is forced on past
# the end of what the model has to say, where it rambles.
MIN_TARGET_SHARE = 0.4
# What transformers took as max_length where an author has set none, so it says nothing about
# the texts that a checkpoint was trained on.
UNSET_MAX_LENGTH = 20
# The task whose settings in a checkpoint's `task_specific_params` are applied.
TASK = "summarization"


def own_settings(
    folder: Path, config: GenerationConfig
) -> tuple[GenerationConfig, tuple[str, ...]]:
    """Return a checkpoint's decoding settings for summaries, and the names of those left out.

    `config` are its general ones, which those of the task replace, as in transformers' pipeline.
    Raises ValueError for a damaged file.
    """
    from longt5 import GenerationConfig
    from longt5.checkpoint import read_object
    from longt5.generation_config import read_settings, unsupported_options

    tasks = read_object(folder / "config.json").get("task_specific_params") or {}
    task = tasks.get(TASK) if isinstance(tasks, dict) else None
    values = {k: v for k, v in task.items() if v is not None} if isinstance(task, dict) else {}
    known = {field.name for field in dataclasses.fields(GenerationConfig)} & set(values)
    chosen = GenerationConfig.from_dict({name: values[name] for name in known})
    config = config.merged(**{name: getattr(chosen, name) for name in known})
    left_out = unsupported_options({**read_settings(folder), **values})
    if config.do_sample:
        config, left_out = dataclasses.replace(config, do_sample=False), ("do_sample", *left_out)
    return config, left_out


def run_settings(own: GenerationConfig, options: Options) -> dict[str, Any]:
    """Return the decoding settings of a run that replace the checkpoint's own."""
    chosen: dict[str, Any] = options.decoding()
    if "no_repeat_ngram_size" not in chosen and _may_repeat(own, chosen):
        chosen["no_repeat_ngram_size"] = ADDED_NGRAM_SIZE
    return {"do_sample": False, **chosen}


def _may_repeat(own: GenerationConfig, chosen: Mapping[str, Any]) -> bool:
    """Return True if neither the checkpoint nor the person has a rule against repetition."""
    penalty = chosen.get("repetition_penalty", own.repetition_penalty)
    return own.no_repeat_ngram_size == 0 and penalty <= 1


def longest_text(own: GenerationConfig) -> int | None:
    """Return the most tokens that the checkpoint was trained to write, None if it does not say."""
    if own.max_new_tokens is not None:
        return own.max_new_tokens
    if own.max_length is None or own.max_length == UNSET_MAX_LENGTH:
        return None
    return own.max_length - 1  # max_length counts the start token


def describe_settings(own: GenerationConfig, options: Options) -> str:
    """Return the settings of a run that need an explanation, for its provenance."""
    notes = []
    run = run_settings(own, options)
    if "no_repeat_ngram_size" in set(run) - set(options.decoding()):
        notes.append(
            f"no_repeat_ngram_size {ADDED_NGRAM_SIZE}, since the model's settings have no rule "
            "against repetition"
        )
    size = run.get("encoder_no_repeat_ngram_size", own.encoder_no_repeat_ngram_size)
    if size:
        notes.append(
            f"encoder_no_repeat_ngram_size {size}, which keeps the model from copying {size} "
            "tokens in a row, so long names and numbers may come out altered"
        )
    return "; ".join(notes)


def settings_warnings(
    left_out: tuple[str, ...], options: Options, is_extractive: bool
) -> list[AppWarning]:
    """Return the warnings about settings, of the checkpoint and the person, that do not apply."""
    messages = []
    if left_out:
        messages.append(
            f"Settings of the model that are not applied: {joined(left_out)}. Its summaries may "
            "differ from those of other programs."
        )
    if is_extractive and options.decoding():
        flags = [option.flag for option in DECODING_OPTIONS if option.name in options.decoding()]
        messages.append(
            f"Options that are not applied: {joined(flags)}. They are for models that write in "
            "their own words, and this one quotes the document."
        )
    return [AppWarning(WarningKind.SETTINGS_NOT_APPLIED, message) for message in messages]


def length_warning(own: GenerationConfig, words: int, chunk: Chunk) -> list[AppWarning]:
    """Return a warning where the model does not write texts of so many words."""
    most = longest_text(own)
    rate = tokens_per_word(chunk)
    if most is None or words * rate <= most:
        return []
    message = (
        f"The model was trained to write at most {most:,} tokens, about {round(most / rate):,} "
        f"words, so the summary may be shorter than the {words:,} words asked for."
    )
    return [AppWarning(WarningKind.LENGTH_LIMITED, message)]


class AbstractiveMethod:
    """The writing method of a model that paraphrases. `own` are the checkpoint's settings."""

    def __init__(self, chunk: Chunk, own: GenerationConfig) -> None:
        self._chunk, self._own = chunk, own

    def search_options(self, words: int, options: Options) -> dict[str, Any]:
        """Return the options of a search for about `words` words."""
        limits = [options.max_new_tokens, longest_text(self._own)]
        if options.max_new_tokens is None:
            limits.append(token_limits(words, self._chunk)[1])
        most = min(limit for limit in limits if limit is not None)
        least = min(round(tokens_per_word(self._chunk) * words * MIN_TARGET_SHARE), most)
        return {
            **run_settings(self._own, options),
            "min_new_tokens": least,
            "max_new_tokens": most,
        }
