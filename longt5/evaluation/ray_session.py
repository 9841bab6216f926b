"""A stream of items through Ray Data: tasks on any core, then workers that hold a model.

Ray runs on this machine unless an address names a cluster. Nothing is reported to anybody: usage
statistics and the dashboard are off. Ray is imported when a session begins.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError, reason, require_modules

# A decode step is a hundred short parallel sections, which more threads than this hardly shorten.
# Chosen by hand.
CORES_PER_WORKER = 4
# Each reads one file in a child process; more would only read ahead of the model.
MAX_LOCAL_READERS = 4
OBJECT_STORE_BYTES = 512 * 1024**2  # of a local Ray: documents on their way, and no tensors
ATTEMPTS_PER_ITEM = 3  # of an item whose process died
ANY_NUMBER = -1  # in options of Ray
QUIET_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A thread that still reads from a stream would start another Ray when its own has ended.
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # else its processes write to this one's stderr
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray's new behaviour, instead of a warning
}


@dataclass(frozen=True)
class WorkerLayout:
    """How many workers hold a model, and the cores and GPUs of each."""

    workers: int
    cpus: int
    gpus: int = 0


def require_ray(address: str | None = None) -> None:
    """Raise UserError where Ray is not installed, or the address is one of Ray Client."""
    require_modules("ray", "ray", "pyarrow", "fsspec")
    if address is not None and address.startswith("ray://"):
        raise UserError(
            f"{address} is an address of Ray Client, which keeps no results when the connection "
            "breaks: run the command on a machine of the cluster, with --ray auto."
        )


def local_layout(workers: int | None, cores: int, gpus: int = 0) -> WorkerLayout:
    """Return the workers of one machine: one per GPU, or one per group of cores."""
    if gpus:
        return WorkerLayout(min(workers or gpus, gpus), 1, 1)
    workers = workers or max(1, cores // CORES_PER_WORKER)
    return WorkerLayout(workers, max(1, cores // workers))


def cluster_layout(
    workers: int | None, nodes: Sequence[Mapping[str, float]], use_gpus: bool = True
) -> WorkerLayout:
    """Return the workers of a cluster, from the resources of each node ("CPU", "GPU").

    One core of each group is left for reading, so that no worker waits for a document that no
    core is free to read.
    """
    gpus = int(sum(node.get("GPU", 0) for node in nodes)) if use_gpus else 0
    if gpus:
        return WorkerLayout(min(workers or gpus, gpus), 1, 1)
    cores = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    per_worker = max(1, min(CORES_PER_WORKER, min(cores, default=2) - 1))
    most = max(1, sum(count // (per_worker + 1) for count in cores))
    return WorkerLayout(min(workers or most, most), per_worker)


@contextlib.contextmanager
def ray_session(
    address: str | None, workers: int | None = None, use_gpus: bool = True
) -> Iterator[WorkerLayout]:
    """Start Ray on this machine, or join the cluster at an address, and leave it at the end.

    Raises UserError where Ray is missing or nothing answers at the address.
    """
    require_ray(address)
    os.environ.update(QUIET_VARIABLES)
    import ray

    with contextlib.ExitStack() as ending:
        if address is None:
            layout = _start_local(workers, use_gpus, ending)
        else:
            layout = _join_cluster(address, workers, use_gpus)
        ending.callback(ray.shutdown)
        yield layout


def _start_local(workers: int | None, use_gpus: bool, ending: contextlib.ExitStack) -> WorkerLayout:
    from ..cores import usable_cores
    from .process_guard import guarded_processes

    cores = usable_cores()
    layout = local_layout(workers, cores, _local_gpus() if use_gpus else 0)
    # Sockets lie in this folder, and their paths may have about a hundred letters.
    short = "/tmp" if os.path.isdir("/tmp") else None
    folder = tempfile.mkdtemp(prefix="longt5-ray-", dir=short)
    ending.enter_context(guarded_processes(folder))
    _init_quietly(
        address="local",
        num_cpus=layout.workers * layout.cpus + max(1, min(MAX_LOCAL_READERS, cores // 2)),
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=folder,
    )
    return layout


def _join_cluster(address: str, workers: int | None, use_gpus: bool) -> WorkerLayout:
    import ray

    try:
        _init_quietly(address=address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(
            f"No Ray cluster answers at {address} ({reason(error)}): check the address, or "
            "leave it out to run on this machine."
        ) from error
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return cluster_layout(workers, nodes, use_gpus)


def _init_quietly(**options: Any) -> None:
    """Start Ray, whose processes write to stderr before they know their log level."""
    import ray

    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        ray.init(logging_level=logging.CRITICAL, log_to_driver=False, **options)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _local_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def stream_items(
    items: Sequence[Any],
    tasks: Sequence[Callable[[Any], Any]],
    worker: type,
    arguments: tuple[Any, ...],
    layout: WorkerLayout,
    on_lost: Callable[[Any], Any] | None = None,
    at_once: int = 1,
) -> Iterator[Any]:
    """Yield the results of items in the order in which they are ready.

    Each item goes through `tasks`, on any core, then through `worker(*arguments)`, one of a few
    objects that live as long as the stream and are called from `at_once` threads. Items and
    results are pickled. An item whose process died is tried again, `ATTEMPTS_PER_ITEM` times in
    all and then alone in its process; after that the item `on_lost(item)` takes its place. Without
    `on_lost`, that ends the stream. With it, results may be missing: those that died with a
    machine and could not be made again.

    Raises UserError.
    """
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.enable_auto_log_stats = False
    context.max_errored_blocks = 0 if on_lost is None else ANY_NUMBER
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    rows = [{"number": n, "item": pickle.dumps(item)} for n, item in enumerate(items)]
    attempts = _count_attempts_here()
    # A block for each item: it is tried again alone, and its result does not wait for others.
    stream: Any = ray.data.from_items(rows, override_num_blocks=max(1, len(rows)))
    for number, task in enumerate(tasks):
        stream = stream.map(PickledTask(task, f"task {number}", attempts, on_lost), num_cpus=1)
    stream = _map_by_workers(stream, (worker, arguments, attempts, on_lost), layout, at_once)
    try:
        # With prefetched batches, a result would wait for the next one.
        batches = stream.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow")
        for batch in batches:
            yield from map(pickle.loads, batch["item"].to_pylist())
    except ray.exceptions.RayError as error:
        raise UserError(
            f"The work on Ray ended ({type(error).__name__}): look at the logs of its machines, "
            "then start again."
        ) from error
    finally:
        ray.kill(attempts)


def _map_by_workers(
    stream: Any, constructor_arguments: tuple[Any, ...], layout: WorkerLayout, at_once: int
) -> Any:
    """Return a stream whose rows went through :class:`PickledWorker`, `at_once` of each worker."""
    import ray.data

    pool = ray.data.ActorPoolStrategy(
        min_size=1,
        max_size=layout.workers,
        initial_size=layout.workers,
        max_tasks_in_flight_per_actor=at_once + 1,  # one is on its way meanwhile
        enable_true_multi_threading=True,
    )
    # The only way to set threads of a worker, which Ray 2.64 will change.
    threads = {"max_concurrency": at_once} if at_once > 1 else {}
    warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
    return stream.map(
        PickledWorker,
        fn_constructor_args=constructor_arguments,
        compute=pool,
        num_cpus=layout.cpus,
        num_gpus=layout.gpus,
        **threads,
    )


class Attempts:
    """Counts how often a stage of an item was begun, in a process that outlives its workers."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], int] = {}

    def begin(self, stage: str, number: int) -> int:
        """Return the number of this attempt, from 1."""
        self.counts[stage, number] = self.begun(stage, number) + 1
        return self.counts[stage, number]

    def begun(self, stage: str, number: int) -> int:
        """Return how often a stage of an item was begun."""
        return self.counts.get((stage, number), 0)


