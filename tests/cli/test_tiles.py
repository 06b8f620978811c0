"""`hazledger tiles`: what the mirror holds."""

from types import SimpleNamespace

from ledger.cli.tiles import _checkpoints
from ledger.model import Anchor, BlockNumber, BlockRef, StateProof, TreeSize
from tests.fakes import MemoryAnchorStore


def test_checkpoints__more_anchors_than_one_page_of_the_store__every_one_is_mirrored():
    anchors, block = MemoryAnchorStore(), BlockRef(BlockNumber(1), bytes(32), 0)
    for size in range(1, 2104):
        anchors.save_anchor(Anchor(TreeSize(size), bytes(32), block, bytes(32), 0), StateProof(block, b"", ()))
    log = SimpleNamespace(checkpoint=lambda size: SimpleNamespace(size=size, note=b"%d" % size))
    found = _checkpoints(SimpleNamespace(stores=SimpleNamespace(anchor=anchors, log=log)), 2103)
    assert found == [(size, b"%d" % size) for size in range(1, 2104)]
