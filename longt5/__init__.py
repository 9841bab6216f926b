"""LongT5 for long documents: encode 16,384 tokens, search with beams, stream exact text.

    model = LongT5ForConditionalGeneration.from_pretrained("assets/model")
    for draft in model.stream(input_ids, num_beams=4):
        ...

Names are imported at their first use, so that code without tensors does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batching import Batcher
    from .checkpoint import commit_of, locate
    from .config import LongT5Config
    from .copy_processor import CopySource, copy_rule
    from .device import choose_device, choose_dtype
    from .generation import Draft, GenerationOutput, Stopped
    from .generation_config import GenerationConfig
    from .kernels.select import kernel_notices
    from .memory import free_memory, is_device_lost, is_out_of_memory, release_memory
    from .model import LongT5EncoderModel, LongT5ForConditionalGeneration, LongT5Model
    from .model_card import EvaluationScore, ModelCard
    from .outputs import EncoderStates, Seq2SeqOutput
    from .pipeline import SummarizationPipeline
    from .tokenizer import StreamingDecoder, Tokenizer, token_range

_NAMES_BY_MODULE = {
    "batching": ("Batcher",),
    "checkpoint": ("commit_of", "locate"),
    "config": ("LongT5Config",),
    "copy_processor": ("CopySource", "copy_rule"),
    "device": ("choose_device", "choose_dtype"),
    "generation": ("Draft", "GenerationOutput", "Stopped"),
    "generation_config": ("GenerationConfig",),
    "kernels.select": ("kernel_notices",),
    "memory": ("free_memory", "is_device_lost", "is_out_of_memory", "release_memory"),
    "model": ("LongT5EncoderModel", "LongT5ForConditionalGeneration", "LongT5Model"),
    "model_card": ("EvaluationScore", "ModelCard"),
    "outputs": ("EncoderStates", "Seq2SeqOutput"),
    "pipeline": ("SummarizationPipeline",),
    "tokenizer": ("StreamingDecoder", "Tokenizer", "token_range"),
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

__all__ = [
    "Batcher",
    "CopySource",
    "Draft",
    "EncoderStates",
    "EvaluationScore",
    "GenerationConfig",
    "GenerationOutput",
    "LongT5Config",
    "LongT5EncoderModel",
    "LongT5ForConditionalGeneration",
    "LongT5Model",
    "ModelCard",
    "Seq2SeqOutput",
    "Stopped",
    "StreamingDecoder",
    "SummarizationPipeline",
    "Tokenizer",
    "choose_device",
    "choose_dtype",
    "commit_of",
    "copy_rule",
    "free_memory",
    "is_device_lost",
    "is_out_of_memory",
    "kernel_notices",
    "locate",
    "release_memory",
    "token_range",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
