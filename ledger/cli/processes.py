"""The four kinds of process, each the loop around one part of flow. `hazledger serve` starts and watches them."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click

from ledger import faults, flow
from ledger.adapters.ipc import SequencerServer
from ledger.cli.compose import SUBMITTER_ACCOUNT, Installation, wall_clock_ms
from ledger.clockwatch import ClockWatch
from ledger.config import Config, environment_with, faults_dir_from_environment, load
from ledger.errors import ChainError, ChainMismatchError, OverloadedError, RollbackError, StoreError
from ledger.sequencer import Sequencer
from ledger.signdesk import SigningDesk

_log = logging.getLogger("hazledger")

# A grant becomes usable this soon after it is final on the chain, whatever the anchoring cadence.
MIRROR_EVERY_S = 1.0
# How often what the supervisor looked at and did is sealed into the log.
WATCH_EVERY_S = 60.0
STATUS_FILE = "anchor-status.json"
ENGINE_STATUS_FILE = "engine-status.json"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of <malloc.h>."""
_LARGEST_FROM_HEAP = 32 * 1024 * 1024
"""As large as glibc lets it be; the largest batch is 8 MiB."""
_KEPT_FREE = 64 * 1024 * 1024


@click.command(hidden=True)
@click.argument("name", type=click.Choice(["sequencer", "engine", "anchor", "web"]))
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), required=True)
def process(name: str, state: Path) -> None:
    """Run one process of an installation (`hazledger serve` does this)."""
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s {name} %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = load(state)
    faults.arm(faults_dir_from_environment())
    {"sequencer": run_sequencer, "engine": run_engine, "anchor": run_anchor, "web": run_web}[name](config)


def run_sequencer(config: Config) -> None:
    """The only writer of the log: serves the socket, signs a checkpoint every `checkpoint_every_s`."""
    stop = _stop_event()
    here = Installation(config)
    lock = here.stores.exclusive("sequencer")
    with lock:
        here.stores.migrate()
        chain = here.chain()
        clock_watch = ClockWatch(
            here.clock_pause,
            clock=wall_clock_ms,
            steady_s=_steady_s,
            last_received=here.stores.log.last_received(),
        )
        sequencer = Sequencer(
            here.stores.log,
            here.identity(),
            here.guard(),
            clock=wall_clock_ms,
            chain_head=chain.head,
            clock_watch=clock_watch,
        )
        desk = SigningDesk(sequencer, here.desk_keys, flow.Directory(here.stores.log), origin=config.origin)
        server = SequencerServer(config.socket_path, sequencer, desk)
        threading.Thread(target=server.serve, name="socket", daemon=True).start()
        _log.info("at size %d", here.stores.log.size())
        settle_memory()
        said = _SayOnce()
        while not stop.wait(config.checkpoint_every_s):
            desk.sweep()
            lock.still_held()  # a lost lock ends this process; the next start waits its turn
            try:
                sequencer.checkpoint_once()
                said.clear()
            except RollbackError as error:
                said(f"ROLLBACK, nothing is signed any more: {error.detail}")
            except (ChainError, StoreError) as error:
                said(f"no checkpoint now: {error.detail}")
        server.close()
        sequencer.close()
    here.stores.close()


