"""`hazledger tiles`: what the mirror holds."""

from types import SimpleNamespace

import pytest

from ledger.cli.mirror import DirectorySource
from ledger.cli.tiles import _anchored, _write, mirror
from ledger.model import Anchor, BlockNumber, BlockRef, StateProof, TreeSize
from tests import kit
from tests.fakes import MemoryAnchorStore


def test_checkpoints__more_anchors_than_one_page_of_the_store__every_one_is_mirrored():
    anchors, block = MemoryAnchorStore(), BlockRef(BlockNumber(1), bytes(32), 0)
    for size in range(1, 2104):
        anchors.save_anchor(Anchor(TreeSize(size), bytes(32), block, bytes(32), 0), StateProof(block, b"", ()))
    found = _anchored(SimpleNamespace(stores=SimpleNamespace(anchor=anchors)), 2100)
    assert list(found) == list(range(1, 2101))


def test_mirror__taken_again__writes_only_what_is_new(tmp_path):
    log = kit.Log(tmp_path / "state")
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    block = BlockRef(BlockNumber(1), bytes(32), 0)
    kept = []
    for _ in range(2):
        log.submit(book.next())
        signed = log.sequencer.checkpoint_once()
        anchor = Anchor(signed.size, signed.root, block, bytes(32), 0)
        log.stores.anchor.save_anchor(anchor, StateProof(block, b"", ()))
        mirror(SimpleNamespace(stores=log.stores), tmp_path / "mirror")
        names = sorted(path.name for path in (tmp_path / "mirror" / "checkpoints").iterdir())
        kept.append({name: (tmp_path / "mirror" / "checkpoints" / name).stat().st_ino for name in names})
        assert (tmp_path / "mirror" / "checkpoints" / names[-1]).read_bytes() == signed.note
    log.close()
    first, second = kept
    assert len(first) == 1 and len(second) == 2
    assert first.items() <= second.items()  # a file that is written again is another file


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
