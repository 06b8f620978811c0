"""Files that are whole or not there, durable when the call returns, and readable by their owner only."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ledger.errors import ConfigError

_PRIVATE = 0o600
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def write_private(path: Path, data: bytes, *, replace: bool) -> None:
    """Write `data` beside and move it to `path`, with mode 0600; file and directory are synced.

    Raises:
        FileExistsError: It is there and `replace` is False; it stays untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        if replace:
            os.replace(beside, path)  # noqa: PTH105 - the pair with os.link below
        else:
            os.link(beside, path)  # Unlike a rename it fails when the name is taken.
            os.unlink(beside)  # noqa: PTH108
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def read_private(path: Path, what: str) -> bytes:
    """The bytes of a secret file.

    Raises:
        ConfigError: It is not there, or others may read it; says what to do.
    """
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{what} {path} cannot be read: {error.strerror}") from error
    if mode & _FOR_OTHERS:
        raise ConfigError(f"{what} {path} is open to others (mode {mode & 0o777:o}): run `chmod 600 {path}`")
    return data


def sync_directory(directory: Path) -> None:
    """Make renames in `directory` durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
