"""`gunicorn tests.webapp.served:build()`: each worker opens the same log on disk after the fork, as in production.

Only one worker may write a log in this small arrangement, so `submit` goes through a file lock.
"""

import fcntl
import os
import time
from pathlib import Path

from ledger.adapters.store import open_stores
from ledger.core.dsse import parse_envelope
from ledger.core.record import parse_payload, record_id_of
from ledger.model import Appended, LeafIndex, Receipt, UnixMs
from ledger.errors import MalformedRecordError
from tests.webapp.desk import Catalogue
from webapp import create_app, stream
from webapp.services import Proof, Services

STATE = "HAZLEDGER_TEST_STATE"


# Who is gone is noticed at a heartbeat; five seconds of waiting for it would test no more.
stream.HEARTBEAT_S = 1.0


def build():
    state = Path(os.environ[STATE])
    stores = open_stores("sqlite", state)
    received = state / "received.txt"

    def submit(body, _media):
        """Writes the record_id down, durably, in place of a log."""
        record_id = record_id_of(parse_envelope(body).payload)
        parse_payload(parse_envelope(body).payload)
        with received.open("ab") as out:
            fcntl.flock(out, fcntl.LOCK_EX)
            out.write(record_id.encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
        return Appended(Receipt(record_id, LeafIndex(0), UnixMs(1), b"note\n"), repeat=False)

    def submit_batch(lines):
        answers = []
        for line in lines:
            try:
                answers.append(submit(line, ""))
            except MalformedRecordError as error:
                answers.append(error)
        return answers

    return create_app(
        Services(
            log=stores.log,
            engine=stores.engine,
            anchors=stores.anchor,
            portal=stores.portal,
            submit=submit,
            submit_batch=submit_batch,
            precheck=lambda _: [],
            bundle=lambda record_id, disclosures: b"{}",
            proof=lambda _: Proof("RECEIVED"),
            level=lambda _: "RECEIVED",
            catalogue=Catalogue(),
            trust=b"{}",
            clock=lambda: UnixMs(int(time.time() * 1000)),
            secret_key=b"k" * 32,
            poll_ms=50,
        )
    )


