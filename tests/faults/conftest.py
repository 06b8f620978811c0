"""The seed, and restarts without pauses."""

from __future__ import annotations

import os
import random

import pytest

SEED = int(os.environ.get("HAZLEDGER_TEST_SEED", "0")) or random.SystemRandom().randint(1, 10**6)


@pytest.fixture(scope="session")
def seed() -> int:
    """HAZLEDGER_TEST_SEED, else a new one; the summary names it."""
    return SEED


def pytest_terminal_summary(terminalreporter) -> None:
    terminalreporter.write_line(f"faults were drawn with HAZLEDGER_TEST_SEED={SEED}")


@pytest.fixture
def fast_restarts(monkeypatch):
    """The watcher's growing pauses are for processes that keep dying by themselves; these are killed."""
    monkeypatch.setattr("ledger.cli.serve.SLOWEST_RESTART_S", 0.2)
