"""`hazledger tiles`: a mirror of the log as files, which `verify log` and `verify book` read (C2SP tlog-tiles)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ledger.adapters.files import PUBLIC, write_whole
from ledger.cli.compose import Installation, open_installation, state_option
from ledger.core.tiles import ENTRIES, RECORDS, TILE_WIDTH, encode_entry_bundle, encode_record_bundle, tile_path
from ledger.errors import ConfigError
from ledger.model import LeafIndex, TreeSize

_ANCHORS_AT_ONCE = 1000


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@state_option
def tiles(directory: Path, state: Path | None) -> None:
    """Copy the log up to its latest checkpoint into DIRECTORY; what is there already is not written again.

    \b
    hazledger tiles /mnt/mirror
    hazledger verify log --tiles /mnt/mirror --trust trust.json

    Exit code: 0 copied, 2 usage or settings.
    """
    here = open_installation(state)
    try:
        size = mirror(here, directory)
    finally:
        here.stores.close()
    click.echo(f"{size} entries in {directory}")


def mirror(here: Installation, directory: Path) -> int:
    """Write checkpoint, hash tiles, entries and records; the number of entries.

    Raises: ConfigError when no checkpoint was signed yet.
    """
    log = here.stores.log
    checkpoint = log.latest_checkpoint()
    if checkpoint is None:
        raise ConfigError("no checkpoint was signed yet; wait a second, or look at /readyz")
    size = int(checkpoint.size)
    progress = click.progressbar(length=size, label="tiles", file=sys.stderr)
    with progress:
        for start in range(0, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - start)
            _write_bundles(here, directory, start, width)
            progress.update(width)
    level, count = 0, size
    while count:
        for n in range(-(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - n * TILE_WIDTH)
            path = directory / tile_path(level, n, None if width == TILE_WIDTH else width)
            if not path.exists():
                _write(path, log.hash_tile(level, n, width))
        count, level = count // TILE_WIDTH, level + 1
    # The newest first: whoever reads the mirror now finds no older checkpoint that is beyond it.
    _write(directory / "checkpoint", checkpoint.note)
    for anchored in _anchored(here, size):
        path = directory / "checkpoints" / f"{anchored:015d}"
        known = None if path.exists() else log.checkpoint(anchored)
        if known is not None:
            _write(path, known.note)
    return size


def _write_bundles(here: Installation, directory: Path, start: int, width: int) -> None:
    n, partial = start // TILE_WIDTH, None if width == TILE_WIDTH else width
    entries, records = (directory / tile_path(kind, n, partial) for kind in (ENTRIES, RECORDS))
    if entries.exists() and records.exists():
        return
    rows = here.stores.log.records(LeafIndex(start), width)
    _write(entries, encode_entry_bundle([row.entry for row in rows]))
    _write(records, encode_record_bundle([row.envelope for row in rows]))


def _anchored(here: Installation, size: int) -> Iterator[TreeSize]:
    """Every anchored size up to `size`; the store gives its anchors a page at a time, and has newer ones meanwhile."""
    after = TreeSize(0)
    while page := here.stores.anchor.anchors(after=after, limit=_ANCHORS_AT_ONCE):
        after = page[-1].size
        yield from (anchor.size for anchor in page if anchor.size <= size)


def _write(path: Path, data: bytes) -> None:
    """A tile that is there is not written again, so it must be whole whenever it is there."""
    write_whole(path, data, mode=PUBLIC)
