"""The sequencer behind a Unix socket (0600): ports.Appender for the other processes, and the server side of it.

A frame is a big-endian uint32 length and a msgpack array [operation, arguments]; the answer is [ok, value]. One request at
a time per connection; a client keeps one connection per thread. A connection that breaks after the request left says so:
the outcome is unknown then, and sending the same bytes again is always safe.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ledger import errors
from ledger.errors import LedgerError, OverloadedError, StoreError
from ledger.faults import fault
from ledger.model import Appended, AuthenticRecord, UnixMs
from ledger.ports import Appender, Desk, DeskDraft

_log = logging.getLogger(__name__)

# A batch of 1,000 envelopes of 72 KiB, as msgpack.
MAX_FRAME_BYTES = 96 * 1024 * 1024
_LENGTH = struct.Struct(">I")
# Asked twice they leave what asking once leaves: a repeat gets its stored receipt, Ed25519 signs the same bytes alike.
_REPEATABLE = frozenset({"append", "sign_platform", "status", "desk_unlock", "desk_lock", "desk_touch", "desk_rekey"})
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_records = msgspec.msgpack.Decoder(list[AuthenticRecord]).decode
_drafts = msgspec.msgpack.Decoder(list[DeskDraft]).decode
_appended = msgspec.msgpack.Decoder(list[Appended | None]).decode
_ERROR_CLASSES = {
    name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, LedgerError)
}


class SequencerClient:
    """Implements ports.Appender and ports.Desk over the socket at `path`."""

    def __init__(self, path: Path, *, timeout_s: float = 30.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._local = threading.local()

    def append(self, records: Sequence[AuthenticRecord]) -> list[Appended | Exception]:
        return self._answers(self._call("append", _encode(list(records))))

    def refuse(self, record: AuthenticRecord, code: str) -> bytes | None:
        note: bytes | None = self._call("refuse", [_encode([record]), code])
        return note

    def sign_platform(self, payload: bytes) -> bytes:
        envelope: bytes = self._call("sign_platform", payload)
        return envelope

    def append_platform(self, kind: str, book: str, body: dict[str, Any]) -> Appended:
        return self._one(self._call("append_platform", [kind, book, body]))

    def tick(self, not_before: UnixMs) -> Appended | None:
        (answer,) = _appended(self._call("tick", not_before))
        return answer

    # -- ports.Desk --

    def unlock(self, session: str, name: str, password: str) -> str:
        keyid: str = self._call("desk_unlock", [session, name, password])
        return keyid

    def lock(self, session: str) -> None:
        self._call("desk_lock", session)

    def touch(self, session: str) -> bool:
        unlocked: bool = self._call("desk_touch", session)
        return unlocked

    def rekey(self, name: str, old: str, new: str) -> None:
        self._call("desk_rekey", [name, old, new])

    def sign_and_append(self, session: str, drafts: Sequence[DeskDraft], *, confirmed: bool) -> list[Appended]:
        answers = _appended(self._call("desk_append", [session, _encode(list(drafts)), confirmed]))
        return [answer for answer in answers if answer is not None]

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self._call("status", None)
        return status

    @staticmethod
    def _answers(value: Any) -> list[Appended | Exception]:
        answers, failures = _appended(value[0]), value[1]
        return [answer if answer is not None else _error(failures[at]) for at, answer in enumerate(answers)]

    @staticmethod
    def _one(value: Any) -> Appended:
        (answer,) = _appended(value)
        if answer is None:
            raise StoreError("the sequencer gave no answer")
        return answer

    def _call(self, operation: str, argument: Any) -> Any:
        frame = _encode([operation, argument])
        was_open = self._is_open()
        try:
            answer = self._exchange(frame)
        except _BrokenError as broken:
            # What was open before may have died with a sequencer that is long back.
            if not (was_open and (operation in _REPEATABLE or broken.sent_nothing)):
                raise _unknown() from broken
            try:
                answer = self._exchange(frame)
            except _BrokenError as again:
                raise _unknown() from again
        ok, value = _decode(answer)
        if not ok:
            raise _error(value)
        return value

    def _exchange(self, frame: bytes) -> bytes:
        """Send one frame and read its answer.

        Raises: _BrokenError when the connection ended; OverloadedError when there is none, or no answer in time.
        """
        connection = self._connection()
        sent = False
        try:
            connection.sendall(_LENGTH.pack(len(frame)) + frame)
            sent = True
            answer = _read_frame(connection)
        except TimeoutError as error:
            self._drop()
            raise _unknown() from error
        except OSError as error:
            self._drop()
            raise _BrokenError(sent_nothing=not sent) from error
        if answer is None:
            self._drop()
            raise _BrokenError(sent_nothing=False)
        return answer

    def _is_open(self) -> bool:
        """Whether this thread has a connection of this process; a fork's child must not use its parent's."""
        return getattr(self._local, "socket", None) is not None and getattr(self._local, "pid", None) == os.getpid()

    def _connection(self) -> socket.socket:
        if self._is_open():
            found: socket.socket = self._local.socket
            return found
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            raise OverloadedError("the log's process is not running yet; send the same bytes again shortly") from error
        self._local.socket, self._local.pid = connection, os.getpid()
        return connection

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        self._drop()

    def _drop(self) -> None:
        connection: socket.socket | None = getattr(self._local, "socket", None)
        self._local.socket = None
        if connection is not None:
            connection.close()


class _BrokenError(OSError):
    """The connection ended. `sent_nothing`: before the whole frame was out, so nobody can have taken it."""

    def __init__(self, *, sent_nothing: bool) -> None:
        super().__init__("the connection ended")
        self.sent_nothing = sent_nothing


def _unknown() -> OverloadedError:
    return OverloadedError("the log's process broke off; whether this was kept is not known: send the same bytes again")


class SequencerServer:
    """Serves an Appender on a Unix socket until `close`. One thread per connection."""

    def __init__(self, path: Path, appender: Appender, desk: Desk | None = None) -> None:
        self._path = path
        self._appender = appender
        self._operations: dict[str, Callable[[Any], Any]] = {
            "append": lambda a: _pack(appender.append(_records(a))),
            "refuse": lambda a: appender.refuse(_records(a[0])[0], a[1]),
            "sign_platform": appender.sign_platform,
            "append_platform": lambda a: _encode([appender.append_platform(a[0], a[1], a[2])]),
            "tick": lambda a: _encode([appender.tick(UnixMs(a))]),
            "status": lambda _: appender.status(),
        }
        if desk is not None:
            at_the_desk: dict[str, Callable[[Any], Any]] = {
                "desk_unlock": lambda a: desk.unlock(a[0], a[1], a[2]),
                "desk_lock": desk.lock,
                "desk_touch": desk.touch,
                "desk_rekey": lambda a: desk.rekey(a[0], a[1], a[2]),
                "desk_append": lambda a: _encode(desk.sign_and_append(a[0], _drafts(a[1]), confirmed=a[2])),
            }
            self._operations |= at_the_desk
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # between bind and chmod nobody else may connect
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(before)
        self._socket.listen(128)

    def serve(self) -> None:
        """Accept until closed."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (frame := _read_frame(connection)) is not None:
                try:
                    operation, argument = _decode(frame)
                    work = self._operations[operation]
                except (msgspec.DecodeError, ValueError, TypeError, KeyError):
                    _log.warning("a frame that is no call; the connection is closed")
                    return
                reply = _encode(self._answer(work, argument))
                if operation in ("append", "desk_append"):
                    fault("append.before-answer")
                connection.sendall(_LENGTH.pack(len(reply)) + reply)

    @staticmethod
    def _answer(work: Callable[[Any], Any], argument: Any) -> list[Any]:
        try:
            return [True, work(argument)]
        except LedgerError as error:
            return [False, _error_row(error)]
        except Exception as error:  # noqa: BLE001 - a caller hears of it; the server goes on for the others
            _log.exception("a call raised")
            return [False, _error_row(error)]


