"""A GPU that is not there: the meta device takes its place, and what crosses over is counted."""

from __future__ import annotations

import functools
import traceback
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import torchgen
import yaml
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from longt5 import LongT5Config, LongT5ForConditionalGeneration, beam_search, blocks
from longt5.copy_processor import CopyPenalty
from longt5.device import choose_device
from longt5.kernels import checks, graph, native, select

aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)
INDEXING = (aten.index, aten.index_put, aten.index_put_)  # take indices of the processor
IDS = torch.ones(2, 45, dtype=torch.long)
SPANS = [[(0, 20), (20, 45)]] * 2


class Border(TorchDispatchMode):
    """Counts transfers between processor and device by file, and computes for the device, which
    has no data."""

    def __init__(self) -> None:
        super().__init__()
        self.to_host: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.doubles: set[str] = set()
        self.operators: set[str] = set()
        self.recording = False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [x for x in tree_leaves([args, kwargs]) if isinstance(x, torch.Tensor)]
        far = [x for x in tensors if x.is_meta]
        near = [x for x in tensors if not x.is_meta and x.dim()]
        target = torch.device(kwargs.get("device") or "meta").type
        if far or "meta" in str(kwargs.get("device")):
            self.operators.add(str(function).removeprefix("aten.").removesuffix(".default"))
        crosses = function in COPIES and (bool(near) or target == "cpu")
        if far and near and not crosses and function.overloadpacket not in INDEXING:
            self.wrong.append(f"{function} mixes devices in {_place()}")
        # Lists that index become tensors on the device unseen, by way of the processor.
        indexes = function.overloadpacket in INDEXING
        if self.recording and (near or crosses or indexes):
            self.wrong.append(f"{function} cannot be recorded in {_place()}")
        answer = self._answer(function, far, kwargs) if far else None
        if answer is not None:
            self.to_host[_place()] += 1
            if self.recording:
                self.wrong.append(f"{function} waits in a recording in {_place()}")
            return answer
        out = function(*args, **kwargs)
        if any(
            x.is_meta and x.dtype is torch.float64
            for x in tree_leaves(out)
            if isinstance(x, torch.Tensor)
        ):
            self.doubles.add(_place())
        return out

    def _answer(self, function, far, kwargs):
        if function is aten._local_scalar_dense.default:
            return far[0].dtype is torch.bool or 1
        if function is aten.equal.default:
            return False
        if function is aten.nonzero.default:
            return torch.zeros(0, far[0].dim(), dtype=torch.long, device="meta")
        target = torch.device(kwargs.get("device") or "meta").type
        if function is aten._to_copy.default and target == "cpu":
            return torch.zeros(far[0].shape, dtype=kwargs.get("dtype") or far[0].dtype)
        return None


def _place() -> str:
    stack = reversed(traceback.extract_stack())
    return next((f.filename.split("/")[-1] for f in stack if "/longt5/" in f.filename), "?")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch):
    """Return a tiny model on the device, where every kernel passes its check."""
    monkeypatch.setattr(select, "_matches_reference", lambda *_: True)
    monkeypatch.setattr(beam_search, "PACKING_DEVICES", ("cpu", "meta"))
    shape = LongT5Config(
        vocab_size=64,
        d_model=32,
        d_kv=16,
        d_ff=48,
        num_heads=2,
        num_layers=2,
        num_decoder_layers=2,
        encoder_attention_type="transient-global",
        local_radius=7,
        global_block_size=4,
    )
    return LongT5ForConditionalGeneration(shape).to("meta").eval()


def recorded(monkeypatch: pytest.MonkeyPatch, border: Border) -> list[graph.StepResult]:
    """Record steps, in which no transfer is allowed; return their results."""
    results: list[graph.StepResult] = []

    def record(run, device):
        border.recording = True
        with monkeypatch.context() as inside:
            inside.setattr(torch, "tensor", None)  # numbers would have to be sent
            results.append(run())
        border.recording = False
        return lambda: results[-1]

    monkeypatch.setattr(graph, "can_record", lambda device: True)
    monkeypatch.setattr(graph, "record", record)
    return results


def test_an_encode_stays_on_the_device(model) -> None:
    with Border() as border:
        model.encode(IDS)
    assert not border.wrong and not border.doubles
    # Where padding is, asked once; whether there is any, once a layer.
    assert border.to_host.pop("chunked.py") == 2  # its places are found, then told
    assert border.to_host == {"blocks.py": 2, "masks.py": 1}  # whether a row has no token


