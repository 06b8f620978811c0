"""A PostgreSQL server for the tests: Debian's programs, a data directory of its own, a Unix socket, fsync on."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0


class PostgresMissingError(Exception):
    """There is no PostgreSQL on this machine, or none that may be run by this user."""


class PostgresServer:
    """A running server. Databases are made from the template that `prepare` filled, if there is one."""

    def __init__(self, socket_dir: Path, process: subprocess.Popen[bytes]) -> None:
        self._socket_dir = socket_dir
        self.process = process
        self._made = 0

    def url(self, database: str) -> str:
        host = urllib.parse.quote(str(self._socket_dir), safe="")
        return f"postgresql+psycopg://postgres@/{database}?host={host}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=str(self._socket_dir), user="postgres", dbname=database, autocommit=True)

    def new_database(self, template: str = "template0") -> str:
        """Its name; nobody else uses it."""
        self._made += 1
        name = f"test_{self._made}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, database: str) -> None:
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def programs() -> Path:
    """The directory of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise PostgresMissingError("no /usr/lib/postgresql/*/bin/postgres: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server in a new directory, stop it and remove the directory at the end.

    PostgreSQL refuses to run as root: then it runs as the user `postgres` that Debian's package makes. It is told to
    stop when this process dies, whatever way.
    """
    binaries = programs()
    user = _server_user()
    # A socket's path may have 107 bytes; pytest's own directories are longer than that.
    base = Path(tempfile.mkdtemp(prefix="hzpg-", dir="/tmp"))
    process = None
    try:
        as_user: list[str] = []
        if user is not None:
            os.chown(base, user.pw_uid, user.pw_gid)
            as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data = base / "data"
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(
            [*as_user, binaries / "initdb", "-D", data, *options], capture_output=True, check=False, cwd=base
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stderr.decode(errors='replace')}")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(base),
            "fsync": "on",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "log_min_messages": "fatal",
            # The server's default is turned off here on purpose: the store must ask for it itself.
            "synchronous_commit": "off",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (base / "log").open("wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "SIGQUIT", *as_user[1:], binaries / "postgres", "-D", data, *flags],
                stdout=log,
                stderr=log,
                cwd=base,
            )
        server = PostgresServer(base, process)
        _wait_until_up(server, base / "log")
        yield server
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(base, ignore_errors=True)


def _server_user() -> pwd.struct_passwd | None:
    """The user to become; None when this process may run the server itself."""
    if shutil.which("setpriv") is None:
        raise PostgresMissingError("no setpriv (package util-linux)")
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise PostgresMissingError("PostgreSQL cannot run as root and there is no user postgres") from None


def _wait_until_up(server: PostgresServer, log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')}") from None
            time.sleep(0.05)
        else:
            return
