"""Training a tiny model to the end: it memorizes ten pairs, resumes exactly, and loads."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

from app.summary.summarizer import Summarizer
from longt5 import LongT5ForConditionalGeneration, Tokenizer, errors
from longt5.errors import UserError
from longt5.text.salience import Salience
from longt5.training import curves, loop, recipe, start, world
from longt5.training.__main__ import main
from tests.conftest import ROOT

RECIPES = ROOT / "longt5" / "training" / "recipes"
PAIRS = {
    "the cat sleeps": "die katze schläft", "the dog barks": "der hund bellt",
    "a child reads a book": "ein kind liest ein buch", "the sun is warm": "die sonne ist warm",
    "we walk to the lake": "wir gehen zum see", "the bread is fresh": "das brot ist frisch",
    "she sings a song": "sie singt ein lied", "the door is open": "die tür ist offen",
    "two birds fly south": "zwei vögel fliegen nach süden", "it rains today": "heute regnet es",
}  # fmt: skip
TINY = {
    "seed": 3, "batch_tokens": 400, "precision": "float32", "save_dtype": "float32",
    "model": {"d_model": 64, "d_kv": 16, "num_heads": 4, "d_ff": 128, "num_layers": 2,
              "feed_forward_proj": "gated-gelu", "encoder_attention_type": "transient-global",
              "local_radius": 7, "global_block_size": 4},
    "vocabulary": {"size": 300, "max_length": 512},
    "data": {"train": ["pairs.jsonl"], "validation": "pairs.jsonl"},
    "optimizer": {"lr": 5e-3, "warmup": 10},
    "generation": {"max_new_tokens": 40},
    "stages": [{"steps": 150, "sources": {"64": 1.0}}],
    "validate_every": 50, "save_every": 50,
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = [json.dumps({"source": s, "target": t}) + "\n" for s, t in PAIRS.items()]
    (folder / "pairs.jsonl").write_text("".join(rows), encoding="utf-8")
    return folder


def trainer(data: Path, out: Path, **changes) -> loop.Trainer:
    made = recipe.parse_recipe({**TINY, **changes}, "summary")
    here = world.World(0, 1, torch.device("cpu"))
    records, validation = start.load_records(made, data)
    model, tokenizer = start.prepare_model(made, records, out, here)
    return loop.Trainer(model, tokenizer, made, records, validation, out, here)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    """Train a toy translation by the command."""
    folder = tmp_path_factory.mktemp("toy")
    argv = ["fine-tune", "--config", str(RECIPES / "translation.toml"), "--data", str(data)]
    assert main([*argv, "--out", str(folder), "--device", "cpu"]) == 0
    return folder


def test_ten_pairs_are_memorized(trained) -> None:
    tokenizer = Tokenizer.from_pretrained(trained / "model")
    model = LongT5ForConditionalGeneration.from_pretrained(
        trained / "model", device="cpu", dtype="float32"
    )
    for source, target in PAIRS.items():
        ids = torch.tensor([tokenizer.encode(source)])
        assert tokenizer.decode(model.generate(ids).sequences[0].tolist()) == target
        beams = model.generate(ids, num_beams=3).sequences[0].tolist()
        assert tokenizer.decode(beams) == target


def test_a_run_writes_a_checkpoint_folder(trained) -> None:
    source, target = next(iter(PAIRS.items()))
    reference = transformers.LongT5ForConditionalGeneration.from_pretrained(trained / "model")
    tokenizer = transformers.T5Tokenizer.from_pretrained(trained / "model")
    ids = tokenizer(source, return_tensors="pt").input_ids
    words = reference.generate(ids, max_new_tokens=40, do_sample=False)[0]
    assert tokenizer.decode(words, skip_special_tokens=True) == target
    assert Summarizer.load(str(trained / "model"), device="cpu").window == 512


def test_a_run_writes_its_log_and_curves(trained) -> None:
    rows = curves.read_log(trained / "log.csv")
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    assert float(rows[-1]["loss"]) < 0.1 < 3 < float(rows[0]["loss"])
    checked = [row for row in rows if row["rouge1"]]
    assert len(checked) > 1 and float(checked[-1]["rouge1"]) == 1
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")


class Killed(Exception):
    """What ends a run in the middle."""


def losses(folder: Path) -> list[tuple[str, str]]:
    with (folder / "log.csv").open(encoding="utf-8") as file:
        return [(row["loss"], row["norm"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": {"name": "adafactor", "schedule": "rsqrt", "lr": 0.01}, "accumulation": 2},
    ],
)
def test_a_killed_run_resumes_with_the_same_losses(data, tmp_path: Path, changes) -> None:
    stages = [
        {"steps": 3, "objectives": {"span-corruption": 1}, "sources": {"64": 1}},
        {"steps": 6, "sources": {"32": 0.5, "64": 0.5}},
    ]
    changes = {
        **changes,
        "stages": stages,
        "dropout": 0.1,
        "save_every": 2,
        "validate_every": 4,
        "batch_tokens": 120,
    }
    trainer(data, tmp_path / "whole", **changes).run()

    def kill(step: int, loss: float) -> None:
        if step in (1, 5):
            raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            trainer(data, tmp_path / "cut", **changes).run(kill)
    trainer(data, tmp_path / "cut", **changes).run()
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    with pytest.raises(UserError, match="another recipe"):
        trainer(data, tmp_path / "cut", **{**changes, "seed": 4})


def test_a_resumed_run_has_the_number_format_of_its_start(
    data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "precision": "auto",
        "stages": [{"steps": 4, "sources": {"64": 1.0}}],
        "save_every": 2,
    }

    def kill(step: int, loss: float) -> None:
        if step == 2:
            raise Killed

    monkeypatch.setattr(loop, "has_fast_bfloat16", lambda device: False)
    trainer(data, tmp_path / "whole", **changes).run()
    with pytest.raises(Killed):
        trainer(data, tmp_path / "cut", **changes).run(kill)
    monkeypatch.setattr(loop, "has_fast_bfloat16", lambda device: True)
    trainer(data, tmp_path / "cut", **changes).run()
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


RECIPE = """batch_tokens = 400
precision = "float32"
save_every = 1
data = {train = ["pairs.jsonl"]}
vocabulary = {size = 300}
model = {d_model = 32, d_kv = 8, num_heads = 2, d_ff = 32, num_layers = 1}
[[stages]]
steps = 2
sources = {64 = 1.0}
"""


def command(data: Path, out: Path) -> int:
    """Run a short training by the command."""
    (data / "short.toml").write_text(RECIPE, encoding="utf-8")
    argv = ["fine-tune", "--config", str(data / "short.toml"), "--data", str(data)]
    return main([*argv, "--out", str(out), "--device", "cpu"])


@pytest.mark.parametrize(
    "step, error, code, said",
    [
        (1, torch.OutOfMemoryError("CUDA out of memory."), 1, "Memory ran out: try a smaller"),
        (2, OSError(28, "No space left on device"), 1, "No space left on device): check space"),
        (1, KeyboardInterrupt(), 130, "Stopped before anything was saved."),
        (2, KeyboardInterrupt(), 130, "The same command resumes from"),
    ],
)
def test_errors_that_end_a_run_are_one_sentence(
    data, tmp_path, capsys, monkeypatch, step: int, error: BaseException, code: int, said: str
) -> None:
    backward = loop.Trainer._backward

    def fail(self, batch, targets):
        if self.step == step - 1:
            raise error
        return backward(self, batch, targets)

    monkeypatch.setattr(loop.Trainer, "_backward", fail)
    assert command(data, tmp_path) == code
    assert said in capsys.readouterr().err
    monkeypatch.setattr(loop.Trainer, "_backward", backward)
    assert command(data, tmp_path) == 0


def test_a_full_disk_leaves_the_previous_state(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def half(state, path) -> None:
        if state["step"] < 2:
            return save(state, path)
        Path(path).write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos")

    monkeypatch.setattr(torch, "save", half)
    assert command(data, tmp_path) == 1
    assert "resumes from" in capsys.readouterr().err
    monkeypatch.setattr(torch, "save", save)
    assert command(data, tmp_path) == 0
    assert [row["step"] for row in curves.read_log(tmp_path / "log.csv")] == ["1", "2"]


@pytest.mark.parametrize("kept", [0, 5_000])
def test_a_damaged_state_is_reported(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: int
) -> None:
    assert command(data, tmp_path) == 0
    state = tmp_path / "state.pt"
    state.write_bytes(state.read_bytes()[:kept])
    assert command(data, tmp_path) == 1
    assert "state.pt cannot be read" in capsys.readouterr().err


def test_a_truncated_line_of_the_log_is_dropped(data, tmp_path: Path) -> None:
    assert command(data, tmp_path) == 0
    with (tmp_path / "log.csv").open("a") as file:
        file.write("1,0,2.5e-")  # of step 12, when the disk was full
    assert command(data, tmp_path) == 0
    assert [row["step"] for row in curves.read_log(tmp_path / "log.csv")] == ["1", "2"]


def test_a_nan_loss_gives_advice(data, tmp_path, capsys, monkeypatch) -> None:
    """Another recipe does not go on from the state of this one."""
    monkeypatch.setattr(loop.Trainer, "_backward", lambda *_: float("nan"))
    assert command(data, tmp_path) == 1
    assert "begin again in another --out" in capsys.readouterr().err


def test_a_trial_of_no_steps_is_refused(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["fine-tune", "--config", "x.toml", "--trial", "0"])
    assert "--trial" in capsys.readouterr().err


def first_steps(data: Path, out: Path, **changes) -> list[float]:
    got: list[float] = []
    stages = [{"steps": 3, "sources": {"64": 1.0}}]
    trainer(data, out, **{"stages": stages, **changes}).run(lambda step, loss: got.append(loss))
    return got


def test_gradient_checkpointing_changes_nothing(data, tmp_path: Path) -> None:
    plain = first_steps(data, tmp_path / "a", dropout=0.1)
    again = first_steps(data, tmp_path / "b", dropout=0.1, gradient_checkpointing=True)
    assert again == pytest.approx(plain, rel=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="nothing compiles without a compiler")
def test_compiled_layers_change_nothing(
    data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do they stand in the way of the validation, which runs without gradients."""
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)  # starts no processes
    # No batch of one pair, which is compiled once more, and one layer of each kind.
    model = {**TINY["model"], "num_layers": 1}
    changes = {"validate_every": 2, "batch_tokens": 100, "model": model}
    plain = first_steps(data, tmp_path / "a", **changes)
    compiled = first_steps(data, tmp_path / "b", compile=True, **changes)
    assert compiled == pytest.approx(plain, rel=1e-4)


