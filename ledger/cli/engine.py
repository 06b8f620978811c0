"""The engine's process: the shipped rules over the log, for ever."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable

from ledger import flow
from ledger.adapters.keystore.signing import public_key_of
from ledger.catalogue import Catalogue
from ledger.cli.compose import PLATFORM_KEY, Installation, wall_clock_ms
from ledger.cli.processes import ENGINE_STATUS_FILE, settle_memory
from ledger.core.keys import load_public_key
from ledger.core.submission import SUBMISSION_TYPE
from ledger.evaluate import Evaluator, Platform, evaluate
from ledger.flow import Directory, Door
from ledger.model import AuthenticRecord

_log = logging.getLogger("hazledger")

# How often the log's size is looked at while nothing comes: well below the 100 ms from receipt to alert row.
POLL_S = 0.02


NICENESS = 5
LOCK_ASKED_EVERY_S = 1.0


def run(here: Installation, stop: threading.Event) -> None:
    """Fold until stopped; only one engine works at a time, a second waits for the lock."""
    config = here.config
    lock = here.stores.exclusive("engine")
    with lock:
        log = here.stores.log
        _wait_for_log(here, stop)
        if stop.is_set():
            return
        door = Door(config.origin, Directory(log), log, here.appender)

        def admit(envelope: bytes) -> AuthenticRecord:
            return flow.checked(envelope, SUBMISSION_TYPE, door)

        evaluator = Evaluator(
            log_reader=log,
            store=here.stores.engine,
            appender=here.appender,
            admit=admit,
            rules=here.rules(),
            classifier=Catalogue.load(),
            platform=Platform(config.issuer, load_public_key(public_key_of(config.keys_dir / PLATFORM_KEY)).keyid),
            clock=wall_clock_ms,
        )
        settle_memory()
        # Where the machine is full, what comes in is made durable first; warnings follow, and the lag is shown.
        os.nice(NICENESS)

        def each_second() -> None:
            lock.still_held()
            _say(here, evaluator)

        evaluate(evaluator, stop=_until(stop, each_second), wait=_waiter(here, stop))
    here.stores.close()


def _say(here: Installation, evaluator: Evaluator) -> None:
    """What only this process knows (`hazledger rules health` shows it): made again at each start, so in run/."""
    path = here.config.state_dir / "run" / ENGINE_STATUS_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps({"as_of_ms": wall_clock_ms(), **evaluator.status()}))
    beside.replace(path)


def _until(stop: threading.Event, still_held: Callable[[], None]) -> Callable[[], bool]:
    """Whether to stop; once a second `still_held` is asked whether the engine's lock is still ours; it raises if not."""
    asked = [time.monotonic()]

    def stopped() -> bool:
        if time.monotonic() - asked[0] > LOCK_ASKED_EVERY_S:
            still_held()
            asked[0] = time.monotonic()
        return stop.is_set()

    return stopped


def _waiter(here: Installation, stop: threading.Event) -> Callable[[float], object]:
    """Wait so many seconds, less when the log grows."""
    size = [here.stores.log.size()]

    def wait(seconds: float) -> None:
        until = time.monotonic() + seconds
        while not stop.wait(POLL_S) and time.monotonic() < until:
            now = here.stores.log.size()
            if now != size[0]:
                size[0] = now
                return

    return wait


def _wait_for_log(here: Installation, stop: threading.Event) -> None:
    """The sequencer makes the tables at its first start; without them there is nothing to fold."""
    here.stores.migrate()
    while not stop.is_set() and here.stores.log.size() == 0:
        stop.wait(0.2)
