"""Processes that check a log's tiles, each reading its tiles itself; the parent only folds.

A forked process has all code, schemas and settings of its parent, and takes over nothing by message but numbers of tiles
and keys that became known since. Its answers are what `check_tile` gives.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Self

from ledger.cli.mirror import SourceError
from ledger.core.verification.tile import TileResult, TileTask, check_tile

TILES_AHEAD = 3
"""Per process: enough that none waits; few enough that memory does not grow with the log."""
KEYS_AT_ONCE = 100
"""With so few in a message, those under way fit the socket's buffer: the parent never waits in a send while a process
waits for the parent to take its answer. Keys left over come with the next tile; until then they are deferred."""

TaskOf = Callable[[int, Mapping[str, bytes]], TileTask]
"""(tile, keys known there) -> the work. Runs in the worker."""


class TileWorkers:
    """So many processes from here on. A context manager: they end with it."""

    def __init__(self, jobs: int, task_of: TaskOf, keys: Mapping[str, bytes]) -> None:
        """`keys` is watched: what is added to it later is passed on."""
        self._keys = keys
        self._workers = [_Worker(task_of, keys) for _ in range(jobs)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def checked(self, tiles: Sequence[int]) -> Iterator[tuple[int, TileResult]]:
        """Each tile with its result, in order.

        Raises: SourceError when a tile cannot be read, or when a process was ended from outside.
        """
        waiting: deque[tuple[int, _Worker]] = deque()
        for n, worker in zip(tiles, itertools.cycle(self._workers)):
            worker.send(n, self._keys)
            waiting.append((n, worker))
            if len(waiting) >= len(self._workers) * TILES_AHEAD:
                done, first = waiting.popleft()
                yield done, first.receive()
        while waiting:
            done, first = waiting.popleft()
            yield done, first.receive()


class _Worker:
    def __init__(self, task_of: TaskOf, keys: Mapping[str, bytes]) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, other = context.Pipe()
        self._told = len(keys)
        self._process: BaseProcess = context.Process(
            target=_work, args=(other, self._pipe, task_of, dict(keys)), daemon=True
        )
        self._process.start()
        other.close()

    def send(self, n: int, keys: Mapping[str, bytes]) -> None:
        fresh = list(itertools.islice(keys.items(), self._told, self._told + KEYS_AT_ONCE))
        self._told += len(fresh)
        with contextlib.suppress(OSError):  # it has ended: `receive` says so
            self._pipe.send((n, fresh))

    def receive(self) -> TileResult:
        try:
            answer: TileResult | str = self._pipe.recv()
        except (EOFError, OSError):
            raise SourceError("a process that checked tiles was ended from outside") from None
        if isinstance(answer, str):
            raise SourceError(answer)
        return answer

    def end(self) -> None:
        self._pipe.close()
        self._process.terminate()
        self._process.join()


def _work(pipe: Connection[Any, Any], parents: Connection[Any, Any], task_of: TaskOf, keys: dict[str, bytes]) -> None:
    parents.close()  # else this process would not see its parent end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # JSON makes no cycles; what the collector would walk is the code, and the pages that it touches would be copied.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    with contextlib.suppress(EOFError, OSError):
        while True:
            n, fresh = pipe.recv()
            keys.update(fresh)
            try:
                pipe.send(check_tile(task_of(n, keys)))
            except SourceError as error:
                pipe.send(error.detail)
