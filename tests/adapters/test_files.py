"""Files that are whole or not there."""

import ast
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ledger
from ledger.adapters.files import PUBLIC, UNFINISHED, write_whole


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


def test_write_whole__killed_at_any_moment__old_or_new_and_never_a_part(tmp_path):
    path, size = tmp_path / "mirror" / "tile", 4_000_000
    code = f"""
import itertools, pathlib
from ledger.adapters.files import write_whole
for n in itertools.count():
    write_whole(pathlib.Path({str(path)!r}), bytes([n % 256]) * {size})
    print(n, flush=True)
"""
    rng = random.Random(7)
    for _ in range(8):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(rng.random() / 50)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        data = path.read_bytes()
        assert data == data[:1] * size
        assert all(p.name.endswith(UNFINISHED) and p.name.startswith(".") for p in path.parent.iterdir() if p != path)


# What runs now or what a developer makes; nobody keeps it, or it is made again when it is not whole.
OTHERWISE = {
    "cli/processes.py": "the anchor worker's status of this moment, rewritten each second",
    "cli/engine.py": "the engine's status of this moment, rewritten each second",
    "demo/journal.py": "how far the stream was delivered; after a power cut the same bytes are sent once more",
    "adapters/chain/compile.py": "the contracts' artefacts, made by a developer and committed",
}


def test_files__every_one_that_is_kept_is_written_whole():
    found = {}
    root = Path(ledger.__file__).parent
    for source in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("write_bytes", "write_text", "copy", "copyfile"):
                if node.attr.startswith("copy") and getattr(node.value, "id", "") != "shutil":
                    continue
                found[str(source.relative_to(root))] = node.lineno
    assert found.keys() == OTHERWISE.keys(), found
