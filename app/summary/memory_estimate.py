"""An estimate of the memory that a run needs, to refuse it when the machine clearly has less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import BadOption, ModelNotFound
from ..wording import counted

# The fewest characters per token that texts have; a larger number would underestimate the tokens.
CHARACTERS_PER_TOKEN = 3
# Buffers of [tokens, d_model] that an encoder layer holds at once, as measured.
ENCODER_BUFFERS = 10
SELF_CACHE_COPIES = 2  # the cache and its copy in the order of the surviving beams
LOGITS_COPIES = 4  # scores, log-probabilities and their sorted copies
# Of a batch: four full windows at once, where half of the free memory holds them.
MAX_BATCH_TOKENS = 4 * 16_384
BATCH_SHARE = 0.5
# An estimate is not a measurement: only a need that exceeds the free memory by this is refused.
REFUSAL_MARGIN = 1.25
# The header of the largest published LongT5 has some 100 kB; one of 90 MB took over two minutes.
MAX_HEADER_BYTES = 5_000_000


def run_bytes(config: Any, tokens: int, beams: int, new_tokens: int, item: int = 4) -> int:
    """Return about how many bytes a pass takes in addition to the weights.

    `tokens` are read and `new_tokens` written by each beam; `item` is the size of a number.
    """
    row = tokens * config.d_model * 4
    inner = config.num_heads * config.d_kv
    layers = config.num_decoder_layers or config.num_layers
    cross = 2 * tokens * inner * item * layers
    own = 2 * beams * new_tokens * inner * item * layers * SELF_CACHE_COPIES
    logits = beams * config.vocab_size * 4 * LOGITS_COPIES
    return int(row + max(ENCODER_BUFFERS * row, cross + own + logits))


def available_bytes() -> int | None:
    """Return the memory that this machine has free, or None if unknown."""
    try:
        import psutil
    except ImportError:
        return _from_proc()
    return int(psutil.virtual_memory().available)


def _from_proc(path: str = "/proc/meminfo") -> int | None:
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def require_memory(model: Any, characters: int, window: int, beams: int, new_tokens: int) -> None:
    """Raise BadOption, with both sizes, when a pass clearly does not fit into memory."""
    free = _free_bytes(model)
    tokens = min(window, characters // CHARACTERS_PER_TOKEN + 1)
    need = run_bytes(model.config, tokens, beams, new_tokens, model.dtype.itemsize)
    if free is not None and need > free * REFUSAL_MARGIN:
        raise BadOption(
            f"Passes of {tokens:,} tokens with {counted(beams, 'beam')} need about "
            f"{format_bytes(need)} of memory and {format_bytes(free)} are free: choose fewer "
            "tokens per pass or fewer beams."
        )


def batch_tokens(model: Any) -> int:
    """Return how many source tokens the searches of a batch may hold, as much as memory allows."""
    config, free = model.config, _free_bytes(model)
    layers = config.num_decoder_layers or config.num_layers
    cross = 2 * config.num_heads * config.d_kv * model.dtype.itemsize * layers
    bytes_per_token = cross + config.d_model * 4
    if free is None:
        return MAX_BATCH_TOKENS
    return max(1, min(MAX_BATCH_TOKENS, int(free * BATCH_SHARE / bytes_per_token)))


def _free_bytes(model: Any) -> int | None:
    """Return the free memory where a model computes, or None if unknown."""
    from longt5 import free_memory

    free = free_memory(model.device)
    return available_bytes() if free is None else free


def require_memory_for_weights(folder: Path) -> None:
    """Raise BadOption when the weights of a checkpoint folder clearly do not fit into memory."""
    size, free = weights_bytes(folder), available_bytes()
    if free is not None and size > free * REFUSAL_MARGIN:
        raise BadOption(
            f"The model's weights are {format_bytes(size)} and {format_bytes(free)} of "
            "memory are free: close other programs, or choose a smaller model."
        )


def weights_bytes(folder: Path) -> int:
    """Return the size of the weights in a checkpoint folder."""
    files = [*folder.glob("*.safetensors")] or [*folder.glob("*.bin")]
    return sum(path.stat().st_size for path in files)


def require_plain_headers(folder: Path) -> None:
    """Raise ModelNotFound when a file of weights lists far more tensors than any LongT5 has.

    Reading such a list takes minutes, in which nothing else could run.
    """
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER_BYTES:
            raise ModelNotFound(
                f"The weights in {path.name} list more tensors than any LongT5 checkpoint has: "
                "choose another model."
            )


def format_bytes(count: int) -> str:
    """Return `1.2 GB` or `350 MB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
