"""`hazledger serve`: starts and watches the processes of one installation, and the embedded chain where there is one."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from ledger.adapters.chain.embedded import EmbeddedNode
from ledger.adapters.children import die_with_parent, free_port
from ledger.adapters.files import make_directory, write_whole
from ledger.cli.compose import chain_dir, find_configured_anvil, state_option
from ledger.config import Config, environment_with, load, running_node_path, state_dir_from_environment
from ledger.errors import ChainError, ConfigError

_log = logging.getLogger("hazledger")

PROCESSES = ("sequencer", "engine", "anchor", "web")
# A process that keeps dying is started again ever more slowly, at most once in this many seconds.
SLOWEST_RESTART_S = 30.0
STOP_WITHIN_S = 15.0
# An ordinary start takes a few seconds; whoever waits longer is told for what.
PATIENCE_S = 10.0
ASK_WITHIN_S = 2.0
MAX_READYZ_BYTES = 64 * 1024


@click.command()
@state_option
@click.option("--only", multiple=True, type=click.Choice(PROCESSES), help="Start only these (repeatable).")
def serve(state: Path | None, only: tuple[str, ...]) -> None:
    """Start and watch the processes: web, sequencer, engine, anchor (and Anvil, when it is embedded).

    Ctrl-C or SIGTERM stops them in order. One that dies is started again; nothing acknowledged is ever lost by that.

    \b
    Exit code: 0 stopped as asked, 2 usage or settings, or a process that does not start.

    \b
    Example:
      hazledger serve --state /srv/hazledger
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s serve %(levelname)s %(message)s", datefmt="%H:%M:%S")
    config = load(state or state_dir_from_environment())
    service = Service(config, only or PROCESSES)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo(f"starting {', '.join((['Anvil'] if config.chain.embedded else []) + list(service.names))}")
    service.start()
    if service.node is not None:
        click.echo(f"development chain, for --rpc: {service.rpc_url}")
    door = Door(service.url) if "web" in service.names else None
    try:
        while not stop.wait(0.5):
            service.watch()
            if door is not None:
                for line in door.news(time.monotonic()):
                    click.echo(line)
    finally:
        service.stop()


@dataclass
class Door:
    """Tells once that portal and API are ready, at their address; of a start that takes long, for which parts it waits."""

    url: str
    since: float = field(default_factory=time.monotonic)
    _open: bool = False
    _said: str = ""

    def news(self, now: float) -> list[str]:
        """What there is to say now, one line at the most. Asks `/readyz` until it has once answered 200."""
        if self._open:
            return []
        waiting = _waiting_for(self.url)
        if not waiting:
            self._open = True
            return [f"ready; portal and API: {self.url}"]
        if now - self.since < PATIENCE_S or waiting == self._said:
            return []
        self._said = waiting
        return [f"not ready yet, waiting for: {waiting} (portal and API: {self.url})"]


def _waiting_for(url: str) -> str:
    """The parts that `/readyz` names; `web` while nobody answers; "" when all is ready."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=ASK_WITHIN_S):  # noqa: S310 - our own address
            return ""
    except urllib.error.HTTPError as error:
        try:
            reasons = json.loads(error.read(MAX_READYZ_BYTES))["reasons"]
            return ", ".join(str(reason["part"]) for reason in reasons) or "web"
        except (OSError, ValueError, LookupError, TypeError):
            return "web"
    except OSError:
        return "web"


@dataclass
class _Child:
    name: str
    popen: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0


@dataclass
class Service:
    """The running processes of one installation. `start`, then `watch` twice a second, then `stop`."""

    config: Config
    names: tuple[str, ...] = PROCESSES
    log_path: Path | None = None
    """Where the processes write what they have to say; None for this terminal."""
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    node: EmbeddedNode | None = None
    _children: dict[str, _Child] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where portal and API answer."""
        return f"http://{self.config.http.host}:{self._ports.get('http', self.config.http.port)}"

    @property
    def rpc_url(self) -> str:
        """The chain's endpoint."""
        return self.node.url if self.node is not None else self.config.chain.endpoints[0]

    def pid(self, name: str) -> int | None:
        """Process id of one of the processes while it runs."""
        child = self._children.get(name)
        return child.popen.pid if child and child.popen and child.popen.poll() is None else None

    def start(self) -> None:
        """Start the chain, then the others.

        Raises: ConfigError when the HTTP port is taken by somebody else; ChainError when Anvil does not start.
        """
        (self.config.state_dir / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ports["http"] = self._port(self.config.http.host, self.config.http.port)
        if self.config.chain.embedded and self.node is None:
            self.start_node()
        for name in self.names:
            self._children[name] = _Child(name)
            self._launch(self._children[name])

    def start_node(self) -> None:
        """The embedded chain, alone."""
        port = free_port("127.0.0.1") if not _is_free("127.0.0.1", self.config.chain.port) else self.config.chain.port
        self.node = EmbeddedNode(find_configured_anvil(self.config), chain_dir(self.config), port=port)
        self.node.start()
        path = running_node_path(self.config.state_dir)
        make_directory(path.parent, 0o700)
        write_whole(path, self.node.url.encode("ascii") + b"\n")

    def watch(self) -> None:
        """Start again what has died."""
        if self.node is not None:
            try:
                self.node.maintain()
            except (ChainError, OSError) as error:
                _log.warning("the embedded chain: %s", error)
        now = time.monotonic()
        for child in self._children.values():
            if child.popen is None or child.popen.poll() is not None:
                if child.popen is not None:
                    if now - child.started > SLOWEST_RESTART_S:
                        child.failures = 0
                    child.failures += 1
                    wait = 0.0 if child.failures == 1 else min(SLOWEST_RESTART_S, 0.25 * 2**child.failures)
                    child.not_before = now + wait
                    _log.warning("%s ended with status %s; starting it again", child.name, child.popen.returncode)
                    child.popen = None
                if now >= child.not_before:
                    self._launch(child)

    def kill(self, name: str) -> None:
        """SIGKILL one process; `watch` starts it again. For fault tests."""
        child = self._children[name]
        if child.popen is not None and child.popen.poll() is None:
            child.popen.kill()
            child.popen.wait()

    def stop(self) -> None:
        """Web first, so that nobody is let in any more; the chain last."""
        for name in ("web", "engine", "anchor", "sequencer"):
            child = self._children.get(name)
            if child is None or child.popen is None or child.popen.poll() is not None:
                continue
            child.popen.terminate()
            try:
                child.popen.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.popen.kill()
                child.popen.wait()
        if self.node is not None:
            self.node.stop()

    def _launch(self, child: _Child) -> None:
        environment = environment_with(**self.extra_environment, HAZLEDGER_HTTP_PORT=str(self._ports["http"]))
        if self.node is not None:
            environment["HAZLEDGER_CHAIN_ENDPOINTS"] = self.node.url
        command = [
            sys.executable,
            "-m",
            "ledger.cli.main",
            "process",
            child.name,
            "--state",
            str(self.config.state_dir),
        ]
        output = self.log_path.open("ab") if self.log_path else None
        try:
            child.popen = subprocess.Popen(
                command,
                env=environment,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - only prctl and getppid
            )
        finally:
            if output is not None:
                output.close()
        child.started = time.monotonic()

    @staticmethod
    def _port(host: str, port: int) -> int:
        if port == 0:
            return free_port(host)
        if not _is_free(host, port):
            raise ConfigError(
                f"port {port} on {host} is taken (is `hazledger serve` running already?); "
                "stop what uses it, or set HAZLEDGER_HTTP_PORT (0: any)"
            )
        return port


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
