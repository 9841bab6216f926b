"""What a run will need of memory, said before it begins when the machine has clearly less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import BadOption
from ..wording import counted

CHARACTERS_PER_TOKEN = 3  # about the least; more would make the estimate smaller
# Rows of the residual stream's size that a layer of the encoder works with, as measured.
ENCODER_ROWS = 10
SELF_CACHE_COPIES = 2  # the cache and its reordered self
LOGITS_COPIES = 4
CLEARLY = 1.25  # an estimate is not a measurement


def run_bytes(config: Any, tokens: int, beams: int, new_tokens: int, item: int = 4) -> int:
    """About how much a pass over `tokens` takes beside the weights; `item`: bytes of a number."""
    row = tokens * config.d_model * 4
    inner = config.num_heads * config.d_kv
    layers = config.num_decoder_layers or config.num_layers
    cross = 2 * tokens * inner * item * layers
    own = 2 * beams * new_tokens * inner * item * layers * SELF_CACHE_COPIES
    logits = beams * config.vocab_size * 4 * LOGITS_COPIES
    return int(row + max(ENCODER_ROWS * row, cross + own + logits))


def available_bytes() -> int | None:
    """What this machine can still give; None where nobody tells."""
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


def require_room(model: Any, characters: int, window: int, beams: int, new_tokens: int) -> None:
    """Raises BadOption with the numbers when a pass clearly does not fit."""
    from longt5 import free_memory

    free = free_memory(model.device)
    free = available_bytes() if free is None else free
    tokens = min(window, characters // CHARACTERS_PER_TOKEN + 1)
    need = run_bytes(model.config, tokens, beams, new_tokens, model.dtype.itemsize)
    if free is not None and need > free * CLEARLY:
        raise BadOption(
            f"Passes of {tokens:,} tokens with {counted(beams, 'beam')} need about "
            f"{in_words(need)} of memory and {in_words(free)} are free: choose fewer tokens per "
            "pass or fewer beams."
        )


def require_room_for_weights(folder: Path) -> None:
    """Raises BadOption when the weights of a checkpoint folder clearly do not fit."""
    sizes = [p.stat().st_size for p in folder.glob("*.safetensors")]
    sizes = sizes or [p.stat().st_size for p in folder.glob("*.bin")]
    free = available_bytes()
    if free is not None and sum(sizes) > free * CLEARLY:
        raise BadOption(
            f"The model's weights are {in_words(sum(sizes))} and {in_words(free)} of memory are "
            "free: close other programs, or choose a smaller model."
        )


def in_words(count: int) -> str:
    """`1.2 GB` or `350 MB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
