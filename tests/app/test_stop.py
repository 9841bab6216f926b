"""Stop signals keep their reason, and warnings keep their kind."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from app.runs.stop import StopReason, StopSignal
from app.warning import AppWarning, WarningKind


def test_first_reason_stays_unless_the_person_stops_the_run() -> None:
    stop = StopSignal()
    assert not stop.is_set() and not stop.is_resumable
    stop.set(StopReason.SHUTDOWN)
    stop.set(StopReason.ABANDONED)
    assert stop.reason is StopReason.SHUTDOWN and stop.is_resumable
    stop.set()
    assert stop.reason is StopReason.PERSON and not stop.is_resumable


def test_abandoned_signal_stays_set_when_a_watcher_returns() -> None:
    is_abandoned = [False, True, False]
    stop = StopSignal(lambda: is_abandoned.pop(0))
    assert [stop.is_set() for _ in range(3)] == [False, True, True]
    assert stop.reason is StopReason.ABANDONED and stop.is_resumable


@pytest.mark.parametrize("kind", WarningKind)
def test_warnings_cross_processes_with_their_kind(kind: WarningKind) -> None:
    warning = AppWarning(kind, "A sentence.")
    assert AppWarning.from_dict(json.loads(json.dumps(asdict(warning)))) == warning
    assert str(warning) == "A sentence."
