"""The log for mirrors and auditors: C2SP tlog-tiles, with records beside the entries (formats.md section 4).

Checkpoint and hash tiles are open: they hold hashes only. Entries and records show which store moves what and when, so
they need an auditor's token.
"""

from __future__ import annotations

from flask import Blueprint, Response

from ledger.core.tiles import (
    ENTRIES,
    TILE_WIDTH,
    encode_entry_bundle,
    encode_record_bundle,
    parse_tile_path,
)
from ledger.errors import NotFoundError
from ledger.model import LeafIndex, StoredRecord
from webapp.auth import require
from webapp.context import services

blueprint = Blueprint("api_tiles", __name__)

MAX_N = 2**40
"""Sizes are below 2^48 (chain.md); also keeps indexes inside the database's integers."""
IMMUTABLE_S = 31_536_000


@blueprint.get("/checkpoint")
def get_checkpoint() -> Response:
    """The newest signed checkpoint, a note."""
    newest = services().log.latest_checkpoint()
    if newest is None:
        raise NotFoundError("no checkpoint has been signed yet")
    response = Response(newest.note, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/tile/<path:path>")
def get_tile(path: str) -> Response:
    """Hash tiles `<L>/<N>[.p/<W>]`, and bundles `entries/<N>[.p/<W>]` and `records/<N>[.p/<W>]`."""
    if path.startswith(("entries/", "records/")):
        require("auditor", "supervisor", or_session=True)
    try:
        level, n, width = parse_tile_path(f"tile/{path}")
    except ValueError as error:
        raise NotFoundError(str(error)) from error
    if n >= MAX_N:
        raise NotFoundError("the log has no such tile yet")
    if isinstance(level, int):
        full = width == TILE_WIDTH
        return _octets(
            services().log.hash_tile(level, n, width),
            f"public, max-age={IMMUTABLE_S}, immutable" if full else "public, max-age=60",
        )
    stored = _records(n, width)
    if level == ENTRIES:
        return _octets(encode_entry_bundle([r.entry for r in stored]), f"private, max-age={IMMUTABLE_S}, immutable")
    # A payload may have to go by erasure, an entry never: records are kept by no cache.
    return _octets(encode_record_bundle([r.envelope for r in stored]), "no-store")


def _records(n: int, width: int) -> list[StoredRecord]:
    stored = services().log.records(LeafIndex(n * TILE_WIDTH), width)
    if len(stored) != width:
        raise NotFoundError("the log has not that many entries yet")
    return stored


def _octets(body: bytes, cache: str) -> Response:
    response = Response(body, content_type="application/octet-stream")
    response.headers["Cache-Control"] = cache
    return response
