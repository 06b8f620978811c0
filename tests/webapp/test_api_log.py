"""Checkpoint and tiles."""

import hashlib

import pytest

from ledger.core.tiles import decode_entry_bundle, decode_record_bundle


def test_checkpoint__none_yet__404(desk):
    assert desk.client().get("/checkpoint").status_code == 404


def test_checkpoint__signed__the_exact_note(desk):
    signed = desk.checkpoint()
    answer = desk.client().get("/checkpoint")
    assert answer.data == signed.note
    assert answer.headers["Cache-Control"] == "no-cache"


def test_hash_tile__partial__hashes_of_the_entries_and_open_to_all(desk):
    desk.stock()
    size = desk.stores.log.size()
    answer = desk.client().get(f"/tile/0/000.p/{size}")
    entries = [hashlib.sha256(b"\x00" + desk.stores.log.record(i).entry).digest() for i in range(size)]
    assert answer.data == b"".join(entries)
    assert "immutable" not in answer.headers["Cache-Control"]


def test_tiles__full__immutable_for_caches(desk):
    desk.stock()
    desk.log.batch([desk.acid.next() for _ in range(256)])
    answer = desk.client().get("/tile/0/000")
    assert len(answer.data) == 256 * 32
    assert "immutable" in answer.headers["Cache-Control"]
    assert desk.client().get("/tile/1/000.p/1").status_code == 200
    entries = desk.client().get("/tile/entries/000", headers=desk.bearer("auditor"))
    assert "immutable" in entries.headers["Cache-Control"]
    assert "private" in entries.headers["Cache-Control"]


def test_entries_and_records__auditor__stored_bytes_in_order(desk):
    desk.stock()
    size, token = desk.stores.log.size(), desk.bearer("auditor")
    stored = desk.stores.log.records(0, size)
    entries = desk.client().get(f"/tile/entries/000.p/{size}", headers=token)
    records = desk.client().get(f"/tile/records/000.p/{size}", headers=token)
    assert list(decode_entry_bundle(entries.data)) == [r.entry for r in stored]
    assert list(decode_record_bundle(records.data)) == [r.envelope for r in stored]
    # A payload may have to be erased one day; no cache may keep it.
    assert records.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "0/000", "0/000.p/9", "0/001", "1/000.p/1", "0/000.p/0", "0/000.p/256", "0/000.p/01", "00/000", "-1/000", "99/000",
        "0/x000/001", "0/1", "0/0000", "0/000.p/", "0/000.p/x", "entries", "0/x999/x999/x999/x999/x999/x999/999", "nonsense/000",
    ],
)  # fmt: skip
def test_tile__not_there_or_another_spelling__404(desk, path):
    assert desk.client().get(f"/tile/{path}").status_code == 404, path


@pytest.mark.parametrize("path", ["entries/000", "records/000.p/9", "entries/x001/x234/067", "records/000.p/0"])
def test_bundle_tile__beyond_the_log__404_for_an_auditor(desk, path):
    assert desk.client().get(f"/tile/{path}", headers=desk.bearer("auditor")).status_code == 404
