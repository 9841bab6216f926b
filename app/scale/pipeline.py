"""A corpus through Ray: what is lost with a machine is done again, nothing comes twice."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from longt5.errors import UserError
from longt5.evaluation.ray_session import WorkerLayout, stream_items

from ..errors import AppError, BadOption
from ..settings import APP_VERSION, MAX_AT_ONCE
from .source import CorpusDocument
from .tasks import (
    CorpusPlanner,
    CorpusReader,
    CorpusResult,
    CorpusSettings,
    CorpusWork,
    CorpusWriter,
    failed_result,
    mark_as_lost,
    program_version,
)

# Documents of one stream. A new stream loads the models again, which takes a few seconds; the
# documents of a stream, with the texts of their rows, are in memory.
WAVE_DOCUMENTS = 2000
WAVE_CHARACTERS = 100_000_000
ROUNDS = 3  # for documents whose results were lost with a machine
HASHING_THREADS = 8  # files are hashed as fast as they can be fetched
ANSWER_WITHIN_S = 60.0  # of a machine, which first starts a process and imports the program
LOST = "“{name}” was lost with the machine that worked on it: run the command with --resume."


def summarize_corpus(
    documents: Iterable[CorpusDocument],
    unchanged: Container[str],
    settings: CorpusSettings,
    layout: WorkerLayout,
    at_once: int = MAX_AT_ONCE,
) -> Iterator[CorpusResult]:
    """Yield a result for each document, in the order in which they are ready.

    `unchanged`: the ids of documents that need no new summary. `at_once`: documents that a worker
    writes at once; their bytes do not depend on it. Raises AppError for what every
    document would fail from.
    """
    for wave in waves(documents):
        missing = {document.id: document for document in wave if document.id not in unchanged}
        for _ in range(ROUNDS):
            if missing:
                for result in _run(list(missing.values()), settings, layout, at_once):
                    if missing.pop(result.id, None) is not None:
                        yield result
        for document in missing.values():
            error = LOST.format(name=document.name)
            yield failed_result(CorpusWork(document, error=error))


def require_same_program() -> None:
    """Raise BadOption unless every machine of the cluster has this version of the program."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = {}
    for node in ray.nodes():
        if node["Alive"]:
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(program_version).options(num_cpus=0, scheduling_strategy=here)
            asked[node["NodeManagerAddress"]] = task.remote()
    for machine, answer in asked.items():
        try:
            version = ray.get(answer, timeout=ANSWER_WITHIN_S)
        except ray.exceptions.RayError:  # the program is not there, or the machine is gone
            version = "none"
        if version != APP_VERSION:
            raise BadOption(
                f"The machine {machine} of the cluster has version {version} of this program, and "
                f"the summaries need {APP_VERSION}: install the same version on all machines."
            )


def waves(documents: Iterable[CorpusDocument]) -> Iterator[list[CorpusDocument]]:
    """Yield the documents in lists that fit into memory."""
    wave: list[CorpusDocument] = []
    characters = 0
    for document in documents:
        size = len(document.text or "")
        is_full = len(wave) >= WAVE_DOCUMENTS or characters + size > WAVE_CHARACTERS
        if wave and is_full:
            yield wave
            wave, characters = [], 0
        wave.append(document)
        characters += size
    if wave:
        yield wave


def unchanged_ids(
    documents: Iterable[CorpusDocument], finished: Mapping[str, str]
) -> Iterator[str]:
    """Yield the ids of documents with the content that was summarized, by its SHA-256."""
    known = (document for document in documents if document.id in finished)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for wave in waves(known):
            digests = pool.map(CorpusDocument.sha256, wave)
            for document, digest in zip(wave, digests, strict=True):
                if digest and digest == finished[document.id]:
                    yield document.id


def _run(
    documents: list[CorpusDocument], settings: CorpusSettings, layout: WorkerLayout, at_once: int
) -> Iterator[CorpusResult]:
    """Yield the results of documents, of which some may be missing. Raises AppError."""
    tasks: list[Callable[..., CorpusWork]] = [CorpusReader(settings.ocr), CorpusPlanner(settings)]
    arguments = (settings,)
    try:
        for result in stream_items(
            documents, tasks, CorpusWriter, arguments, layout, mark_as_lost, at_once
        ):
            if result.is_fatal:
                raise AppError(result.row["error"])
            yield result
    except UserError as error:
        raise AppError(str(error)) from error
