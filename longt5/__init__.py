"""LongT5 for long documents: encode 16,384 tokens, search with beams, stream exact text.

    model = LongT5ForConditionalGeneration.from_pretrained("assets/model")
    for draft in model.stream(input_ids, num_beams=4):
        ...

A name is imported when it is first used, so that what needs no tensors does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import LongT5Config
    from .generation import Draft, GenerationOutput, Stopped
    from .generation_config import GenerationConfig
    from .kernels.select import kernel_notices
    from .memory import free_memory, is_device_lost, is_out_of_memory, release_memory
    from .model import (
        EncoderStates,
        LongT5EncoderModel,
        LongT5ForConditionalGeneration,
        LongT5Model,
    )
    from .tokenizer import StreamingDecoder, Tokenizer

_HOMES = {
    "config": ("LongT5Config",),
    "generation": ("Draft", "GenerationOutput", "Stopped"),
    "generation_config": ("GenerationConfig",),
    "kernels.select": ("kernel_notices",),
    "memory": ("free_memory", "is_device_lost", "is_out_of_memory", "release_memory"),
    "model": (
        "EncoderStates",
        "LongT5EncoderModel",
        "LongT5ForConditionalGeneration",
        "LongT5Model",
    ),
    "tokenizer": ("StreamingDecoder", "Tokenizer"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Draft",
    "EncoderStates",
    "GenerationConfig",
    "GenerationOutput",
    "LongT5Config",
    "LongT5EncoderModel",
    "LongT5ForConditionalGeneration",
    "LongT5Model",
    "Stopped",
    "StreamingDecoder",
    "Tokenizer",
    "free_memory",
    "is_device_lost",
    "is_out_of_memory",
    "kernel_notices",
    "release_memory",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
