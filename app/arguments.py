"""Command-line arguments: a parser that raises, and options that several commands share."""

from __future__ import annotations

import argparse
import difflib
import logging
import re
from typing import Any, NoReturn

from .errors import BadOption
from .settings import (
    APP_NAME,
    APP_VERSION,
    DEFAULT_BEAMS,
    DEFAULT_LENGTH,
    LENGTH_WORDS,
    MAX_BEAMS,
    SUMMARY_WORDS_RANGE,
    Settings,
)
from .summary.options import DECODING_OPTIONS, Options


class Parser(argparse.ArgumentParser):
    """A parser that raises BadOption where argparse would print the usage and exit with 2."""

    def error(self, message: str) -> NoReturn:
        for kind, words in (("int", "a whole number"), ("float", "a number")):
            message = re.sub(
                rf"argument (\S+): invalid {kind} value: (.*)",
                rf"\1 must be {words}, not \2",
                message,
            )
        message = re.sub(r"(unrecognized arguments: (--[\w-]+).*)", self._with_suggestion, message)
        raise BadOption(f"{message[:1].upper()}{message[1:]} (see {self.prog} --help).")

    def _with_suggestion(self, found: re.Match[str]) -> str:
        """Return an error with the option that was probably meant."""
        meant = difflib.get_close_matches(found[2], sorted(self._all_options()), 1)
        return f"{found[1]}; did you mean {meant[0]}?" if meant else found[1]

    def _all_options(self) -> set[str]:
        """Return the options of this parser and of its commands."""
        options = set(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                options.update(
                    *(parser._option_string_actions for parser in action.choices.values())
                )
        return options


def add_model_options(parser: argparse.ArgumentParser, settings: Settings) -> None:
    """Add --model and --revision."""
    parser.add_argument(
        "--model",
        default=settings.model,
        metavar="M",
        help="bundled, a folder, or a name on the Hugging Face hub (default: %(default)s)",
    )
    parser.add_argument("--revision", metavar="R", help="branch, tag or commit of a hub checkpoint")


def search_options(arguments: argparse.Namespace, **own: Any) -> Options:
    """Return what :func:`add_search_options` parsed, and options of one command. Raises BadOption
    for values that no run may have."""
    shared = (
        "length",
        "words",
        "by_section",
        "num_beams",
        "max_new_tokens",
        "max_input_tokens",
        "include_references",
        *(option.name for option in DECODING_OPTIONS),
    )
    options = Options(**{name: getattr(arguments, name) for name in shared}, **own)
    options.check()
    return options


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add --length, --words, --by-section, and the limits of a search."""
    option = parser.add_argument
    option(
        "--length",
        choices=LENGTH_WORDS,
        default=DEFAULT_LENGTH,
        help="about "
        + ", ".join(f"{w} ({n})" for n, w in LENGTH_WORDS.items())
        + " words for the whole document (default: %(default)s)",
    )
    least, most = SUMMARY_WORDS_RANGE
    option(
        "--words",
        type=int,
        metavar="N",
        help=f"about so many words, {least} to {most:,}, instead of a --length",
    )
    option(
        "--by-section",
        action="store_true",
        help="add one to three sentences for each section, below the summary",
    )
    option(
        "--num-beams",
        type=int,
        default=DEFAULT_BEAMS,
        metavar="N",
        help=f"hypotheses searched, 1 to {MAX_BEAMS}: more is slower (default: %(default)s)",
    )
    option(
        "--max-new-tokens",
        type=int,
        metavar="N",
        help="most tokens written per paragraph (default: follows the length)",
    )
    option(
        "--max-input-tokens",
        type=int,
        metavar="N",
        help="tokens read in one pass (default: the model's window)",
    )


def add_device_options(parser: argparse.ArgumentParser, settings: Settings) -> None:
    """Add --device and --dtype."""
    parser.add_argument(
        "--device",
        default=settings.device,
        metavar="D",
        help="auto, cpu, cuda, cuda:1 or mps (default: %(default)s)",
    )
    parser.add_argument(
        "--dtype",
        default=settings.dtype,
        metavar="T",
        help="auto, float32, bfloat16, float16 or int8 (default: %(default)s)",
    )


def add_decoding_options(parser: argparse.ArgumentParser) -> None:
    """Add the decoding options of models that write in their own words."""
    group = parser.add_argument_group(
        "decoding",
        "For models that write in their own words. Without them the model's own settings are used.",
    )
    for option in DECODING_OPTIONS:
        group.add_argument(
            option.flag,
            type=option.kind,
            metavar="N" if option.is_whole else "X",
            help=f"{option.about} ({option.range[0]:g} to {option.range[1]:g})",
        )


def add_version_option(parser: argparse.ArgumentParser) -> None:
    """Add --version, which prints the version and exits."""
    parser.add_argument(
        "--version",
        action="version",
        version=f"{APP_NAME} {APP_VERSION}",
        help="print the version and exit",
    )


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """Add -v/--verbose; without it `verbose` is missing from the namespace."""
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,  # else a subcommand's default would undo `app -v COMMAND`
        help="log details to stderr, tracebacks too (they may quote the document)",
    )


def set_log_level(arguments: argparse.Namespace) -> None:
    """Log the program's own details to stderr when --verbose was given."""
    if not getattr(arguments, "verbose", False):
        return
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for package in (__package__, "longt5"):
        logging.getLogger(package).setLevel(logging.DEBUG)
