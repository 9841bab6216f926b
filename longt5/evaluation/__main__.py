"""`python -m longt5.evaluation`: score a checkpoint and simple baselines on one data set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError, positive, reason, require_modules
from ..training.corpus import read_records
from .baselines import BASELINES
from .checkpoints import Checkpoint, InputSettings
from .distributed import LOCAL, SystemSettings, score_on_ray
from .ray_session import require_ray
from .report import LSUM_SENTENCES, build_report, markdown, score_systems, write_report

DECODING = {
    "num_beams": int, "max_length": int, "max_new_tokens": int, "min_new_tokens": int,
    "no_repeat_ngram_size": int, "length_penalty": float,
}  # fmt: skip
PUBMED = """\
The example of the LongT5 documentation, as one command (needs pip install ".[hub,eval]"):

  python -m longt5.evaluation --model Stancld/longt5-tglobal-large-16384-pubmed-3k_steps
    --data ccdv/pubmed-summarization --split validation --max-length 512 --num-beams 2
    --max-input-tokens 16384 --padding max_length --batch-size 2 --dtype float16
    --device cuda --lsum lines
"""


def evaluation_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    p = argparse.ArgumentParser(
        prog="python -m longt5.evaluation",
        description=(__doc__ or "").split(": ", 1)[1],
        epilog=PUBMED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--model", required=True, metavar="M", help="a folder, or a name on the hub")
    p.add_argument(
        "--data",
        required=True,
        metavar="FILE_OR_DATASET",
        help="JSON Lines (.xz, .gz) with document and summary, article and abstract, "
        "or source and target; or a data set on the hub",
    )
    p.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="that many, spread over a file; the first of a data set",
    )
    p.add_argument(
        "--compare",
        default="",
        metavar="NAME,NAME",
        help=f"also {', '.join(BASELINES)}, or other checkpoints",
    )
    p.add_argument(
        "--out", type=Path, metavar="DIR", help="write report.md, report.json and summaries.jsonl"
    )
    p.add_argument("--subset", metavar="NAME", help="configuration of a data set on the hub")
    p.add_argument("--split", default="validation", metavar="NAME", help="default: validation")
    _add_run_options(p)
    return p


def _add_run_options(p: argparse.ArgumentParser) -> None:
    """Add the options of reading, decoding and computing."""
    p.add_argument("--batch-size", type=positive, default=1, metavar="N")
    p.add_argument(
        "--max-input-tokens",
        type=positive,
        metavar="N",
        help="tokens read of each document (default: the model's window)",
    )
    p.add_argument(
        "--padding",
        choices=["longest", "max_length"],
        default="longest",
        help="of a batch: to its longest document, or to the window",
    )
    p.add_argument(
        "--copy-penalty",
        type=float,
        metavar="X",
        help="price of leaving a sentence of the source (default: 0; 1e10 if the model "
        "is tagged extractive in its card or has salience.json)",
    )
    for name, kind in DECODING.items():
        p.add_argument(
            "--" + name.replace("_", "-"), type=kind, metavar="X", help="default: the checkpoint's"
        )
    p.add_argument(
        "--lsum",
        choices=list(LSUM_SENTENCES),
        default="sentences",
        help="sentences of ROUGE-Lsum; lines: as the evaluate package",
    )
    p.add_argument("--revision", metavar="R", help="branch, tag or commit of a hub checkpoint")
    p.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="score batches in parallel on a Ray cluster, or on this machine without an address "
        '(needs pip install ".[ray]")',
    )
    p.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="with --ray: processes that hold the checkpoints (default: one per GPU, or per 4 "
        "cores)",
    )
    p.add_argument("--device", default="auto", metavar="D")
    p.add_argument("--dtype", default="auto", metavar="T")


def evaluate(chosen: argparse.Namespace) -> None:
    """Score the systems, print the report as Markdown, and write its files."""
    from ..roofline import machine_name

    names = [chosen.model, *(name.strip() for name in chosen.compare.split(",") if name.strip())]
    if chosen.model in BASELINES:
        raise UserError(
            f"{chosen.model} is a baseline, and --model a checkpoint: name it after --compare."
        )
    if chosen.ray:
        require_ray(None if chosen.ray == LOCAL else chosen.ray)
    require_modules("eval", "rouge_score")
    if {"textrank", "lexrank"} & set(names):
        require_modules("eval", "sumy")
    records = read_records(chosen.data, chosen.limit, chosen.subset, chosen.split, paired=True)
    if not records:
        raise UserError(f"{chosen.data} has no document with a summary: nothing to score.")
    if chosen.out:
        _make_report_folder(chosen.out)
    settings = SystemSettings(
        tuple(names),
        InputSettings(chosen.max_input_tokens, chosen.padding, chosen.copy_penalty),
        {name: getattr(chosen, name) for name in DECODING},
        chosen.revision,
        chosen.device,
        chosen.dtype,
    )
    if chosen.ray:
        (scores, summaries), machine, used = score_on_ray(
            records, settings, chosen.batch_size, chosen.lsum, chosen.ray, chosen.workers
        )
    else:
        systems = settings.load()
        scores, summaries = score_systems(records, systems, chosen.batch_size, chosen.lsum)
        checkpoints = {n: s for n, s in systems.items() if isinstance(s, Checkpoint)}
        machine = machine_name(checkpoints[chosen.model].model.device)
        used = {name: checkpoint.settings for name, checkpoint in checkpoints.items()}
    report = build_report(chosen.model, chosen.data, records, scores, chosen.lsum, machine, used)
    print(markdown(report))
    if chosen.out:
        try:
            write_report(chosen.out, report, records, summaries)
        except OSError as error:
            raise UserError(f"The report is not in {chosen.out}: {reason(error)}.") from error


def _make_report_folder(folder: Path) -> None:
    """Create the report's folder before hours of work. Raises UserError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The report cannot be written to {folder} ({reason(error)}): choose another --out."
        ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    chosen = evaluation_parser().parse_args(argv)
    try:
        evaluate(chosen)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
