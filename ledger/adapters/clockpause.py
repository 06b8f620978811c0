"""A jump of the clock that nobody has confirmed yet, in a file: `ClockPause` of ledger.ports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ledger.adapters.files import write_whole

FILE = "clock-jump.json"


class ClockPauseFile:
    """The file is there for as long as ticks pause. A file that does not parse pauses them too."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any] | None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            return {}
        try:
            found = json.loads(data)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, jump: dict[str, Any]) -> None:
        write_whole(self._path, json.dumps(jump).encode())

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)