RULES = {
    "no_repeat_ngram_size": 2, "encoder_no_repeat_ngram_size": 3, "repetition_penalty": 1.2,
    "encoder_repetition_penalty": 1.1, "bad_words_ids": [[4], [5, 6]], "suppress_tokens": [7],
    "forced_bos_token_id": 3, "forced_eos_token_id": 1,
}  # fmt: skip


@pytest.mark.parametrize("is_recorded", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 4},
        {"num_beams": 1},
        {"num_beams": 3, "do_sample": True, "top_k": 5, "top_p": 0.9, "temperature": 0.7},
        {"num_beams": 4, **RULES},
        {"num_beams": 4, "copies": True},
        {"num_beams": 4, "alignment_heads": [[0, 1], [1, 0]]},
    ],
)
def test_a_step_transfers_once_to_the_host(
    model, monkeypatch: pytest.MonkeyPatch, options, is_recorded
) -> None:
    options = dict(options)
    if options.pop("copies", False):
        options["logits_processor"] = [CopyPenalty(30.0, [[[5, 6, 9], [5, 7]]] * 2, 4, 1)]
    with Border() as border:
        encoded = model.encode(IDS)
        results = recorded(monkeypatch, border) if is_recorded else []
        border.to_host.clear()
        drafts = model.stream(
            encoded=encoded,
            max_new_tokens=10,
            min_new_tokens=9,
            record_attention=True,
            spans=SPANS,
            **options,
        )
        steps = len(list(drafts)) // 2
    assert steps > 5 and not border.wrong
    assert border.to_host.pop("masks.py") == 1  # whether anything is padding
    border.to_host.pop("logits_processors.py", 0)  # the source, once, for its n-grams
    search = "greedy_search.py" if options["num_beams"] == 1 else "beam_search.py"
    assert border.to_host.pop(search) == steps
    assert border.to_host.pop("attention_record.py") <= 2 * steps  # of tokens that became certain
    assert not border.to_host and border.doubles <= {"beam_search.py"}
    assert len(results) == is_recorded
    for logits, shares in results:
        assert logits.dim() == 2 and [x.dim() for x in shares.values()] == [3, 3]


@functools.cache
def on_a_mac() -> set[str]:
    """Return the operators that PyTorch's table has for MPS, or composes of such."""
    table = Path(torchgen.__file__).parent / "packaged/ATen/native/native_functions.yaml"
    rows = yaml.load(table.read_text(encoding="utf-8"), yaml.CSafeLoader)
    known = {row["func"].split("(")[0]: row for row in rows}

    def has(row) -> bool:
        row = known[row["structured_delegate"]] if "structured_delegate" in row else row
        kinds = ",".join(row.get("dispatch", {"CompositeImplicitAutograd": ""}))
        return "MPS" in kinds or "Composite" in kinds

    return {name for name, row in known.items() if has(row)}


@pytest.mark.parametrize("kind", ["transient-global", "local"])
@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 4, **RULES, "alignment_heads": [[0, 1]]},
        {"num_beams": 1},
        {"num_beams": 3, "do_sample": True, "top_k": 5, "top_p": 0.9, "temperature": 0.7},
    ],
)
def test_all_operators_exist_on_mps(model, monkeypatch: pytest.MonkeyPatch, kind, options) -> None:
    monkeypatch.setattr(beam_search, "PACKING_DEVICES", ("cuda",))
    shape = replace(model.config, encoder_attention_type=kind, feed_forward_proj="gated-gelu")
    model = LongT5ForConditionalGeneration(shape).to("meta", torch.float16).eval()
    with Border() as border:
        list(model.stream(IDS, max_new_tokens=6, record_attention=True, spans=SPANS, **options))
    assert len(border.operators) > 40 and border.operators <= on_a_mac()
    assert "mkldnn_linear" not in on_a_mac()  # so the table knows what is missing


def test_no_float64_on_devices_without_it(model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beam_search, "PACKING_DEVICES", ("cuda",))
    with Border() as border:
        list(model.stream(IDS, num_beams=4, max_new_tokens=4))
    assert not border.doubles and not border.wrong


