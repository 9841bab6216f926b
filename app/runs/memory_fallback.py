"""Settings to retry with when memory runs short: fewer beams, shorter passes, the processor."""

from __future__ import annotations

from dataclasses import dataclass, replace

MIN_FALLBACK_WINDOW = 1_024  # tokens; the weights outweigh what a smaller pass would save


@dataclass(frozen=True)
class RunSettings:
    """What a fallback changes of a run that is short of memory.

    None means the model's own window, and the device and dtype that the program was started with.
    """

    num_beams: int
    max_input_tokens: int | None = None
    device: str | None = None
    dtype: str | None = None


def next_fallback(
    settings: RunSettings, window: int, device: str, is_encoding: bool = False
) -> tuple[RunSettings, str] | None:
    """Return settings that need less memory, and a note for the person; None at the minimum.

    `window` is the number of tokens in a pass, `device` where the run ran short. While the encoder
    runs, fewer beams would save nothing.
    """
    beams = settings.num_beams
    if beams > 1 and not is_encoding:
        fewer = max(1, beams // 2)
        note = f"searched with {fewer} instead of {beams} beams"
        return replace(settings, num_beams=fewer), note
    if window > MIN_FALLBACK_WINDOW:
        smaller = max(MIN_FALLBACK_WINDOW, window // 2)
        note = f"read {smaller:,} instead of {window:,} tokens per pass"
        return replace(settings, max_input_tokens=smaller), note
    if (settings.device or device) != "cpu":
        return replace(settings, device="cpu"), f"computed on the processor, not on {device}"
    return None
