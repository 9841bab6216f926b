"""The card of a checkpoint: a README.md whose front matter the Hugging Face hub reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .checkpoint import replacing


@dataclass(frozen=True)
class EvaluationScore:
    """A figure of the model: the metric's name on the hub ("rouge"), its value, and on what."""

    metric: str
    value: float
    dataset: str
    dataset_name: str = ""
    metric_name: str = ""
    split: str | None = None


@dataclass(frozen=True)
class ModelCard:
    """What a card says: names as on the hub, and ``text`` in Markdown below them.

    The files are those of transformers, which loads them too: hence the default of
    ``library_name``.
    """

    model_name: str
    text: str = ""
    license: str | None = None
    language: str | None = "en"
    library_name: str = "transformers"
    pipeline_tag: str = "summarization"
    tags: tuple[str, ...] = ("longt5",)
    base_model: str | None = None
    datasets: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    scores: tuple[EvaluationScore, ...] = ()

    def to_markdown(self) -> str:
        """Return the file's text; ``scores`` become its ``model-index``."""
        from huggingface_hub import EvalResult, ModelCardData

        results = [
            EvalResult(
                task_type=self.pipeline_tag,
                dataset_type=score.dataset,
                dataset_name=score.dataset_name or score.dataset,
                dataset_split=score.split,
                metric_type=score.metric,
                metric_name=score.metric_name or score.metric,
                metric_value=score.value,
            )
            for score in self.scores
        ]
        metrics = list(self.metrics) or list(dict.fromkeys(score.metric for score in self.scores))
        data = ModelCardData(
            model_name=self.model_name,
            eval_results=results or None,
            license=self.license,
            language=self.language,
            library_name=self.library_name,
            pipeline_tag=self.pipeline_tag,
            tags=list(self.tags),
            base_model=self.base_model,
            datasets=list(self.datasets) or None,
            metrics=metrics or None,
        )
        return f"---\n{data.to_yaml()}\n---\n\n# {self.model_name}\n\n{self.text}".rstrip() + "\n"

    def save(self, folder: Path) -> None:
        """Write ``README.md``, which replaces an existing one when it is complete."""
        with replacing(folder / "README.md") as part:
            part.write_text(self.to_markdown(), encoding="utf-8")
