"""The audit's rarer paths: upper tiles of a large log, a silent endpoint half-way, contradictions without proof."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core.encoding import sha256
from ledger.core.merkle import Frontier
from ledger.core.tiles import TILE_WIDTH, encode_entry_bundle, tile_path
from ledger.core.verification.log import ExpectedRoot, LogAudit
from ledger.core.verification.tile import TileResult
from ledger.core.verification.verdict import EXIT_EQUIVOCATION, EXIT_FAILED, EXIT_UNREACHABLE
from tests.core.verification.audits import audited, found
from tests.world import World, unreachable

TILES = TILE_WIDTH + 2
SIZE = TILES * TILE_WIDTH
ENTRIES = encode_entry_bundle([b"an entry"] * TILE_WIDTH)


def _envelopes():
    world = World(es256=True)
    second = world.enrol("second", world.enterprise.holder, "S1/", world.enterprise.role)
    signers = [[world.enterprise], [second], [world.enterprise, second]]
    return [world.envelope(world.payload(signers=names), names) for names in signers]


ENVELOPES = _envelopes()


@pytest.fixture(scope="module")
def large():
    """(leaf tiles, stored hash tiles, root) of 258 tiles; only hashes, as LogAudit sees them."""
    tiles, stored, frontier = [], {}, Frontier()
    for n in range(TILES):
        leaves = [sha256(b"%d" % (n * TILE_WIDTH + offset)) for offset in range(TILE_WIDTH)]
        own = Frontier()
        for leaf in leaves:
            own.append(leaf)
            frontier.append(leaf)
        tiles.append((b"".join(leaves), own.root()))
        stored[tile_path(0, n)] = b"".join(leaves)
    roots = [root for _, root in tiles]
    stored[tile_path(1, 0)] = b"".join(roots[:TILE_WIDTH])
    stored[tile_path(1, 1, 2)] = b"".join(roots[TILE_WIDTH:])
    top = Frontier()
    for root in roots[:TILE_WIDTH]:
        top.append(root)
    stored[tile_path(2, 0, 1)] = top.root()
    return tiles, stored, frontier.root()


def folded(large, stored, *, root=None, size=SIZE):
    tiles, _, whole = large
    audit = LogAudit(
        World().trust(),
        SIZE,
        expected=[ExpectedRoot(size, root or whole, "the signed checkpoint", 8)],
        stored_tile=lambda level, n, width: stored.get(tile_path(level, n, width)),
    )
    for n, (leaves, tile_root) in enumerate(tiles):
        audit.fold(audit.task(n, ENTRIES, b""), TileResult(leaves=leaves, root=tile_root))
    return audit.finish()


def test_fold__more_than_a_level_1_tile__root_and_upper_tiles_agree(large):
    report = folded(large, large[1])
    assert report.findings == []
    assert len(report.roots) == 1


@pytest.mark.parametrize(
    ("path", "at", "first"),
    [
        (tile_path(1, 0), 0, 0),
        (tile_path(1, 0), 200, 200 * 256),
        (tile_path(1, 1, 2), 1, 257 * 256),
        (tile_path(2, 0, 1), 0, 0),
    ],
)
def test_fold__hash_of_an_upper_tile_altered__named_once(large, path, at, first):
    stored = dict(large[1])
    stored[path] = stored[path][: at * 32] + bytes(32) + stored[path][at * 32 + 32 :]
    report = folded(large, stored)
    assert [(item.index, item.check, item.code) for item in report.findings] == [(first, 7, "tile-differs")]
    assert path in report.findings[0].detail


def test_fold__expected_root_in_the_middle_of_a_tile__compared_there(large):
    size = 65_700
    frontier = Frontier()
    for leaves, _ in large[0]:
        for at in range(0, len(leaves), 32):
            if frontier.size < size:
                frontier.append(leaves[at : at + 32])
    assert folded(large, {}, size=size, root=frontier.root()).findings == []
    assert [item.code for item in folded(large, {}, size=size, root=bytes(32)).findings] == ["other-root"]


def closed():
    world = World().open()
    world.fill(5)
    world.checkpoint()
    world.anchor()
    return world


@pytest.mark.parametrize("silent_from", [1, 2, 3])
def test_log__endpoint_falls_silent_half_way__exit_4_and_no_failure(silent_from):
    world = closed()
    view = world.view()
    asked = 0
    answer = view.state_proof

    def state_proof(wanted):
        nonlocal asked
        asked += 1
        if asked >= silent_from:
            raise unreachable()
        return answer(wanted)

    view.state_proof = state_proof
    outcome = audited(world, rpc=view)
    assert outcome.exit_code == EXIT_UNREACHABLE
    assert outcome.text()[-1].startswith("UNREACHABLE")


def test_log__registry_replaced__check_4():
    world = closed()
    files = world.mirror()
    world.code["registry"] = sha256(b"malicious")
    outcome = audited(world, files, rpc=world.view())
    assert outcome.exit_code == EXIT_FAILED
    assert outcome.lines[4].code == "wrong-contract"


def test_log__two_histories_but_no_tiles_to_prove_it__failed_with_a_note():
    world = closed()
    older = world.checkpoint(size=3, root=sha256(b"another history"))
    world.checkpoints.pop()
    bare = {path: data for path, data in world.mirror().items() if not path.startswith("tile/0")}
    outcome = audited(world, bare, older=[older])
    assert outcome.exit_code == EXIT_FAILED
    assert any("could not be proven" in note for note in outcome.notes)


def test_log__two_roots_of_the_newest_size__equivocation_without_tiles():
    world = closed()
    older = world.checkpoint(root=sha256(b"another history"))
    world.checkpoints.pop()
    outcome = audited(world, older=[older])
    assert outcome.exit_code == EXIT_EQUIVOCATION


def test_log__damaged_grant_entry__its_key_is_still_followed():
    from tests.core.verification.audits import edit_record
    from tests.core.verification.audits import flip_last, with_signature

    world = closed()
    files = world.mirror()
    edit_record(files, len(world.logged), 1, with_signature(flip_last))
    # The grant's own entry is accused, not the records of the key that it grants.
    assert found(audited(world, files)) == {(1, 5, "bad-signature")}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_written_by_us__any_bytes__agrees_with_the_strict_reader(data):
    from ledger.core import dsse
    from ledger.core.verification.leaves import _written_by_us
    from ledger.errors import LedgerError

    good = data.draw(st.sampled_from(ENVELOPES))
    at = data.draw(st.integers(0, len(good)))
    raw = good[:at] + data.draw(st.binary(max_size=4)) + good[at + data.draw(st.integers(0, 4)) :]
    quick = _written_by_us(raw)
    if quick is not None:
        assert quick == dsse.parse_envelope(raw)
    else:
        try:
            dsse.parse_envelope(raw)
        except LedgerError:
            pass


def test_written_by_us__our_own_envelopes__read():
    from ledger.core import dsse
    from ledger.core.verification.leaves import _written_by_us

    for raw in ENVELOPES:
        assert _written_by_us(raw) == dsse.parse_envelope(raw)
