"""Whole dumps of an embedded node's state: written beside, renamed, two kept.

Anvil's own `--state` writes in place, and refuses to start with what a kill leaves of it. These are its dumps too, but
a torn one is never under a dump's name, and is seen if the disk tears it later (gzip carries a CRC-32).
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

from ledger.adapters.files import write_whole

_NAME = re.compile(r"state-(\d{12})-(\d{6})\.json\.gz", re.ASCII)
_KEPT = 2


class Dumps:
    """The dumps in one directory. Names are `state-<block>-<generation>.json.gz`; the newest has the last generation."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, dump: bytes, block: int) -> Path:
        """Keep `dump` (as anvil_dumpState gave it: gzip) durably; the oldest go. Returns its path."""
        self._directory.mkdir(parents=True, exist_ok=True)
        known = self.newest_first()
        path = self._directory / f"state-{block:012d}-{_generation(known[0]) + 1 if known else 1:06d}.json.gz"
        write_whole(path, dump)
        # Counted among the whole ones: two torn dumps must not push out the last that can be loaded.
        whole = 0
        for found in self.newest_first():
            if whole == _KEPT:
                found.unlink()
            elif found == path or self.read(found) is not None:
                whole += 1
        return path

    def newest_first(self) -> list[Path]:
        """All dumps, whole or not."""
        found = [path for path in self._directory.glob("state-*.json.gz") if _NAME.fullmatch(path.name)]
        return sorted(found, key=_generation, reverse=True)

    def read(self, path: Path) -> bytes | None:
        """The dump's bytes, or None when it is torn."""
        data = path.read_bytes()
        try:
            whole = bool(gzip.decompress(data))  # An empty file is well-formed gzip to Python.
        except (OSError, EOFError, zlib.error):
            return None
        return data if whole else None


def _generation(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[2]) if match else 0
