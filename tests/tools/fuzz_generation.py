"""Decode random cases with this engine and transformers for a given time.

    python -m tests.tools.fuzz_generation --minutes 10 [--seed 0]

Every case is decided by its seed, which is printed with its differences; near ties (choices
closer than 1e-4 in transformers' scores) are counted. Exits 1 on a difference, or when more
than 0.5 % of the cases are near ties.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch

from tests.parity.generation_cases import judge, random_case

MAX_TIE_SHARE = 0.005


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
    while time.monotonic() < ends_at and seed - arguments.seed < most:
        verdict = judge(random_case(seed))
        if verdict.faults:
            wrong.append(seed)
            print(f"seed {seed}: {random_case(seed)}", *verdict.faults, sep="\n  ", flush=True)
        if verdict.tie:
            ties.append(seed)
        refused += verdict.refused
        seed += 1
    cases = seed - arguments.seed
    print(
        f"{cases} cases from seed {arguments.seed}: {len(wrong)} different {wrong}, "
        f"{len(ties)} near ties {ties}, {refused} draws that both refuse"
    )
    return 1 if wrong or len(ties) > MAX_TIE_SHARE * cases else 0


if __name__ == "__main__":
    sys.exit(main())
