"""One bash in which a person types the README's commands, one after the other, in a directory of its own."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.readme.blocks import Block, Command, matches, unmatched
from ledger.adapters.children import free_port

END = "<<<end of command>>>"
COMMAND_S = 60.0
UNTIL_S = 30.0
STOP_S = 25.0
# What the page says, and what is free on this machine.
HTTP_PORT, CHAIN_PORT = "8080", "8545"


class Shell:
    """A story's shell. `run` types a block's commands; programs that stay (`hazledger serve`) run beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {HTTP_PORT: str(free_port()), CHAIN_PORT: str(free_port())}
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HAZLEDGER_", "PYTEST_")) and "proxy" not in name.lower()
        }
        environment |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(directory),
            "HAZLEDGER_HTTP_PORT": self.ports[HTTP_PORT],
            "HAZLEDGER_CHAIN_PORT": self.ports[CHAIN_PORT],
            # The page's default is a minute; nobody waits that long for a test.
            "HAZLEDGER_CHAIN_ANCHOR_EVERY_S": "1",
        }
        self._environment = environment
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bash.stdout, selectors.EVENT_READ)
        self._staying: list[subprocess.Popen[bytes]] = []
        self.broken = ""
        """The block that went wrong; what follows it cannot go right."""

    def write(self, block: Block) -> None:
        """A file of the page, with its line end."""
        path = self.directory / block.argument
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(block.text) + "\n", encoding="utf-8")

    def run(self, block: Block) -> list[str]:
        """Type the block's commands; what went otherwise than the page shows, in words. `until`: all of it again."""
        if block.stopped:
            self._stop_staying()
        until = time.monotonic() + (UNTIL_S if block.until else 0)
        while True:
            wrong = []
            for command in block.commands:
                if re.match(r"hazledger serve\b", command.text):
                    wrong += self._stay(command)
                    continue
                status, printed = self.type(self.here(command.text))
                if status != 0 or not matches(command.shown, printed):
                    wrong.append(_difference(command, status, printed))
            if not wrong or time.monotonic() > until:
                return wrong
            time.sleep(0.5)

    def type(self, text: str) -> tuple[int, str]:
        """(exit code, what came on both outputs) of one command line."""
        self._bash.stdin.write(f"{text}\nprintf '\\n{END} %d\\n' $?\n".encode())
        self._bash.stdin.flush()
        data, deadline = b"", time.monotonic() + COMMAND_S
        pattern = re.compile(rf"\n{END} (\d+)\n\Z".encode())
        while (found := pattern.search(data)) is None:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise AssertionError(f"no end of {text!r} within {COMMAND_S:g} s; it printed:\n{data.decode()}")
            part = os.read(self._bash.stdout.fileno(), 65536)
            if not part:
                raise AssertionError(f"{text!r} ended the shell; it printed:\n{data.decode()}")
            data += part
        return int(found.group(1)), data[: found.start()].decode()

    def here(self, text: str) -> str:
        """The page's ports replaced by free ones."""
        for ours, free in self.ports.items():
            text = text.replace(f"127.0.0.1:{ours}", f"127.0.0.1:{free}")
        return text

    def close(self) -> None:
        self._stop_staying()
        self._bash.stdin.close()
        self._bash.wait(10)
        self._bash.stdout.close()
        self._selector.close()

    def _stop_staying(self) -> None:
        """Ctrl-C for the programs that stay."""
        while self._staying:
            process = self._staying.pop()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _stay(self, command: Command) -> list[str]:
        """Start a program that does not end, and wait until it is ready."""
        _, cwd = self.type("pwd; declare -p HAZLEDGER_STATE 2>/dev/null | sed 's/.*HAZLEDGER_STATE=/state=/;s/\"//g'")
        lines = cwd.split("\n")
        state = next((line.removeprefix("state=") for line in lines if line.startswith("state=")), None)
        environment = self._environment | ({"HAZLEDGER_STATE": state} if state else {})
        log = self.directory / "serve.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", "exec " + self.here(command.text)],
                cwd=lines[0],
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._staying.append(process)
        until = time.monotonic() + COMMAND_S
        # What the processes log comes in between, and on a busy machine what is waited for.
        shown = [part for line in command.shown for part in (line, "…")]
        while not matches(shown, printed := log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > until:
                return [_difference(command, process.poll(), printed)]
            time.sleep(0.1)
        return [] if self._ready() else [f"{command.text} printed all that the page shows before it was ready\n{printed}"]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[HTTP_PORT]}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


def _difference(command: Command, status: int | None, printed: str) -> str:
    lost = unmatched(command.shown, printed)
    return (
        f"README.md line {command.line}: $ {command.text}\n--- the page shows\n"
        + "\n".join(command.shown)
        + f"\n--- it printed (exit {status})\n{printed}"
        + (f"\n--- not found: {lost}" if lost else "\n--- it printed more than the page shows")
    )