def _count_attempts_here() -> Any:
    """Return a counter of attempts on the machine of this process."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    options = {"num_cpus": 0, "max_restarts": ANY_NUMBER, "scheduling_strategy": here}
    return ray.remote(Attempts).options(**options).remote()


class PickledTask:
    """A function of an item as one of a row of Ray Data, with a limit of attempts."""

    def __init__(
        self,
        task: Callable[[Any], Any],
        stage: str,
        attempts: Any,
        on_lost: Callable[[Any], Any] | None,
    ) -> None:
        self.task, self.stage, self.attempts, self.on_lost = task, stage, attempts, on_lost

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row of the result."""
        import ray

        item = pickle.loads(row["item"])
        attempt = ray.get(self.attempts.begin.remote(self.stage, int(row["number"])))
        if attempt > ATTEMPTS_PER_ITEM:
            if self.on_lost is None:
                raise MemoryError(f"{self.stage} of item {row['number']} ends its process")
            item = self.on_lost(item)
        return {"number": row["number"], "item": pickle.dumps(self.task(item))}


class SharedOrAlone:
    """Lets threads in together, or one of them alone, before others that come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = self._alone = 0  # alone: those that are or want to be

    @contextlib.contextmanager
    def enter(self, alone: bool) -> Iterator[None]:
        """Wait until this thread may enter: with others, or without any."""
        with self._changed:
            self._alone += alone
            self._changed.wait_for(lambda: not (self._inside if alone else self._alone))
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._alone -= alone
                self._changed.notify_all()


class PickledWorker(PickledTask):
    """An object that is made once in its process, as a function of rows of Ray Data.

    Several threads may call it. An item that was begun before may be what ended the process: it
    runs alone, so that it takes no other one with it, and none counts its attempts.
    """

    def __init__(
        self,
        worker: type,
        arguments: tuple[Any, ...],
        attempts: Any,
        on_lost: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(worker(*arguments), "worker", attempts, on_lost)
        self.turns = SharedOrAlone()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row of the result."""
        import ray

        begun = ray.get(self.attempts.begun.remote(self.stage, int(row["number"])))
        with self.turns.enter(alone=begun > 0):
            return super().__call__(row)
