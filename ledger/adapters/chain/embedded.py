"""EmbeddedNode: the development chain that the program starts itself, Anvil with its state on disk.

Whoever reaches its port can rewrite its storage, so it listens on loopback only, and everything that rests on it is
called ANCHORED-DEV. What a kill loses since the last dump, `EvmChain.recover` sends again from the journal.
"""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ledger.adapters.chain.dumps import Dumps
from ledger.adapters.chain.rpc import Rpc, RpcError, Timeouts, from_hex, number
from ledger.adapters.chain.settings import ChainSettings
from ledger.adapters.chain.transactions import locked
from ledger.adapters.children import die_with_parent, free_port
from ledger.errors import ChainError, ChainMismatchError, ChainUnreachableError, ConfigError

CHAIN_ID = 31337
"""Known everywhere as a development chain's."""

GENESIS_TIME_S = 1_760_000_000
"""Fixed: the same genesis hash and contract addresses whenever the chain is made again."""

ARGUMENTS = (
    *("--hardfork", "shanghai", "--accounts", "0", "--no-mining", "--no-cors", "--quiet"),
    *("--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee"),
    # Four states for a reader that asks for the newest block while another process mines the next; unpruned, it
    # writes every block's state to disk.
    *("--prune-history", "4"),
    # Our dumps come back through the same port; 2 MB, the default limit, is a day of them.
    "--no-request-size-limit",
)
"""How it runs, besides where and as which chain."""

# At most this share of the node's time goes into dumps; what is younger the journal brings back, 3 ms a block.
_DUMPING_SHARE = 0.02

_START_S = 10.0
_STOP_S = 5.0

# A node whose parent was killed is killed by the kernel, but not in the same instant.
_PORT_S = 3.0

# Longer than the answer that whoever has the turn may still be waiting for from the node that is gone.
_TURN_S = 15.0

_log = logging.getLogger(__name__)


def find_anvil(contracts: Path, configured: Path | None = None) -> Path:
    """Anvil's native file: the configured one, or npm's under `contracts`/node_modules.

    Never `.bin/anvil`: that is a Node.js shim which leaves the node alive when it is killed.

    Raises:
        ConfigError: There is none, or it cannot be executed; says what to do.
    """
    if configured is not None:
        found = configured
    else:
        arch = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
            platform.machine().lower()
        )
        system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
        found = contracts / "node_modules" / "@foundry-rs" / f"anvil-{system}-{arch}" / "bin" / "anvil"
    if not os.access(found, os.X_OK) or not found.is_file():
        raise ConfigError(
            f"no Anvil at {found}: run `npm ci` in {contracts}, or set HAZLEDGER_ANVIL to its native file"
        )
    return found


def embedded_settings(directory: Path, **changes: Any) -> ChainSettings:
    """How every process must use the node in `directory`: it mines when told, for nothing, and answers at once."""
    settings: dict[str, Any] = {
        "program_mines": True,
        "free_gas": True,
        "poll_s": 0.02,
        "resend_after_s": 2.0,
        "give_up_s": 10.0,
        "lock": _turn_lock(directory),
    }
    return ChainSettings(**{**settings, **changes})


def _turn_lock(directory: Path) -> Path:
    return directory.resolve() / "turn.lock"