def run_anchor(config: Config) -> None:
    """Mirrors final grants every second and anchors every `anchor_every_s`; tries again for ever."""
    stop = _stop_event()
    here = Installation(config)
    status = _Status(config.state_dir / "run" / STATUS_FILE)
    lock = here.stores.exclusive("anchor")
    with lock:
        chain = here.chain(account=here.account(SUBMITTER_ACCOUNT), journal=here.stores.anchor)
        said, due, watch_due, checked = _SayOnce(), 0.0, 0.0, False
        while not stop.is_set():
            started = time.monotonic()
            lock.still_held()
            try:
                if not checked:
                    chain.recover()
                    chain.check_identity()
                    checked = True
                if started >= due:
                    anchor = flow.anchor_once(
                        log=here.stores.log,
                        chain=chain,
                        store=here.stores.anchor,
                        appender=here.appender,
                        enrolments=here.enrolments.all(),
                    )
                    if anchor is not None:
                        due = started + config.chain.anchor_every_s
                        _log.info("anchored size %d in block %d", anchor.size, anchor.block.number)
                else:
                    flow.mirror_once(
                        log=here.stores.log,
                        chain=chain,
                        store=here.stores.anchor,
                        appender=here.appender,
                        enrolments=here.enrolments.all(),
                    )
                said.clear()
                status.write(None, chain.status())
            except ChainMismatchError as error:
                status.write(error.detail, chain.status())
                raise
            except RollbackError as error:
                said(f"ROLLBACK, nothing is anchored: {error.detail}")
                status.write(error.detail, chain.status())
            except (ChainError, OverloadedError, StoreError) as error:
                checked = checked and not isinstance(error, ChainError)
                said(f"not anchored now, trying again: {error.detail}")
                status.write(error.detail, chain.status())
            if started >= watch_due:
                watch_due = started + WATCH_EVERY_S
                _seal_access_log(here)
            stop.wait(max(0.0, MIRROR_EVERY_S - (time.monotonic() - started)))
    here.stores.close()


def _seal_access_log(here: Installation) -> None:
    """Not the chain's business, so its trouble is not reported as the chain's; the next round covers what is missed."""
    try:
        flow.watch_once(
            portal=here.stores.portal, log=here.stores.log, appender=here.appender, issuer=here.config.issuer
        )
    except (OverloadedError, RollbackError, StoreError) as error:
        _log.warning("the access log is not sealed into the log now: %s", error.detail)


def run_engine(config: Config) -> None:
    """Folds every entry once; woken by new entries, at most `poll` behind them."""
    from ledger.cli.engine import run  # noqa: PLC0415 - the rules and CEL are only this process's

    run(Installation(config), _stop_event())


def run_web(config: Config) -> None:
    """Becomes gunicorn; each worker composes its own stores after the fork (ledger/cli/wsgi.py)."""
    http = config.http
    arguments = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "python:webapp.gunicorn_hooks",
        "--bind",
        f"{http.host}:{http.port}",
        "--worker-class",
        "ledger.cli.webworker.DeadlineWorker",
        "--workers",
        str(http.workers),
        "--threads",
        str(http.threads),
        "--timeout",
        "60",
        "--graceful-timeout",
        "5",
        "--worker-tmp-dir",
        "/dev/shm" if Path("/dev/shm").is_dir() else str(config.state_dir / "run"),  # noqa: S108 - gunicorn's heartbeat file
        "--log-level",
        "warning",
        "ledger.cli.wsgi:build()",
    ]
    environment = environment_with(HAZLEDGER_STATE=str(config.state_dir))
    os.execve(sys.executable, arguments, environment)  # noqa: S606 - our own interpreter


def _steady_s() -> float:
    """A clock that nobody can set, and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _SayOnce:
    """Logs a condition when it begins or changes, not once a second for as long as it lasts."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, text: str) -> None:
        if text != self._last:
            _log.warning("%s", text)
            self._last = text

    def clear(self) -> None:
        if self._last:
            _log.info("well again")
            self._last = ""


def engine_said(state_dir: Path) -> dict[str, Any]:
    """What the engine's process last wrote of itself: as_of_ms, costs_us, ruleset; nothing where it never ran."""
    try:
        said = json.loads((state_dir / "run" / ENGINE_STATUS_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


class _Status:
    """What the anchor worker knows, for /readyz and the Trust page: the web processes hold no chain account."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, error: str | None, chain: dict[str, Any]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps({"as_of_ms": wall_clock_ms(), "error": error, "chain": chain}, default=str))
        beside.replace(self._path)


def settle_memory() -> None:
    """Call once everything is loaded: the collector then never walks code and tables again, only what a request made.

    Measured: a fifth of the sequencer's time per record went into collecting what never dies. And glibc gives what a batch
    took back to the kernel at once, only to fetch it page by page for the next: two page faults and 7 us a record in a web
    worker. It may keep so much instead, in each process (mallopt(3); another C library is left as it is).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)


def _stop_event() -> threading.Event:
    stop = threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop
