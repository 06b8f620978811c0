"""Reading a log's tiles from a directory or over HTTP (C2SP tlog-tiles, formats.md section 4), the same way from both.

The layout is `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`, `tile/records/<N>`, each tile perhaps only as its partial
`.p/<W>`; a directory may also hold older checkpoints as files of `checkpoints/`. Nothing read here is believed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ledger.cli.common import WITHIN_S
from ledger.core.tiles import TILE_WIDTH, tile_path
from ledger.errors import LedgerError, NotFoundError

_MAX_TILE_BYTES = 32 * 1024 * 1024
"""256 envelopes of 72 KiB are 18 MiB."""


class SourceError(LedgerError):
    """A directory or address does not give what it should (exit 4). Try again, or name another mirror."""

    default_code = "source-unreachable"


class TileSource(Protocol):
    """A mirror of one log."""

    @property
    def live(self) -> bool:
        """Whether it answers with the log's newest checkpoint, or with one of the day when it was taken."""

    def read(self, path: str) -> bytes:
        """The file of this path; NotFoundError when there is none, SourceError when the mirror does not answer."""

    def older_checkpoints(self) -> list[bytes]: ...


class DirectorySource:
    """A mirror on disk."""

    live = False

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        try:
            with self._root.joinpath(path).open("rb") as stream:
                data = stream.read(_MAX_TILE_BYTES + 1)
        except FileNotFoundError as error:
            raise NotFoundError(f"{self._root / path} does not exist") from error
        except OSError as error:
            raise SourceError(f"{self._root / path}: {error.strerror}") from error
        if len(data) > _MAX_TILE_BYTES:
            raise SourceError(f"{self._root / path} is larger than any tile")
        return data

    def older_checkpoints(self) -> list[bytes]:
        folder = self._root / "checkpoints"
        if not folder.is_dir():
            return []
        return [self.read(f"checkpoints/{path.name}") for path in sorted(folder.iterdir()) if path.name.isdigit()]


class HttpSource:
    """A mirror at an address; `token` is an auditor's bearer token (entries and records need one)."""

    live = True

    def __init__(self, url: str, token: str | None, within_s: float = WITHIN_S) -> None:
        """`within_s` seconds for each whole file."""
        self._within_s = within_s
        self._url = url.rstrip("/")
        self._token = token

    def read(self, path: str) -> bytes:
        # A twentieth of the start, and a mirror on disk does without.
        import urllib.error  # noqa: PLC0415
        import urllib.request  # noqa: PLC0415
        from http.client import HTTPException  # noqa: PLC0415

        from ledger.cli.fetching import fetch  # noqa: PLC0415

        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self._url}/{path}", headers=headers)  # noqa: S310 - tested in open_tiles
        try:
            data = fetch(request, most=_MAX_TILE_BYTES, within_s=self._within_s)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    raise NotFoundError(f"{self._url}/{path} does not exist") from error
                hint = ": entries and records need an auditor's --token-file" if error.code in (401, 403) else ""
                raise SourceError(f"{self._url}/{path} answers {error.code}{hint}") from error
        except (OSError, HTTPException) as error:
            raise SourceError(f"{self._url} does not answer: {getattr(error, 'reason', error)}") from error
        if len(data) > _MAX_TILE_BYTES:
            raise SourceError(f"{self._url}/{path} is larger than any tile")
        return data

    def older_checkpoints(self) -> list[bytes]:
        return []


def open_tiles(where: str, token: str | None, within_s: float = WITHIN_S) -> TileSource:
    """The mirror named by --tiles: an http(s) address, or a directory; SourceError when it is neither."""
    if where.startswith(("http://", "https://")):
        return HttpSource(where, token, within_s)
    root = Path(where)
    if not root.is_dir():
        raise SourceError(f"{where} is neither a directory nor an http(s) address")
    return DirectorySource(root)


def read_tile(source: TileSource, level: int | str, n: int, width: int) -> bytes:
    """The tile at this width, or the whole one: a mirror may drop a partial tile once it is full.

    Raises:
        NotFoundError: it has neither.
    """
    try:
        return source.read(tile_path(level, n, width))
    except NotFoundError:
        if width == TILE_WIDTH:
            raise
        return source.read(tile_path(level, n))