class EmbeddedNode:
    """One Anvil process. `start` returns when it answers, holds its newest state and is on the right clock.

    Start it from the main thread: the kernel ends it with the thread that started it.

    Args:
        anvil: The native file, see `find_anvil`.
        directory: Dumps, lock and Anvil's own home; made when missing. One node at a time in one directory.
        port: 0 takes a free one and keeps it across restarts of this object.
        clock: Unix seconds.
        arguments: In place of ARGUMENTS, for tests.
    """

    def __init__(
        self,
        anvil: Path,
        directory: Path,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        arguments: tuple[str, ...] = ARGUMENTS,
    ) -> None:
        self._anvil = anvil.resolve()
        self._directory = directory.resolve()
        self._port = port
        self._clock = clock
        self._arguments = arguments
        self._dumps = Dumps(self._directory / "dumps")
        self._process: subprocess.Popen[bytes] | None = None
        self._dumped: tuple[int, float] = (0, 0.0)
        self._dump_took_s = 0.0
        self._lock: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens; ConfigError before the first start."""
        if not self._port:
            raise ConfigError("the embedded node was not started")
        return f"http://127.0.0.1:{self._port}"

    @property
    def directory(self) -> Path:
        """Where it keeps its state."""
        return self._directory

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def settings(self, **changes: Any) -> ChainSettings:
        """How every process must use this chain."""
        return embedded_settings(self._directory, **changes)

    def start(self) -> None:
        """Start, load the newest whole dump, set the clock; nobody sends or recovers meanwhile.

        Anvil answers before it has loaded anything. Whoever recovered then would take the chain for empty and mine every
        block of the journal once more on top of the dump; so this holds the turn that sending and recovering need.

        Raises:
            ChainUnreachableError: It does not start; its own words are in `anvil.log`.
            ChainTimeoutError: A process kept its turn, which with no node to answer should end at once.
            ChainMismatchError: A dump is of another chain.
        """
        if self.pid is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        self._take_directory()
        self._port = self._port or free_port()
        try:
            with locked(_turn_lock(self._directory), within_s=_TURN_S):
                self._launch()
                rpc = self._rpc()
                self._load(rpc)
                rpc.call("evm_setTime", int(self._clock()))
        except BaseException:
            self.kill()
            raise

    def dump(self) -> None:
        """Keep the state on disk, durably."""
        rpc, started = self._rpc(), time.monotonic()
        block = number(rpc.call("eth_blockNumber"))
        self._dumps.save(from_hex(rpc.call("anvil_dumpState")), block)
        self._dumped = (block, time.monotonic())
        self._dump_took_s = time.monotonic() - started

    def maintain(self, dump_every_s: float = 60.0) -> bool:
        """Call it every second or so: starts a dead node again, dumps when there are new blocks. True if restarted.

        A restart that fails is logged and tried again at the next call: the ledger takes records without a chain.
        """
        if self.pid is None:
            code = self._process.poll() if self._process is not None else None
            _log.warning("the embedded node is gone (status %s); starting it again", code)
            try:
                self.start()
            except (ChainError, ConfigError) as error:
                _log.warning("the embedded node does not start: %s", error.detail)
                return False
            return True
        block, at = self._dumped
        # A dump is the whole chain, 0.1 ms a block, and the node stands still meanwhile.
        if time.monotonic() - at >= max(dump_every_s, self._dump_took_s / _DUMPING_SHARE):
            newest = number(self._rpc().call("eth_blockNumber"))
            if newest != block:
                self.dump()
            else:
                self._dumped = (block, time.monotonic())
        return False

    def stop(self) -> None:
        """Dump, then end it. Nothing is lost; when the dump fails the journal still has everything."""
        if self.pid is None:
            return
        try:
            self.dump()
        except (ChainError, OSError) as error:
            _log.warning("the embedded node's last dump failed: %s", error)
        self.kill()

    def kill(self) -> None:
        """End it at once, without a dump."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # --- parts -----------------------------------------------------------------------------------------------------

    def _take_directory(self) -> None:
        """Two nodes over the same dumps would each undo the other's; the lock falls with this process."""
        if self._lock is not None:
            return
        lock = (self._directory / "node.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise ConfigError(
                f"another process runs the embedded node of {self._directory}: this installation is in use already; "
                "stop that first, or name another directory with --state"
            ) from None
        self._lock = lock

    def _launch(self) -> None:
        _refuse_taken(self._port)
        command = [
            str(self._anvil),
            *("--host", "127.0.0.1", "--port", str(self._port), "--chain-id", str(CHAIN_ID)),
            *("--timestamp", str(GENESIS_TIME_S), *self._arguments),
        ]
        home = self._directory / "home"
        home.mkdir(exist_ok=True)
        # Anvil writes snapshots under its user's home: give it one that goes with the state. Nothing else of our
        # environment is its business.
        environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TMPDIR": str(home)}
        with (self._directory / "anvil.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=home,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - it only calls prctl
            )
        self._await_answer()

    def _await_answer(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while True:
            if self._process.poll() is not None:
                raise ChainUnreachableError(
                    f"Anvil ended with status {self._process.returncode}; see {self._directory}/anvil.log"
                )
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                    return
            except OSError:
                if time.monotonic() > deadline:
                    self.kill()
                    raise ChainUnreachableError(f"Anvil does not answer; see {self._directory}/anvil.log") from None
                time.sleep(0.005)

    def _load(self, rpc: Rpc) -> None:
        """Load the newest dump that is whole; ChainMismatchError when it is of a chain with another genesis."""
        genesis = self._block_hash(rpc, "0x0")
        for path in self._dumps.newest_first():
            dump = self._dumps.read(path)
            if dump is None:
                _log.warning("%s is torn; taking the one before", path.name)
                continue
            try:
                loaded = rpc.call("anvil_loadState", "0x" + dump.hex())
            except RpcError as error:
                _log.warning("%s cannot be loaded (%s); taking the one before", path.name, error.detail)
                continue
            if loaded:
                if self._block_hash(rpc, "0x0") != genesis:
                    raise ChainMismatchError(f"{path} is of a chain with another genesis than this program makes")
                self._dumped = (number(rpc.call("eth_blockNumber")), time.monotonic())
                return
        self._dumped = (0, time.monotonic())

    def _rpc(self) -> Rpc:
        return Rpc([self.url], chain_id=CHAIN_ID, timeouts=Timeouts(answer_s=60.0))

    @staticmethod
    def _block_hash(rpc: Rpc, which: str) -> str:
        block = rpc.block(which)
        return "" if block is None else str(block["hash"])


def _refuse_taken(port: int) -> None:
    """ConfigError when somebody listens there: it would be asked in our node's place until that has failed to start."""
    deadline = time.monotonic() + _PORT_S
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ConfigError(f"port {port} is taken: another node listens there") from error
            else:
                return
        time.sleep(0.05)
