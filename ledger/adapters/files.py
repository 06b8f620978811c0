"""Files that are whole or not there, durable when the call returns, and secrets readable by their owner only."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from ledger.errors import ConfigError

_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_OF_A_SECRET = 64 * 1024
"""Ten times what any of them has; what is longer is none, and cut off it is no JSON either."""


PUBLIC = 0o644
"""The mode of what is handed out: trust files, bundles, evidence, mirrors."""


UNFINISHED = ".new"
"""How the name of a file ends that a process died over; it begins with a full stop."""


def write_whole(path: Path, data: bytes, *, replace: bool = True, mode: int = 0o600) -> None:
    """Write `data` beside and move it to `path`; file and directory are synced.

    Raises:
        FileExistsError: It is there and `replace` is False; it stays untouched.
    """
    make_directory(path.parent)
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(handle, mode)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        if replace:
            os.replace(beside, path)  # noqa: PTH105 - the pair with os.link below
        else:
            os.link(beside, path)  # Unlike a rename it fails when the name is taken.
            os.unlink(beside)  # noqa: PTH108 - as above
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def read_private(path: Path, what: str, check: Callable[[bytes], object] = lambda _: None) -> bytes:
    """The bytes of a secret file. `check` raises ConfigError for what is no such file at all: then nobody is told to close
    a file that holds no secret of ours.

    Raises:
        ConfigError: It is not there, or others may read it; says what to do. And what `check` raises.
    """
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            data = file.read(_MOST_OF_A_SECRET)
    except OSError as error:
        raise ConfigError(f"{what} {path} cannot be read: {error.strerror}") from error
    check(data)
    if mode & _FOR_OTHERS:
        raise ConfigError(f"{what} {path} is open to others (mode {mode & 0o777:o}): run `chmod 600 {path}`")
    return data


def make_directory(path: Path, mode: int = 0o777) -> None:
    """Make it and what is missing above it, durably: a new directory is an entry of its parent."""
    if path.is_dir():
        return
    make_directory(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    sync_directory(path.parent)


def hold_lock(path: Path) -> int:
    """A descriptor that holds the lock of this file (made when missing) until it is closed, or the process ends.

    Raises: BlockingIOError when another process holds it.
    """
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held


def sync_directory(directory: Path) -> None:
    """Make renames in `directory` durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
