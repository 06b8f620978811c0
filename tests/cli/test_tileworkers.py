from __future__ import annotations

import os
import signal

import pytest

from ledger.cli import tileworkers
from ledger.cli.mirror import SourceError
from ledger.cli.tileworkers import KEYS_AT_ONCE, TileWorkers
from ledger.core.verification.tile import TileResult


@pytest.fixture
def counted(monkeypatch):
    """Each result says which keys its process knew: their number stands where a root would."""
    monkeypatch.setattr(
        tileworkers, "check_tile", lambda task: TileResult(first_received=task[0], last_received=task[1])
    )


def test_checked__more_tiles_than_processes__all_come_in_order(counted):
    with TileWorkers(3, lambda n, keys: (n, len(keys)), {}) as workers:
        results = list(workers.checked(range(40)))
    assert [(n, result.first_received) for n, result in results] == [(n, n) for n in range(40)]


def test_checked__keys_that_become_known__reach_every_process(counted):
    keys = {f"{n:064}": b"spki" for n in range(5)}
    with TileWorkers(2, lambda n, known: (n, len(known)), keys) as workers:
        known = []
        for n, result in workers.checked(range(60)):
            known.append(result.last_received)
            if n == 0:
                keys.update({f"{n:064}": b"spki" for n in range(5, 5 + 3 * KEYS_AT_ONCE)})
    assert known[0] == 5
    assert known[-2:] == [5 + 3 * KEYS_AT_ONCE] * 2


def test_checked__a_tile_that_cannot_be_read__says_why(monkeypatch):
    def unreadable(_task):
        raise SourceError("the mirror does not answer")

    monkeypatch.setattr(tileworkers, "check_tile", unreadable)
    with TileWorkers(2, lambda n, _: n, {}) as workers, pytest.raises(SourceError, match="the mirror does not answer"):
        list(workers.checked(range(4)))


def test_checked__a_process_killed_from_outside__is_no_hang_and_no_verdict(monkeypatch):
    monkeypatch.setattr(tileworkers, "check_tile", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    with TileWorkers(2, lambda n, _: n, {}) as workers, pytest.raises(SourceError, match="ended from outside"):
        list(workers.checked(range(20)))