@pytest.mark.slow
def test_processes_share_a_step(data, tmp_path: Path) -> None:
    """Two processes make the steps of one that accumulates two batches."""
    alone = first_steps(data, tmp_path / "one", accumulation=2, batch_tokens=120)
    script = tmp_path / "run.py"
    script.write_text(
        "import sys; from pathlib import Path; from longt5.training import loop, recipe, start, "
        "world\nfrom tests.engine import test_training as t\n"
        "here = world.join_processes('cpu'); data, out = map(Path, sys.argv[1:])\n"
        "made = recipe.parse_recipe({**t.TINY, 'batch_tokens': 120, 'stages': [{'steps': 3, "
        "'sources': {'64': 1.0}}]}, 'summary')\n"
        "records, validation = start.load_records(made, data)\n"
        "model, tokenizer = start.prepare_model(made, records, out, here)\n"
        "loop.Trainer(model, tokenizer, made, records, validation, out, here).run()\n"
        "world.leave_processes(here)\n",
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(script),
        str(data),
        str(tmp_path / "two"),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [float(a) for a, _ in losses(tmp_path / "two")] == pytest.approx(alone, rel=1e-4)


def test_the_best_model_is_saved(data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(data, tmp_path, stages=[{"steps": 3, "sources": {"64": 1.0}}], validate_every=1)
    scores = iter((0.1, 0.9, 0.5))
    weights = []

    def validate(model):
        weights.append(model.shared.weight.detach().clone())
        return {"val_loss": 1.0, "rouge1": next(scores), "rouge2": 0.0}

    made.validate = validate
    made.run()
    kept = LongT5ForConditionalGeneration.from_pretrained(
        tmp_path / "model", device="cpu", dtype="float32"
    )
    assert torch.equal(kept.shared.weight, weights[1])


def test_another_vocabulary_is_trained_again(data, tmp_path: Path) -> None:
    stages = [{"steps": 1, "sources": {"64": 1.0}}]
    trainer(data, tmp_path, stages=stages).run()
    (tmp_path / "state.pt").unlink()
    vocabulary = {"size": 310, "max_length": 512}
    trainer(data, tmp_path, stages=stages, vocabulary=vocabulary)
    pieces = Tokenizer.from_pretrained(tmp_path / "model").vocab_size
    fewer = tmp_path / "fewer"
    trainer(data, fewer, stages=stages)
    assert pieces == Tokenizer.from_pretrained(fewer / "model").vocab_size + 10


def test_training_starts_from_a_checkpoint(trained, data, tmp_path: Path) -> None:
    got: list[float] = []
    changes = {"init": str(trained / "model"), "model": {}, "optimizer": {"lr": 1e-4}}
    stages = [{"steps": 1, "sources": {"64": 1.0}}]
    run = trainer(data, tmp_path, **changes, stages=stages)
    run.run(lambda step, loss: got.append(loss))
    assert got[0] < 0.2
    (tmp_path / "state.pt").unlink()  # and once more, from the model that it has made itself
    changes["init"] = str(tmp_path / "model")
    trainer(data, tmp_path, **changes, stages=stages).run(lambda step, loss: got.append(loss))
    assert got[1] < 0.2


def test_missing_matplotlib_is_reported(
    trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "find_spec", lambda name: None)
    assert 'pip install ".[train]"' in (
        curves.plot_curves(trained / "log.csv", tmp_path / "x.png") or ""
    )


@pytest.mark.parametrize(
    "text, said",
    [
        ("steps = [", "is no TOML"),
        ("[[stages]]\nsteps = 1", "needs init"),
        ("init = 'x'", "no [[stages]]"),
        ("init = 'x'\n[[stages]]\nstep = 1", "no field stages.step"),
        ("init = 'x'\nlearning = 1\n[[stages]]\nsteps = 1", "no field learning"),
        ("init = 'x'\n[[stages]]\nsteps = 1\nobjectives = {magic = 1}", "'magic' is none of"),
        ("init = 'x'\n[[stages]]\nsteps = 'ten'", "steps is 'ten'; it must be of type int"),
        ("init = 'x'\n[optimizer]\nname = 'sgd'\n[[stages]]\nsteps = 1", "one of adamw, adafactor"),
        ("init = 'x'\n[stages]\nsteps = 1", "double brackets: [[stages]]"),
        ("init = 'x'\n[[stages]]\nsteps = 0", "steps is 0; it must be 1 or more"),
        ("init = 'x'\n[[stages]]\nsteps = 1\nmax_target = 0", "max_target is 0; it must be 2"),
        ("init = 'x'\nvalidate_every = 0\n[[stages]]\nsteps = 1", "validate_every is 0"),
        ("init = 'x'\naccumulation = 0\n[[stages]]\nsteps = 1", "accumulation is 0"),
        ("init = 'x'\ndropout = 1.5\n[[stages]]\nsteps = 1", "dropout is 1.5"),
        ("init = 'x'\n[data]\nlimit = -1\n[[stages]]\nsteps = 1", "limit is -1"),
        ("init = 'x'\n[optimizer]\nlr = -1.0\n[[stages]]\nsteps = 1", "lr is -1.0"),
        ("init = 'x'\n[optimizer]\nbetas = [0.9]\n[[stages]]\nsteps = 1", "betas are [0.9]"),
        ("init = 'x'\n[generation]\nmax_new_token = 9\n[[stages]]\nsteps = 1", "max_new_token."),
        (
            "init = 'x'\n[generation]\nnum_return_sequences = 2\n[[stages]]\nsteps = 1",
            "cannot exceed",
        ),
        ("init = 'x'\n[[stages]]\nsteps = 1", "no training data"),
        ("init = '/none'\n[data]\ntrain = ['pairs.jsonl']\n[[stages]]\nsteps = 1", "no checkpoint"),
        (
            "[model]\nd_modell = 8\n[vocabulary]\nsize = 300\n[data]\ntrain = ['pairs.jsonl']\n"
            "[[stages]]\nsteps = 1",
            "d_modell",
        ),
        (
            "[model]\nd_model = 8\n[data]\ntrain = ['pairs.jsonl']\n[[stages]]\nsteps = 1",
            "give more text or a smaller vocabulary.size",
        ),
        (
            "[model]\nd_model = 8\n[data]\ntrain = ['pairs.jsonl']\n"
            "[vocabulary]\nsize = 270\n[[stages]]\n"
            "steps = 1",
            "give a larger vocabulary.size",
        ),
    ],
)
def test_wrong_recipes_are_one_sentence(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    argv = ["fine-tune", "--config", str(tmp_path / "r.toml"), "--data", str(data)]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 1
    assert said in capsys.readouterr().err


def test_other_data_cannot_resume_a_run(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its batches would differ from here on."""
    here = tmp_path / "data"
    shutil.copytree(data, here)
    assert command(here, tmp_path / "out") == 0
    with (here / "pairs.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"source": "one more", "target": "noch eins"}\n')
    assert command(here, tmp_path / "out") == 1
    assert "training data is not that of the run" in capsys.readouterr().err
    shutil.copy(data / "pairs.jsonl", here)
    assert command(here, tmp_path / "out") == 0


def test_a_failed_vocabulary_leaves_the_old_one(data, tmp_path: Path) -> None:
    stages = [{"steps": 1, "sources": {"64": 1.0}}]
    trainer(data, tmp_path, stages=stages).run()
    (tmp_path / "state.pt").unlink()
    before = Tokenizer.from_pretrained(tmp_path / "model").encode("the cat")
    with pytest.raises(UserError, match="No vocabulary"):
        trainer(data, tmp_path, stages=stages, vocabulary={"size": 9_000})
    assert Tokenizer.from_pretrained(tmp_path / "model").encode("the cat") == before


def test_empty_data_is_reported_as_empty(tmp_path: Path) -> None:
    (tmp_path / "blank.jsonl").write_text('{"source": " ", "target": "x"}\n')
    made = recipe.parse_recipe({**TINY, "data": {"train": ["blank.jsonl"]}}, "summary")
    with pytest.raises(UserError, match="no text in blank.jsonl"):
        start.load_records(made, tmp_path)


def test_the_bundled_recipes_lead_to_the_bundled_model() -> None:
    names = ("bundled-start", "bundled", "shapes")
    first, second, shapes = (recipe.load_recipe(RECIPES / f"{name}.toml") for name in names)
    folder = ROOT / "assets" / "model"
    bundled, decoding = (
        json.loads((folder / f"{n}.json").read_text("utf-8"))
        for n in ("config", "generation_config")
    )
    assert {name: bundled[name] for name in first.model} == first.model == shapes.model
    assert {name: decoding[name] for name in second.generation} == second.generation
    assert first.stage_at(0) == 0 and first.stage_at(first.steps - 1) == len(first.stages) - 1
    assert recipe.shorten(first, 5).steps == 5 * len(first.stages)
    assert second.init == "start/model" and ROOT / second.salience == folder
    assert Salience.load(folder) is not None
    assert errors.UserError is UserError
