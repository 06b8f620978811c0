"""Running an audit over a World's mirror held in a dict, for the tests beside this file."""

import json

from ledger.core.encoding import b64_decode, b64_encode
from ledger.core.tiles import (
    TILE_WIDTH,
    TileReader,
    decode_entry_bundle,
    decode_record_bundle,
    encode_entry_bundle,
    encode_record_bundle,
    tile_path,
)
from ledger.core.verification.audit import conclude, conclude_book, plan_audit, tile_numbers
from ledger.core.verification.log import audit_tiles
from ledger.core.verification.outcome import Outcome


def tiles_of(files, size):
    for n, width in tile_numbers(size, TILE_WIDTH):
        yield n, files.get(tile_path("entries", n, width), b""), files.get(tile_path("records", n, width), b"")


def reader_of(files, size):
    def get_tile(level, n):
        width = min(TILE_WIDTH, (size >> (8 * level)) - n * TILE_WIDTH)
        try:
            return files[tile_path(level, n, width)]
        except (KeyError, ValueError) as error:
            raise ValueError(f"no tile {level}/{n}") from error

    return TileReader(get_tile)


def audited(world, files=None, *, rpc=None, older=(), only=None, trust=None, live=True):
    """The Outcome of an audit of `files` (the world's own mirror when None)."""
    files = world.mirror() if files is None else files
    plan = plan_audit(
        trust or world.trust(),
        rpc,
        lambda: files["checkpoint"],
        older,
        stored_tile=lambda level, n, width: files.get(tile_path(level, n, width)),
        only=only,
        live=live,
    )
    if isinstance(plan, Outcome):
        return plan
    for _ in audit_tiles(plan.audit, tiles_of(files, plan.size)):
        pass
    finish = conclude if only is None else conclude_book
    return finish(plan, plan.audit.finish(), reader_of(files, plan.size))


def found(outcome):
    """{(index, check, code)} of all findings."""
    return {(item.index, item.check, item.code) for item in outcome.findings}


def edit_entry(files, size, index, change):
    """Replace the stored entry of a leaf by `change(entry)`."""
    _edit(files, size, index, change, "entries", decode_entry_bundle, encode_entry_bundle)


def edit_record(files, size, index, change):
    """Replace the stored envelope of a leaf by `change(envelope)`."""
    _edit(files, size, index, change, "records", decode_record_bundle, encode_record_bundle)


def _edit(files, size, index, change, name, decode, encode):
    n, offset = divmod(index, TILE_WIDTH)
    path = tile_path(name, n, min(TILE_WIDTH, size - n * TILE_WIDTH))
    items = decode(files[path])
    items[offset] = change(items[offset])
    files[path] = encode(items)


def closed(world):
    world.checkpoint()
    world.anchor()
    return world


def swap(old, new):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)

    return change


def with_payload(change):
    """An edit of an envelope's payload; the signature stays that of the old one."""

    def edit(raw):
        envelope = json.loads(raw)
        envelope["payload"] = b64_encode(change(b64_decode(envelope["payload"])))
        return json.dumps(envelope).encode()

    return edit


def with_signature(change):
    def edit(raw):
        envelope = json.loads(raw)
        envelope["signatures"][0]["sig"] = b64_encode(change(b64_decode(envelope["signatures"][0]["sig"])))
        return json.dumps(envelope).encode()

    return edit


def flip_last(data):
    return data[:-1] + bytes([data[-1] ^ 1])