def _pack(answers: Sequence[Appended | Exception]) -> list[Any]:
    """[answers with None where refused, {position: error}]."""
    failures = {at: _error_row(answer) for at, answer in enumerate(answers) if isinstance(answer, Exception)}
    return [_encode([None if isinstance(answer, Exception) else answer for answer in answers]), failures]


def _error_row(error: Exception) -> dict[str, Any]:
    if not isinstance(error, LedgerError):
        return {"class": "StoreError", "detail": f"the log could not take this: {type(error).__name__}", "members": {}}
    return {"class": type(error).__name__, "detail": error.detail, "members": dict(vars(error))}


def _error(row: dict[str, Any]) -> LedgerError:
    cls = _ERROR_CLASSES.get(row["class"], StoreError)
    error = cls.__new__(cls)
    Exception.__init__(error, row["detail"])
    error.detail, error.code, error.pointer, error.refusal = row["detail"], cls.default_code, None, None
    vars(error).update(row["members"])
    return error


def _read_frame(connection: socket.socket) -> bytes | None:
    """One frame, or None when the other side closed between frames."""
    head = _read_exactly(connection, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_FRAME_BYTES:
        raise OSError("frame too large")
    return _read_exactly(connection, length)


def _read_exactly(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray(count)
    view, at = memoryview(parts), 0
    while at < count:
        got = connection.recv_into(view[at:])
        if got == 0:
            if at == 0:
                return None
            raise OSError("broken off inside a frame")
        at += got
    return bytes(parts)
