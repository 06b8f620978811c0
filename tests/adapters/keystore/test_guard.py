"""FileHeadGuard: the last signed head, kept apart from the database."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from ledger.adapters.keystore.guard import FileHeadGuard
from ledger.errors import RollbackError
from ledger.model import TreeHead, TreeSize


def head(size: int, fill: int = 1) -> TreeHead:
    return TreeHead(TreeSize(size), bytes([fill]) * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guard" / "signed-head"


def test_read__never_written__none(path: Path) -> None:
    assert FileHeadGuard(path).read() is None


def test_swap__as_expected__stored_for_the_next_process(path: Path) -> None:
    FileHeadGuard(path).compare_and_swap(None, head(5))
    FileHeadGuard(path).compare_and_swap(head(5), head(9, 2))
    assert FileHeadGuard(path).read() == head(9, 2)


@pytest.mark.parametrize(
    "expected", [None, head(4), head(6), head(5, 2)], ids=["none", "smaller", "larger", "other root"]
)
def test_swap__another_head_is_stored__rollback_and_untouched(path: Path, expected: TreeHead | None) -> None:
    guard = FileHeadGuard(path)
    guard.compare_and_swap(None, head(5))
    with pytest.raises(RollbackError, match="size 5"):
        guard.compare_and_swap(expected, head(7))
    assert guard.read() == head(5)


def test_swap__nothing_stored_but_expected__rollback(path: Path) -> None:
    with pytest.raises(RollbackError, match="the last signed head is none"):
        FileHeadGuard(path).compare_and_swap(head(5), head(6))
    assert FileHeadGuard(path).read() is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "hazledger/last-signed-head/v1\n5\n",
        "hazledger/last-signed-head/v2\n5\n" + "AQEB" * 10 + "AQE=\n",
        "hazledger/last-signed-head/v1\n05\n" + "AQEB" * 10 + "AQE=\n",
        "hazledger/last-signed-head/v1\n5\nAQEB\n",
        "hazledger/last-signed-head/v1\n5\n" + "AQEB" * 10 + "AQE=\nmore\n",
        "hazledger/last-signed-head/v1\n五\n" + "AQEB" * 10 + "AQE=\n",
    ],
)
def test_read__damaged__rollback_never_none(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    for attempt in (FileHeadGuard(path).read, lambda: FileHeadGuard(path).compare_and_swap(None, head(1))):
        with pytest.raises(RollbackError, match="not a readable head"):
            attempt()
    assert path.read_text() == content


def test_swap__dies_before_the_rename__old_head_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = FileHeadGuard(path)
    guard.compare_and_swap(None, head(5))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        guard.compare_and_swap(head(5), head(6))
    assert guard.read() == head(5)


def test_swap__synced_before_it_returns__file_then_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("sync"), sync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda *args: (order.append("rename"), replace(*args))[1])
    FileHeadGuard(path).compare_and_swap(None, head(5))
    assert order == ["sync", "rename", "sync"]


def _count_up(path: Path, wins: object, rounds: int) -> None:
    guard = FileHeadGuard(path)
    for _ in range(rounds):
        seen = guard.read()
        try:
            guard.compare_and_swap(seen, head((seen.size if seen else 0) + 1))
        except RollbackError:
            continue
        with wins.get_lock():  # type: ignore[attr-defined]
            wins.value += 1  # type: ignore[attr-defined]


def test_swap__two_processes_at_once__each_size_won_once(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    wins = context.Value("i", 0)
    processes = [context.Process(target=_count_up, args=(path, wins, 30)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    stored = FileHeadGuard(path).read()
    assert stored is not None
    assert stored.size == wins.value
    assert wins.value >= 30
