"""LongT5 in JAX: the Flax classes of transformers 4, as pure functions; ``pip install ".[jax]"``.

    model = FlaxLongT5ForConditionalGeneration.from_pretrained("assets/model")
    model.generate(input_ids, num_beams=4).sequences

The same configuration, checkpoints, options and results as the PyTorch classes; no torch.
"""

from importlib.util import find_spec

if find_spec("jax") is None:
    raise ImportError('longt5.flax needs JAX: pip install ".[jax]"')

from .cache import DecoderCache
from .functional import DecoderOutput, EncoderStates, Seq2SeqOutput, shift_tokens_right
from .model import FlaxLongT5ForConditionalGeneration, FlaxLongT5Model

__all__ = [
    "DecoderCache",
    "DecoderOutput",
    "EncoderStates",
    "FlaxLongT5ForConditionalGeneration",
    "FlaxLongT5Model",
    "Seq2SeqOutput",
    "shift_tokens_right",
]
