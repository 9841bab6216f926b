"""LongT5 for long documents: encode 16,384 tokens, search with beams, stream exact text.

    model = LongT5ForConditionalGeneration.from_pretrained("assets/model")
    for draft in model.stream(input_ids, num_beams=4):
        ...
"""

from .config import LongT5Config
from .generation import Draft, GenerationConfig, GenerationOutput, Stopped
from .memory import free_memory, is_out_of_memory, release_memory
from .model import (
    EncoderStates,
    LongT5EncoderModel,
    LongT5ForConditionalGeneration,
    LongT5Model,
)
from .tokenizer import StreamingDecoder, Tokenizer

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
    "is_out_of_memory",
    "release_memory",
]
