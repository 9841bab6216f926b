"""The arguments of a command: what is wrong with one is said in one sentence."""

from __future__ import annotations

import argparse
from typing import NoReturn

from .errors import BadOption


class Parser(argparse.ArgumentParser):
    """Raises BadOption where argparse prints the usage and ends the program with 2."""

    def error(self, message: str) -> NoReturn:
        raise BadOption(f"{message[:1].upper()}{message[1:]} (see {self.prog} --help).")
