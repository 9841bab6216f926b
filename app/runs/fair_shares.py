"""Fair shares of a machine: who is served next, by the work that each visitor has asked for.

Weighted fair queueing, with equal weights: each run has the moment at which it would end if all
visitors were served at the same time, each at an equal part of the speed, and the run that would
end first is next. So a visitor with many runs gets no more than one with a single run, a short
document overtakes a long one, and a long one does not wait for ever: what comes later would end
later. Source: Demers, Keshav and Shenker 1989.
"""

from __future__ import annotations

# Cost is counted in written tokens. A read one costs about a thirtieth of it, and the answer to a
# document is of about the same length whatever the document's.
READ_TOKEN_COST = 1 / 30
ANSWER_COST = 250.0
TYPICAL_TOKEN_CHARACTERS = 4.0


class FairShares:
    """The virtual time of a queue: how much work each visitor would have got by now."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ends: dict[str, float] = {}  # of the last run of each owner

    def end_of(self, owner: str, cost: float) -> float:
        """Return the virtual end of a new run, after the owner's earlier ones."""
        begin = max(self._now, self._ends.get(owner, 0.0))
        self._ends[owner] = begin + cost
        return begin + cost

    def settle(self, owner: str, difference: float) -> None:
        """Move an owner's runs to come, once one has cost less than expected by `difference`.

        Otherwise a visitor would pay for work that was expected of earlier runs and never done,
        and wait behind all who had fewer of them.
        """
        if owner in self._ends:
            self._ends[owner] -= difference

    def serve(self, cost: float, owners: int) -> None:
        """Note that work of some cost was done while so many owners had runs."""
        self._now += cost / max(1, owners)
        self._ends = {owner: end for owner, end in self._ends.items() if end > self._now}

    def rest(self) -> None:
        """Begin anew, because nobody has a run."""
        self._now, self._ends = 0.0, {}


def expected_cost(characters: int) -> float:
    """Return the cost of a run over so many characters, before anything is known of it.

    >>> round(expected_cost(0)), round(expected_cost(1_200_000))
    (250, 10250)
    """
    return ANSWER_COST + READ_TOKEN_COST * characters / TYPICAL_TOKEN_CHARACTERS


def cost_of(tokens_in: int, tokens_out: int) -> float:
    """Return the cost of tokens that were read and written."""
    return READ_TOKEN_COST * tokens_in + tokens_out
