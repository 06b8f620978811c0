"""The sequencer's socket: the same answers as in-process, errors whole, death of either side, garbage, permissions."""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading

import pytest

from ledger.adapters.ipc import MAX_FRAME_BYTES, SequencerClient, SequencerServer
from ledger.errors import ConflictError, OverloadedError, RollbackError
from ledger.flow import Directory, Door, submit, submit_batch
from tests.kit import ORIGIN, SUBMISSION, Log


@pytest.fixture
def wired(tmp_path):
    log = Log(tmp_path)
    path = tmp_path / "run" / "s.sock"
    server = SequencerServer(path, log.sequencer)
    threading.Thread(target=server.serve, daemon=True).start()
    client = SequencerClient(path, timeout_s=5)
    log.remote = Door(ORIGIN, Directory(log.stores.log), log.stores.log, client)
    log.path, log.server, log.client = path, server, client
    yield log
    client.close()
    server.close()
    log.close()


def test_append__over_the_socket__durable_with_the_same_receipt_as_in_process(wired):
    book = wired.enterprise()
    envelope = book.next("stocktake")
    answer = submit(envelope, SUBMISSION, wired.remote)
    assert submit(envelope, SUBMISSION, wired.door).receipt == answer.receipt
    assert wired.stores.log.record_by_id(answer.receipt.record_id).receipt == answer.receipt.note


def test_append__refusal__arrives_with_all_its_members(wired):
    book = wired.enterprise()
    submit(book.next("stocktake"), SUBMISSION, wired.remote)
    expected = (book.seq + 1, book.prev)
    book.next()
    with pytest.raises(ConflictError) as caught:
        submit(book.next(), SUBMISSION, wired.remote)
    error = caught.value
    assert (error.code, error.expected_seq, error.expected_prev, error.status) == ("seq-gap", *expected, 409)
    assert error.refusal.startswith(b"hazledger/refusal/v1\n")
    assert "gap" in str(error)


def test_batch__mixed__answers_in_order(wired):
    book = wired.enterprise()
    lines = [book.next("stocktake"), book.next(), b"{}", book.next()]
    answers = submit_batch(lines, wired.remote)
    assert [type(a).__name__ for a in answers] == ["Appended", "Appended", "MalformedRecordError", "Appended"]


def test_append__rollback_state__crosses_as_rollback(wired):
    book = wired.enterprise()
    wired.sequencer._rollback = "signing has stopped"
    with pytest.raises(RollbackError, match="signing has stopped"):
        submit(book.next("stocktake"), SUBMISSION, wired.remote)
    wired.sequencer._rollback = None


def test_other_calls__over_the_socket__work(wired):
    assert wired.client.status()["size"] == wired.stores.log.size()
    assert wired.client.sign_platform(b"{}") == wired.sequencer.sign_platform(b"{}")
    assert wired.client.tick(0) is not None
    assert wired.client.tick(0) is None
    appended = wired.client.append_platform("scrub", "scrubs", {"checked": 0, "present": 0, "missing": []})
    assert wired.stores.log.record(appended.receipt.index).kind == "scrub"


def test_append__nobody_there__overloaded_says_send_again(tmp_path):
    client = SequencerClient(tmp_path / "none.sock")
    with pytest.raises(OverloadedError, match="same bytes again"):
        client.status()


def test_append__server_comes_back__the_client_connects_again(wired):
    assert wired.client.status()
    wired.server.close()
    wired.client.close()
    again = SequencerServer(wired.path, wired.sequencer)
    threading.Thread(target=again.serve, daemon=True).start()
    assert wired.client.status()
    wired.client.close()
    again.close()


class Restarting:
    """A sequencer's process at `path` that a test ends and starts: the connections go with it."""

    def __init__(self, log):
        self.log, self.path, self.calls = log, log.path, []
        log.server.close()
        log.client.close()
        self.start()

    def start(self, die_at=()):
        """`die_at`: operations that are taken and never answered; the process dies of them."""
        outer = self

        class Watched(SequencerServer):
            def _answer(self, work, argument):
                operation = next(name for name, known in self._operations.items() if known is work)
                outer.calls.append(operation)
                answered = super()._answer(work, argument)
                if operation in die_at:
                    raise OSError("killed")
                return answered

            def _serve_one(self, connection):
                outer.connections.append(connection)
                super()._serve_one(connection)

        self.connections = []
        self.server = Watched(self.path, self.log.sequencer)
        threading.Thread(target=self.server.serve, daemon=True).start()

    def restart(self, **options):
        self.server.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.start(**options)