def test_the_border_detects_what_cannot_be_recorded() -> None:
    far = torch.ones(3, 4, device="meta")
    for run in (
        lambda: far[:, [0, 1]],
        lambda: far.sum().item(),
        lambda: far.copy_(torch.ones(3, 4)),
        lambda: far.cpu(),
        lambda: torch.ones(2).to("meta"),
    ):
        with Border() as border:
            border.recording = True
            run()
        assert border.wrong


def test_buckets_are_computed_on_the_cpu(model, monkeypatch: pytest.MonkeyPatch) -> None:
    """16, 32 and 64 lie on edges, which a GPU's logarithm can miss by its last digit."""
    seen, bucket = [], blocks.relative_position_bucket

    def watched(relative, **options):
        seen.append(relative.device.type)
        return bucket(relative, **options)

    monkeypatch.setattr(blocks, "relative_position_bucket", watched)
    with Border():
        model.init_cache(model.encode(IDS), 1, 4)
    assert seen == ["cpu"] * 3


def test_progress_is_reported_after_a_layer_is_done(model, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr("longt5.model.synchronize", lambda device: events.append(device.type))
    with Border():
        model.encode(IDS, on_progress=lambda *_: events.append("told"))
    assert events == ["meta", "told"] * 2


@pytest.mark.parametrize("fault", ["", "raises", "wrong", "full"])
def test_auto_takes_a_gpu_that_computes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault
) -> None:
    def error(case):
        assert (case.name, case.dtype, case.device.type) == ("device", torch.float32, "cuda")
        if fault == "raises":
            raise torch.AcceleratorError("CUDA error: no kernel image is available\nCompile with")
        if fault == "full":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return 0.5 if fault == "wrong" else 1e-6

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    choose = partial(choose_device, model_class=LongT5ForConditionalGeneration)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setitem(checks.CHECKS, "device", error)
    monkeypatch.setattr(select, "_notices", [])
    select.device_computes.cache_clear()
    try:
        assert choose("auto").type == ("cpu" if fault else "cuda")
        assert choose("auto").type == ("cpu" if fault else "cuda")
        notices = select.kernel_notices()
        assert len(notices) == bool(fault) and "Compile with" not in capsys.readouterr().err
        assert all(n.endswith("the processor is used instead.") for n in notices)
        assert choose("cuda:0").type == "cuda"  # was asked for
        with pytest.raises(ValueError, match="There is no cuda:1 here; the last one is cuda:0"):
            choose("cuda:1")
        monkeypatch.setitem(__import__("sys").modules, "spaces", object())
        select.device_computes.cache_clear()
        assert choose("auto").type == "cuda"  # lent later: there is nothing to try it on
    finally:
        select.device_computes.cache_clear()


def test_the_device_check_detects_wrong_results(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise AssertionError("it needs no compiler")

    cpu = torch.device("cpu")
    check = partial(select.compare, "device", torch.float32, cpu, LongT5ForConditionalGeneration)
    monkeypatch.setattr(native, "library", lambda: None)
    result = check()
    assert result.passed and result.error < 1e-5
    # As if the beams were put in order wrongly there:
    monkeypatch.setattr("longt5.cache.DecoderCache.reorder", lambda self, parents: None)
    assert not check().passed
    # The processor's side compiles nothing, which a GPU does not need.
    monkeypatch.setattr(native, "library", fails)
    zeros = [torch.zeros(4, 64)] * 3
    monkeypatch.setattr(checks, "_logits_of_steps", lambda model, encoded, **_: zeros)
    monkeypatch.setattr(LongT5ForConditionalGeneration, "encode", lambda self, ids: None)
    assert not check().problem


def test_a_gpu_too_small_for_the_weights_falls_back_to_the_cpu(
    model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    LongT5ForConditionalGeneration(model.config).save_pretrained(tmp_path)
    move = torch.nn.Module.to

    def to(self, *where, **options):
        if where and getattr(where[0], "type", "") == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return move(self, *where, **options)

    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(select, "device_computes", lambda *_: True)
    monkeypatch.setattr(select, "_notices", [])
    loaded = LongT5ForConditionalGeneration.from_pretrained(tmp_path)
    assert loaded.device.type == "cpu"
    assert select.kernel_notices() == [
        "The device cuda has no room for the model; the processor is used instead."
    ]
    with pytest.raises(torch.OutOfMemoryError):
        LongT5ForConditionalGeneration.from_pretrained(tmp_path, device="cuda")
