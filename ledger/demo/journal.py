"""The world's own spool: what was made, until it was delivered; and snapshots, so that it does not grow for ever.

A turn's lines are written and synced together before anybody sees one of them; a turn that a crash cut short was never
seen and is dropped. So a killed world never signs two payloads for one seq, and re-sends the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ledger.adapters.files import hold_lock, write_whole
from ledger.errors import ConfigError

JOURNAL = "journal.ndjson"
SNAPSHOT = "snapshot.json"
DELIVERED = "delivered"
COMPACT_EVERY = 1000

Line = dict[str, Any]


class Journal:
    """Lines numbered from 0 in `directory`. One process at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock = hold_lock(directory / "lock")
        except BlockingIOError as error:
            raise ConfigError(
                f"another process runs the world in {directory}; two at once would fork its books"
            ) from error
        self._path = directory / JOURNAL
        try:
            self._kept = self._read()
            self._file = self._path.open("ab")
        except BaseException:
            os.close(self._lock)
            raise
        self._since_snapshot = len(self._kept)

    def snapshot(self) -> dict[str, Any] | None:
        """The last snapshot of the state; lines below its `items` are folded into it."""
        try:
            text = (self._directory / SNAPSHOT).read_text("utf-8")
        except FileNotFoundError:
            return None
        document: dict[str, Any] = json.loads(text)
        return document

    def lines(self) -> list[Line]:
        """All lines that are still kept, in order."""
        return self._kept

    def delivered(self) -> int:
        """Every line below this number was answered."""
        try:
            return int((self._directory / DELIVERED).read_text("ascii"))
        except FileNotFoundError:
            return 0

    def set_delivered(self, upto: int) -> None:
        """Not synced: after a power cut the same bytes are sent once more, which does no harm."""
        beside = self._directory / f".{DELIVERED}"
        beside.write_text(str(upto), "ascii")
        beside.replace(self._directory / DELIVERED)

    def write(self, turns: Iterable[list[Line]]) -> None:
        """Append whole turns; durable when it returns."""
        for turn in turns:
            for line in turn:
                line["last"] = line is turn[-1]
                self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                self._kept.append(line)
                self._since_snapshot += 1
        self._file.flush()
        os.fsync(self._file.fileno())

    def compact(self, state: dict[str, Any]) -> None:
        """Every so many lines: snapshot the state, forget the delivered lines."""
        if self._since_snapshot < COMPACT_EVERY:
            return
        delivered = self.delivered()
        write_whole(self._directory / SNAPSHOT, json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode())
        self._kept = [line for line in self._kept if line["n"] >= delivered]
        self._file.close()
        write_whole(
            self._path,
            b"".join(json.dumps(k, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for k in self._kept),
        )
        self._file = self._path.open("ab")
        self._since_snapshot = 0

    def close(self) -> None:
        """Let go of the file and the lock. May be called again."""
        self._file.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _read(self) -> list[Line]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        kept: list[Line] = []
        turn: list[Line] = []
        whole = at = 0
        while (end := data.find(b"\n", at)) >= 0:
            try:
                turn.append(json.loads(data[at:end]))
            except ValueError as error:
                raise ConfigError(
                    f"{self._path} is damaged at byte {at}; remove the demo's state to begin anew"
                ) from error
            at = end + 1
            if turn[-1]["last"]:
                kept += turn
                turn, whole = [], at
        if whole < len(data):
            with self._path.open("r+b") as file:
                file.truncate(whole)
                os.fsync(file.fileno())
        return kept
