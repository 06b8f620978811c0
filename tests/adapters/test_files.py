"""Files that are whole or not there."""

import os
import stat

import pytest

from ledger.adapters.files import PUBLIC, write_whole


def test_write_whole__new_and_again__replaced_private_and_nothing_left_beside(tmp_path):
    path = tmp_path / "new" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["file"]


def test_write_whole__public__others_may_read_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "trust.json", b"{}", mode=PUBLIC)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "trust.json").stat().st_mode) == 0o644


def test_write_whole__not_to_replace__the_first_stays(tmp_path):
    write_whole(tmp_path / "key", b"first", replace=False)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "key", b"second", replace=False)
    assert (tmp_path / "key").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["key"]


def test_write_whole__disk_fails_before_it_is_synced__the_old_file_stays(tmp_path, monkeypatch):
    write_whole(tmp_path / "head", b"old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "head", b"new")
    assert (tmp_path / "head").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["head"]
