"""Errors of a device that runs out of memory or fails, caught or turned into AppErrors."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from ..errors import BadOption, DeviceLost
from ..events import Event


class DeviceErrors:
    """A context manager that suppresses out-of-memory and lost-device errors and records them.

    React after the block: until it ends, the error's traceback keeps the tensors alive.
    """

    def __init__(self) -> None:
        self.is_out_of_memory = False
        self.is_device_lost = False

    def __enter__(self) -> DeviceErrors:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        from longt5 import is_device_lost, is_out_of_memory

        if not isinstance(error, Exception):
            return False
        self.is_device_lost = is_device_lost(error)
        self.is_out_of_memory = not self.is_device_lost and is_out_of_memory(error)
        return self.is_device_lost or self.is_out_of_memory


def translate_device_errors(events: Iterator[Event]) -> Iterator[Event]:
    """Yield the events; re-raise out-of-memory and lost-device errors as AppErrors.

    Raises BadOption when memory runs out, and DeviceLost.
    """
    with DeviceErrors() as failed:
        yield from events
    if failed.is_device_lost:
        raise DeviceLost()
    if failed.is_out_of_memory:
        raise BadOption(
            "The memory ran out: choose fewer beams (--num-beams 1), shorter passes "
            "(--max-input-tokens 2048), or the processor (--device cpu)."
        )
