"""Decode random cases with this engine and transformers for a given time.

    python -m tests.tools.fuzz_generation --minutes 10 [--seed 0] [--cases N]

Every case is decided by its seed, which is printed with its differences: a decode, and of one in
four seeds a forward pass. Ties are proven by transformers' own scores, and counted. Ends with how
often each option occurred. Exits 1 on a difference, or when more than 0.5 % of the cases are ties.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator

import torch

from tests.parity.forward_cases import forward_case, forward_faults
from tests.parity.generation_cases import Case, judge, random_case

MAX_TIE_SHARE = 0.005
FORWARD_EVERY = 4  # seeds
REPORT_EVERY = 500  # cases, so that a run that is cut off has said how far it came


def main() -> int:
    """Decode cases until the time is over; return 1 on a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="the first case")
    parser.add_argument("--cases", type=int, help="stop after this many")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ends_at = time.monotonic() + 60 * arguments.minutes
    seed, wrong, ties, refused = arguments.seed, [], [], 0
    most = arguments.cases or sys.maxsize
    counts: Counter[str] = Counter()
    while time.monotonic() < ends_at and seed - arguments.seed < most:
        case = random_case(seed)
        counts.update(kinds(case))
        verdict = judge(case)
        faults = list(verdict.faults)
        if seed % FORWARD_EVERY == 0:
            forward = forward_case(seed)
            counts.update(forward.kinds)
            faults += [f"{forward}: {fault}" for fault in forward_faults(forward)]
        if faults:
            wrong.append(seed)
            print(f"seed {seed}: {case}", *faults, sep="\n  ", flush=True)
        if verdict.tie:
            ties.append(seed)
        refused += verdict.refused
        seed += 1
        if (seed - arguments.seed) % REPORT_EVERY == 0:
            print(f"up to seed {seed - 1}: {len(wrong)} different, ties {ties}", flush=True)
    cases = seed - arguments.seed
    print(*(f"{count:7} {name}" for name, count in sorted(counts.items())), sep="\n")
    print(
        f"{cases} cases from seed {arguments.seed}: {len(wrong)} different {wrong}, "
        f"{len(ties)} ties {ties}, {refused} draws that both refuse"
    )
    return 1 if wrong or len(ties) > MAX_TIE_SHARE * cases else 0


def kinds(case: Case) -> Iterator[str]:
    """Yield the names to count in a case: its options, and how it is passed."""
    yield from case.options
    yield f"passed as {case.way}"
    yield f"{case.model[2]} attention"
    yield "beam search" if case.beams > 1 else "one beam"
    if len(case.lengths) > 1:
        yield f"padding on the {case.side}"


if __name__ == "__main__":
    sys.exit(main())
