"""Salience: which sentences of a document a summary would repeat.

A small model that copies knows how to repeat a sentence better than which one. A network of one
hidden layer scores each sentence by its features (:mod:`longt5.text.features`): its place, how
central its words are, its headings, its form. The weights lie in the model's folder
(``salience.json``) and are learnt from pairs of documents and summaries
(:mod:`longt5.training.salience`). Scores are relative: log-odds of one sentence against another.
:class:`longt5.text.plan.Planner` chooses the sentences of a summary by them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..checkpoint import checked_types, read_object, replacing
from ..errors import reason
from .features import FEATURES, features
from .plan import Planner
from .sentences import Span
from .source import SourceText
from .vectors import Floats, Sentences

SALIENCE_FILE = "salience.json"
Row = tuple[float, ...]


@dataclass(frozen=True)
class Salience:
    """The network: ``linear`` · x + ``out`` · relu(``hidden`` x + ``bias``), x the FEATURES.

    ``repetition`` is the price of being equal to a sentence that is already in the summary.
    """

    linear: Row
    hidden: tuple[Row, ...] = ()
    bias: Row = ()
    out: Row = ()
    repetition: float = 1.0

    @classmethod
    def load(cls, folder: str | Path) -> Salience | None:
        """Return the salience network in a checkpoint's folder, None without a file.

        Raises ValueError for a damaged file.
        """
        path = Path(folder) / SALIENCE_FILE
        if not path.is_file():
            return None
        values = read_object(path)
        if values.pop("features", None) != list(FEATURES):
            raise ValueError(f"{path} does not have the features of this version")
        try:
            made = cls(**checked_types(cls, values))
            made.scores(np.zeros((1, len(FEATURES))))
            return made
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is not whole ({reason(error)})") from error

    @classmethod
    def by_centrality(cls) -> Salience:
        """Return a network that prefers sentences with the words of the whole document."""
        return cls(tuple(float(name == "central") for name in FEATURES))

    @property
    def digest(self) -> str:
        """A hash of the weights."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def save(self, folder: str | Path) -> None:
        """Write :data:`SALIENCE_FILE` into a checkpoint's folder."""
        text = json.dumps({"features": FEATURES, **asdict(self)}) + "\n"
        with replacing(Path(folder) / SALIENCE_FILE) as part:
            part.write_text(text.replace("], ", "],\n"), encoding="utf-8")

    def scores(self, x: Floats) -> Floats:
        """Return the score of each sentence, [n], by its features [n, F]."""
        found: Floats = x @ np.array(self.linear)
        if self.hidden:
            units = np.maximum(0.0, x @ np.array(self.hidden).T + np.array(self.bias))
            found = found + units @ np.array(self.out)
        return found

    def planner(self, source: SourceText, spans: Sequence[Span] | None = None) -> Planner:
        """Score the candidates of a whole document, or ``spans``, to choose among them."""
        sentences = Sentences(source, spans)
        return Planner(sentences, self.scores(features(sentences)).tolist(), self.repetition)
