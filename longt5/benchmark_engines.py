"""The engines that the benchmark compares, each through the same interface, and their inputs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from . import device as devices
from . import weights
from .config import LongT5Config
from .memory import synchronize
from .model import EncoderStates, LongT5ForConditionalGeneration

COMMON_SHAPE = {
    "feed_forward_proj": "gated-gelu",
    "encoder_attention_type": "transient-global",
    "dropout_rate": 0.0,
    "tie_word_embeddings": False,
}
# small has the shape of the bundled checkpoint; base and large those of the published ones.
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"d_model": 64, "d_kv": 16, "num_heads": 2, "d_ff": 96, "num_layers": 2,
             "vocab_size": 128},
    "small": {"d_model": 320, "num_heads": 5, "d_ff": 832, "num_layers": 6,
              "num_decoder_layers": 4, "vocab_size": 12352, "tie_word_embeddings": True},
    "base": {"d_model": 768, "num_heads": 12, "d_ff": 2048, "num_layers": 12},
    "large": {"d_model": 1024, "num_heads": 16, "d_ff": 2816, "num_layers": 24},
}  # fmt: skip
DTYPE_FLAGS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
ENGINES = ("longt5", "transformers", "jax")


def config_of(preset: str) -> LongT5Config:
    """Return the config of a preset: small is the bundled checkpoint, base and large published."""
    return LongT5Config(**{**COMMON_SHAPE, **PRESETS[preset]})


def write_checkpoint(folder: Path, preset: str, seed: int) -> None:
    """Write random float32 weights of a seed as a checkpoint that both engines load."""
    torch.manual_seed(seed)
    model = LongT5ForConditionalGeneration(config_of(preset))
    if not model.config.tie_word_embeddings:
        weights.untie(model)
        model.lm_head.weight.data.normal_()
    model.save_pretrained(folder)


def sample_ids(config: LongT5Config, tokens: int, seed: int, batch: int = 1) -> Tensor:
    """Return random ids [batch, tokens] that end with EOS."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, config.vocab_size, (batch, tokens), generator=generator)
    ids[:, -1] = 1
    return ids


class Engine(Protocol):
    """The interface of an engine to the measurements."""

    name: str
    dtype: str
    device: torch.device

    def encode(self, ids: Tensor) -> Any: ...
    def decode(self, ids: Tensor, encoded: Any, beams: int, new: int) -> tuple[list, list]: ...
    def logits(self, encoded: Any, target: Tensor) -> Tensor: ...


class Ours:
    """This engine; ``dtype`` may also be "auto" or "int8" (weights of the decode step)."""

    name = "longt5"

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        self.device = devices.choose_device(device, LongT5ForConditionalGeneration)
        wanted = DTYPE_FLAGS.get(dtype, dtype)
        self.model = LongT5ForConditionalGeneration.from_pretrained(
            folder, device=self.device, dtype=wanted
        )
        kinds = {kind: name for name, kind in DTYPE_FLAGS.items()}
        is_int8 = dtype == "int8" and self.device.type == "cpu"
        self.dtype = "int8" if is_int8 else kinds[self.model.dtype]

    def encode(self, ids: Tensor) -> EncoderStates:
        return self.model.encode(ids)

    def decode(self, ids: Tensor, encoded: EncoderStates, beams: int, new: int) -> tuple:
        stamps = [time.perf_counter()]
        committed: list[int] = []
        for draft in self.model.stream(
            encoded=encoded, num_beams=beams, min_new_tokens=new, max_new_tokens=new
        ):
            if draft.row == 0:
                stamps.append(time.perf_counter())
                committed = draft.committed
        return committed, stamps

    @torch.no_grad()
    def logits(self, encoded: EncoderStates, target: Tensor) -> Tensor:
        """Return logits [T, V] of the first source by cached steps, the path under test."""
        cache = self.model.init_cache(encoded, 1, target.shape[1])
        rows = target.expand(len(encoded.last_hidden_state), -1)
        steps = [self.model.decode_step(rows[:, i], cache)[0] for i in range(target.shape[1])]
        return torch.stack(steps)


class Transformers:
    """transformers, used as its documentation says."""

    name = "transformers"

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.device = devices.choose_device(device, LongT5ForConditionalGeneration)
        self.dtype = dtype
        model: Any = transformers.LongT5ForConditionalGeneration
        self.model = model.from_pretrained(folder, dtype=DTYPE_FLAGS[dtype]).to(self.device).eval()
        self.base: Any = transformers.StoppingCriteria

    @torch.inference_mode()
    def encode(self, ids: Tensor) -> Any:
        return self.model.get_encoder()(ids.to(self.device))

    @torch.inference_mode()
    def decode(self, ids: Tensor, encoded: Any, beams: int, new: int) -> tuple:
        stamps = [time.perf_counter()]
        device = self.device

        class Clock(self.base):  # type: ignore[misc, name-defined]
            def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
                synchronize(device)
                stamps.append(time.perf_counter())
                return torch.zeros(len(input_ids), dtype=torch.bool, device=device)

        # A copy: generation repeats the states of the outputs it is given, in place.
        states = type(encoded)(last_hidden_state=encoded.last_hidden_state)
        out = self.model.generate(
            encoder_outputs=states,
            num_beams=beams,
            min_new_tokens=new,
            max_new_tokens=new,
            do_sample=False,
            use_cache=True,
            stopping_criteria=[Clock()],
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=1,
        )
        return out[0, 1 : new + 1].tolist(), stamps

    @torch.inference_mode()
    def logits(self, encoded: Any, target: Tensor) -> Tensor:
        target = target.to(self.device).expand(len(encoded.last_hidden_state), -1)
        out = self.model(encoder_outputs=encoded, decoder_input_ids=target, use_cache=False)
        return out.logits[0].float()


class Jax:
    """The JAX classes, compiled before they are timed; a step's time is the slope of two runs."""

    name = "jax"

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        from .flax import FlaxLongT5ForConditionalGeneration

        self.device, self.dtype = torch.device("cpu"), "bf16" if dtype == "bf16" else "fp32"
        kind = {"bf16": "bfloat16", "fp32": "float32"}[self.dtype]
        self.model = FlaxLongT5ForConditionalGeneration.from_pretrained(folder, dtype=kind)

    def encode(self, ids: Tensor) -> Any:
        encoded = self.model.encode(ids.numpy())
        encoded.last_hidden_state.block_until_ready()
        return encoded

    def decode(self, ids: Tensor, encoded: Any, beams: int, new: int) -> tuple[list, list]:
        seconds, tokens = [], []
        for count in (1, new):
            for _ in range(2):  # the first one compiles
                start = time.perf_counter()
                out = self.model.generate(
                    encoder_outputs=encoded,
                    num_beams=beams,
                    min_new_tokens=count,
                    max_new_tokens=count,
                )
                taken = time.perf_counter() - start
            seconds.append(taken)
            tokens = out.sequences[0, 1 : count + 1].tolist()
        step = (seconds[1] - seconds[0]) / max(1, new - 1)
        return tokens, [0.0, *(seconds[0] + i * step for i in range(new))]

    def logits(self, encoded: Any, target: Tensor) -> Tensor:
        scores: Any = self.model.decode(target.numpy(), encoded).logits
        return torch.tensor(scores[0].tolist())
