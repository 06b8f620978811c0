"""The spool: signed records on disk from before they are sent until their receipt is kept, and for as long as one likes.

A record is durable here before it is sent, so a client that is killed at any point sends the same bytes again; the log
answers a repeat with the first receipt. "The sender keeps the exact envelope until ANCHORED" (formats.md section 1): so a
submission stays, in `sent/`, until `forget` is called.

    books/<holder>/<site>/<book>/queue/<seq>-<record_id>.json     signed, not yet receipted
                                 sent/<seq>-<record_id>.json      receipted
                                 receipts/<seq>-<record_id>.note  the log's signed promise
                                 aside/<seq>-<record_id>.json     refused by the log, set aside by a person
                                 head                             where the book stood when this spool began with it
    imports/<digest>.ndjson|.done                                 spreadsheets: all of their records, or none

Every file is written beside, synced, and moved to its name; directories are synced. Names carry seq and record_id, so a
book's head needs no file of its own. One process at a time (a lock). POSIX file systems with case-sensitive names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ledger.adapters.files import UNFINISHED, hold_lock, make_directory, sync_directory, write_whole
from ledger.client.book import Head, Signed
from ledger.errors import LedgerError
from ledger.model import RecordId

BookPlace = tuple[str, str, str]
"""(holder, site, book)."""

_QUEUE, _SENT, _RECEIPTS, _ASIDE, _HEAD = "queue", "sent", "receipts", "aside", "head"
_SUBMISSION, _NOTE, _PROBLEM = ".json", ".note", ".problem"
_NAME = re.compile(r"([0-9]{16})-([0-9a-f]{64})")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_MODE = 0o700
_DIGEST = re.compile(r"[0-9a-f]{64}")


class SpoolError(LedgerError):
    """The spool is in use, damaged, or would be forked by what was asked. Nothing was written; the detail says what to do."""

    default_code = "spool"


@dataclass(frozen=True, slots=True)
class Spooled:
    """One record in the spool."""

    place: BookPlace
    seq: int
    record_id: RecordId
    path: Path

    def submission(self) -> bytes:
        """The exact bytes to send."""
        return self.path.read_bytes()


class Spool:
    """A spool directory, opened by this process alone. Use it in a `with` statement."""

    def __init__(self, directory: Path, *, step: Callable[[str], None] = lambda _: None) -> None:
        """Open or make it, and finish what an earlier process began.

        `step` is called with a name before and after each thing that becomes durable; tests end the process there.

        Raises: SpoolError when another process has it open, or a file in it is not the spool's.
        """
        self._step = step
        self._books = directory / "books"
        self._imports = directory / "imports"
        for path in (directory, self._books, self._imports):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock = hold_lock(directory / "lock")
        except BlockingIOError as error:
            raise SpoolError(
                f"another process is using the spool {directory}; two at once would fork its books"
            ) from error
        try:
            self._heads: dict[BookPlace, Head] = {}
            self._recover()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the lock. May be called again."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # --- heads -------------------------------------------------------------------------------------------------------

    def head(self, place: BookPlace) -> Head | None:
        """Where the book stands by this spool; None when it knows nothing of the book."""
        return self._heads.get(place)

    def begin(self, place: BookPlace, head: Head) -> None:
        """Begin with a book where the log says it stands, (0, None) for a new one.

        Raises: SpoolError when records of the book are waiting, or when the log stands before what it receipted.
        """
        if any(spooled.place == place for spooled in self.waiting()):
            raise SpoolError(f"{_shown(place)} has records waiting here; send them or set them aside first")
        known = self._heads.get(place)
        if known is not None and head.seq < known.seq:
            raise SpoolError(
                f"the log says that {_shown(place)} stands at {head.seq}, but this spool has its receipt for {known.seq}: "
                "keep the spool, it is evidence, and tell the authority"
            )
        directory = self._directory(place)
        _write(directory / _HEAD, json.dumps({"seq": head.seq, "record_id": head.record_id}).encode())
        self._heads[place] = head

    # --- records -----------------------------------------------------------------------------------------------------

    def add(self, signed: Signed) -> Spooled:
        """Durable when it returns.

        Raises: SpoolError when the record does not continue its book here; nothing was written.
        """
        place = self._check_continues(signed, {})
        self._step("before-add")
        spooled = self._put(place, signed.payload.seq, signed.record_id, signed.submission)
        self._heads[place] = signed.head
        self._step("added")
        return spooled

    def add_all(
        self, listed: Sequence[Signed], digest: str, *, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Add all records of one spreadsheet, or none of them: a process killed in the middle finishes at the next start.

        Args:
            listed: continuing their books, in order.
            digest: hex SHA-256 of the spreadsheet; the same one is refused a second time.
            progress: called with the number of records that are in the queue.

        Raises: SpoolError as `add`, or when this spreadsheet was taken already.
        """
        if self.imported(digest):
            raise SpoolError("this very file was imported before; its records are in the spool")
        ahead: dict[BookPlace, Head] = {}
        lines = []
        for signed in listed:
            place = self._check_continues(signed, ahead)
            ahead[place] = signed.head
            line = [place, signed.payload.seq, signed.record_id, signed.submission.decode("utf-8")]
            lines.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._step("before-import")
        _write(self._imports / f"{digest}.ndjson", b"".join(lines))
        self._step("import-written")
        self._finish_import(self._imports / f"{digest}.ndjson", progress)

    def imported(self, digest: str) -> bool:
        """Whether a spreadsheet with this digest was taken."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError("not a hex SHA-256")
        return (self._imports / f"{digest}.done").exists()

    def waiting(self) -> Iterator[Spooled]:
        """Records without a receipt: book after book, each book's in the order of seq."""
        for place in sorted(self._heads):
            yield from self._listed(place, _QUEUE, _SUBMISSION)

    def sent(self) -> Iterator[Spooled]:
        """Records with a receipt whose submission is still kept."""
        for place in sorted(self._heads):
            yield from self._listed(place, _SENT, _SUBMISSION)

    def store_receipt(self, spooled: Spooled, note: bytes) -> None:
        """Keep the receipt, then move the submission out of the queue. Check the receipt first (`receipts.check`)."""
        directory = self._directory(spooled.place)
        name = _name(spooled.seq, spooled.record_id)
        self._step("before-receipt")
        _write(directory / _RECEIPTS / (name + _NOTE), note)
        self._step("receipt-written")
        self._move(directory / _QUEUE / (name + _SUBMISSION), directory / _SENT / (name + _SUBMISSION))
        self._step("receipt-stored")

    def receipt(self, spooled: Spooled) -> bytes | None:
        """The receipt's exact bytes, if there is one."""
        path = self._directory(spooled.place) / _RECEIPTS / (_name(spooled.seq, spooled.record_id) + _NOTE)
        return path.read_bytes() if path.exists() else None

    def keep_problem(self, spooled: Spooled, problem: bytes) -> Path:
        """Keep what the log said when it refused, beside the record that waits. A signed refusal note is evidence."""
        path = spooled.path.with_suffix(_PROBLEM)
        _write(path, problem)
        return path

    def problem(self, spooled: Spooled) -> bytes | None:
        """What the log said when it last refused the record, if it did."""
        path = spooled.path.with_suffix(_PROBLEM)
        return path.read_bytes() if path.exists() else None

    def set_aside(self, spooled: Spooled) -> list[Path]:
        """Take a refused record and all after it in its book out of the queue, so that the book goes on before it.

        They are moved, newest first, never deleted: a crash leaves a shorter queue that still is a chain.
        """
        directory = self._directory(spooled.place)
        moved = []
        later = [other for other in self._listed(spooled.place, _QUEUE, _SUBMISSION) if other.seq >= spooled.seq]
        for other in reversed(later):
            for path in (other.path.with_suffix(_PROBLEM), other.path):
                if path.exists():
                    self._move(path, directory / _ASIDE / path.name)
            moved.append(directory / _ASIDE / other.path.name)
            self._step("set-aside")
        self._heads[spooled.place] = self._read_head(spooled.place)
        return moved[::-1]

    def forget(self, spooled: Spooled) -> None:
        """The record is ANCHORED: delete its submission, keep its receipt."""
        if self.receipt(spooled) is None:
            raise SpoolError("a record without a receipt is never forgotten")
        spooled.path.unlink()
        sync_directory(spooled.path.parent)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _check_continues(self, signed: Signed, ahead: dict[BookPlace, Head]) -> BookPlace:
        payload = signed.payload
        place = (payload.holder, payload.site, payload.book)
        head = ahead.get(place) or self._heads.get(place)
        if head is None:
            raise SpoolError(f"this spool does not know where {_shown(place)} stands; begin with it first")
        if (payload.seq - 1, payload.prev) != (head.seq, head.record_id):
            raise SpoolError(
                f"the record has seq {payload.seq}, but {_shown(place)} stands at {head.seq} here; sign it again"
            )
        return place

    def _directory(self, place: BookPlace) -> Path:
        if not all(_SAFE.fullmatch(part) for part in place):
            raise SpoolError(f"{place} does not name a book")
        return self._books.joinpath(*place)

    def _put(self, place: BookPlace, seq: int, record_id: RecordId, submission: bytes) -> Spooled:
        path = self._directory(place) / _QUEUE / (_name(seq, record_id) + _SUBMISSION)
        _write(path, submission)
        return Spooled(place, seq, record_id, path)

    def _listed(self, place: BookPlace, part: str, suffix: str) -> list[Spooled]:
        directory = self._directory(place) / part
        if not directory.is_dir():
            return []
        found = []
        for path in sorted(directory.iterdir()):
            match = _NAME.fullmatch(path.stem)
            if match and path.suffix == suffix:
                found.append(Spooled(place, int(match[1]), RecordId(match[2]), path))
        return found

    def _read_head(self, place: BookPlace) -> Head:
        base = self._directory(place) / _HEAD
        known = [Head()]
        if base.exists():
            document: dict[str, Any] = json.loads(base.read_bytes())
            known.append(Head(int(document["seq"]), document["record_id"]))
        for part, suffix in ((_QUEUE, _SUBMISSION), (_SENT, _SUBMISSION), (_RECEIPTS, _NOTE)):
            known += [Head(spooled.seq, spooled.record_id) for spooled in self._listed(place, part, suffix)[-1:]]
        return max(known, key=lambda head: head.seq)

    def _move(self, source: Path, target: Path) -> None:
        make_directory(target.parent, _MODE)
        source.replace(target)
        sync_directory(target.parent)
        sync_directory(source.parent)

    def _finish_import(self, path: Path, progress: Callable[[int], None]) -> None:
        """Also after a crash: what is in the queue, or beyond it, is written or left as it is."""
        with path.open("rb") as file:
            for count, line in enumerate(file, start=1):
                place_parts, seq, record_id, submission = json.loads(line)
                place: BookPlace = tuple(place_parts)
                if not self._is_kept(place, seq, record_id):
                    self._put(place, seq, record_id, submission.encode("utf-8"))
                    self._step("import-record")
                self._heads[place] = Head(seq, record_id)
                progress(count)
        _write(path.with_suffix(".done"), b"")
        self._step("import-done")
        path.unlink()
        sync_directory(self._imports)

    def _is_kept(self, place: BookPlace, seq: int, record_id: RecordId) -> bool:
        directory, name = self._directory(place), _name(seq, record_id)
        kept = ((_QUEUE, _SUBMISSION), (_SENT, _SUBMISSION), (_RECEIPTS, _NOTE), (_ASIDE, _SUBMISSION))
        return any((directory / part / (name + suffix)).exists() for part, suffix in kept)

    def _recover(self) -> None:
        for stray in [*self._books.glob(f"*/*/*/**/.*{UNFINISHED}"), *self._imports.glob(f".*{UNFINISHED}")]:
            stray.unlink()
        for directory in sorted(self._books.glob("*/*/*")):
            holder, site, book = directory.parts[-3:]
            place = (holder, site, book)
            self._heads[place] = self._read_head(place)
            # Killed between the receipt and the move.
            for spooled in self._listed(place, _QUEUE, _SUBMISSION):
                if self.receipt(spooled) is not None:
                    self._move(spooled.path, directory / _SENT / spooled.path.name)
        for path in sorted(self._imports.glob("*.ndjson")):
            self._finish_import(path, lambda _: None)


def _name(seq: int, record_id: str) -> str:
    return f"{seq:016d}-{record_id}"


def _shown(place: BookPlace) -> str:
    holder, site, book = place
    return f"{site}/{book} of {holder}"


def _write(path: Path, data: bytes) -> None:
    """Whole or not there, mode 0600, durable when it returns."""
    make_directory(path.parent, _MODE)
    write_whole(path, data)