@pytest.fixture
def restarting(wired):
    process = Restarting(wired)
    yield process
    wired.client.close()
    process.server.close()


CALLS = {
    "append": lambda client, record: client.append([record]),
    "status": lambda client, record: client.status(),
    "sign_platform": lambda client, record: client.sign_platform(b"{}"),
    "append_platform": lambda client, record: client.append_platform("scrub", "scrubs", {"checked": 0, "present": 0, "missing": []}),
    "tick": lambda client, record: client.tick(0),
    "refuse": lambda client, record: client.refuse(record, "schema"),
}


@pytest.fixture
def record(wired):
    from ledger.flow import checked

    return checked(wired.enterprise().next("stocktake"), SUBMISSION, wired.door)


@pytest.mark.parametrize("call", CALLS)
def test_call__first_after_a_restart__answered_and_taken_once(wired, restarting, record, call):
    wired.client.status()
    restarting.restart()
    restarting.calls.clear()
    CALLS[call](wired.client, record)
    assert restarting.calls == [call]


@pytest.mark.parametrize("call", ["append", "status", "sign_platform"])
def test_call__taken_and_not_answered__repeated_once_when_that_is_safe(wired, restarting, record, call):
    restarting.restart(die_at={call})
    wired.client.sign_platform(b"{}") if call != "sign_platform" else wired.client.status()
    restarting.calls.clear()
    with pytest.raises(OverloadedError, match="same bytes again"):
        CALLS[call](wired.client, record)
    assert restarting.calls == [call] * 2
    assert sum(r.record_id == record.record_id for r in wired.stores.log.records(0, 100)) == (call == "append")


@pytest.mark.parametrize("call", ["append_platform", "tick", "refuse"])
def test_call__taken_and_not_answered__never_repeated_where_that_would_be_another_entry(wired, restarting, record, call):
    restarting.restart(die_at={call})
    wired.client.status()
    restarting.calls.clear()
    with pytest.raises(OverloadedError, match="same bytes again"):
        CALLS[call](wired.client, record)
    assert restarting.calls == [call]


def test_call__fresh_connection_that_breaks__not_repeated(wired, restarting, record):
    restarting.restart(die_at={"append"})
    with pytest.raises(OverloadedError):
        wired.client.append([record])
    assert restarting.calls == ["append"]


def test_call__no_answer_in_time__not_repeated(wired, restarting, record, monkeypatch):
    client = SequencerClient(wired.path, timeout_s=0.3)
    client.status()
    restarting.calls.clear()
    monkeypatch.setattr(wired.sequencer, "append", lambda _: threading.Event().wait(2) or [])
    with pytest.raises(OverloadedError):
        client.append([record])
    client.close()
    assert restarting.calls == ["append"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 64,
        struct.pack(">I", 5) + b"\xc1\xc1\xc1\xc1\xc1",
        struct.pack(">I", MAX_FRAME_BYTES + 1),
        struct.pack(">I", 100) + b"cut",
        struct.pack(">I", 1) + b"\x90",
    ],
    ids=["noise", "no msgpack", "a frame too large", "a frame cut short", "an empty call"],
)
def test_server__garbage__that_connection_ends_and_others_go_on(wired, garbage):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.settimeout(5)
        raw.connect(str(wired.path))
        raw.sendall(garbage)
        raw.shutdown(socket.SHUT_WR)
        try:
            assert raw.recv(1) == b""
        except ConnectionResetError:  # it was closed with bytes unread
            pass
    assert wired.client.status()


def test_socket__permissions__owner_only(wired):
    assert stat.S_IMODE(os.stat(wired.path).st_mode) == 0o600
