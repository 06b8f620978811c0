"""`hazledger tiles`: what the mirror holds."""

from types import SimpleNamespace

import pytest

from ledger.cli.mirror import DirectorySource
from ledger.cli.tiles import _checkpoints, _write
from ledger.model import Anchor, BlockNumber, BlockRef, StateProof, TreeSize
from tests.fakes import MemoryAnchorStore


def test_checkpoints__more_anchors_than_one_page_of_the_store__every_one_is_mirrored():
    anchors, block = MemoryAnchorStore(), BlockRef(BlockNumber(1), bytes(32), 0)
    for size in range(1, 2104):
        anchors.save_anchor(Anchor(TreeSize(size), bytes(32), block, bytes(32), 0), StateProof(block, b"", ()))
    log = SimpleNamespace(checkpoint=lambda size: SimpleNamespace(size=size, note=b"%d" % size))
    found = _checkpoints(SimpleNamespace(stores=SimpleNamespace(anchor=anchors, log=log)), 2103)
    assert found == [(size, b"%d" % size) for size in range(1, 2104)]


def test_tile__disk_full_half_way__nothing_under_its_name(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        _write(tmp_path / "tile" / "entries" / "000", b"entries")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_mirror__a_checkpoint_that_was_being_written__is_not_read(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "000000000000005").write_bytes(b"whole")
    (folder / ".000000000000009.abc.new").write_bytes(b"ha")
    assert DirectorySource(tmp_path).older_checkpoints() == [b"whole"]
