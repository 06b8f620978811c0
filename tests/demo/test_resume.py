"""A world that is stopped or killed goes on where it was, with the same bytes, and never forks its own books."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from itertools import islice

import pytest

from ledger.core.record import parse_payload, record_id_of
from ledger.core.submission import parse_submission
from ledger.demo import journal as journal_module
from ledger.demo.world import World
from ledger.errors import ConfigError
from tests.kit import ORIGIN

FEW = 40


@pytest.fixture
def world():
    opened = []

    def open_world(path, seed=5):
        opened.append(World(seed, path, log=ORIGIN, facilities=FEW))
        return opened[-1]

    yield open_world
    for one in opened:
        one.close()


def check_chains(items):
    """Every accepted record continues its book; nothing stands twice."""
    heads = {}
    for submission in items:
        envelope, _ = parse_submission(submission)
        payload = parse_payload(envelope.payload)
        place = payload.holder, payload.site, payload.book
        assert (payload.seq - 1, payload.prev) == heads.get(place, (0, None)), place
        heads[place] = payload.seq, record_id_of(envelope.payload)


def test_reopened__undelivered__comes_again_byte_for_byte(world, tmp_path):
    first = world(tmp_path)
    opening = list(first.opening())
    first.opening_delivered()
    items = list(islice(first.stream(), 30))
    first.delivered(items[9])
    first.close()
    second = world(tmp_path)
    assert list(second.opening()) == []
    again = list(islice(second.stream(), 60))
    assert again[:20] == items[10:]
    check_chains([*opening, *[i.submission for i in [*items, *again[20:]] if i.answer == "accepted"]])
    assert second.state.planted.keys() >= {i.label for i in items if i.label}


def test_reopened__opening_not_delivered__comes_again_byte_for_byte(world, tmp_path):
    first = world(tmp_path)
    opening = list(first.opening())
    first.close()
    assert list(world(tmp_path).opening()) == opening


def test_reopened__keys_and_enrolments__are_the_same(world, tmp_path):
    first = world(tmp_path)
    before = first.enrolments()
    first.close()
    assert world(tmp_path).enrolments() == before


def test_two_at_once__second__is_refused(world, tmp_path):
    first = world(tmp_path)
    with pytest.raises(ConfigError, match="another process"):
        world(tmp_path)
    first.close()
    world(tmp_path)


@pytest.mark.parametrize("cut", [1, 2, 100, 1500])
def test_torn_journal__last_turn_cut_short__is_dropped_and_made_anew(world, tmp_path, cut):
    first = world(tmp_path)
    opening = list(first.opening())
    first.opening_delivered()
    items = list(islice(first.stream(), 20))
    first.close()
    path = tmp_path / "journal.ndjson"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - cut)
    second = world(tmp_path)
    again = list(islice(second.stream(), 60))
    check_chains([*opening, *[i.submission for i in again if i.answer == "accepted"]])
    assert again[:16] == items[:16]


def test_damaged_journal__in_the_middle__says_so(world, tmp_path):
    first = world(tmp_path)
    list(first.opening())
    first.close()
    path = tmp_path / "journal.ndjson"
    data = path.read_bytes()
    path.write_bytes(b"#" + data[1:])
    with pytest.raises(ConfigError, match="damaged"):
        world(tmp_path)


def test_compaction__at_any_point_of_it__loses_nothing(world, tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "COMPACT_EVERY", 50)
    first = world(tmp_path / "w")
    sent = list(first.opening())
    first.opening_delivered()
    for item in islice(first.stream(), 130):
        first.delivered(item)
        if item.answer == "accepted":
            sent.append(item.submission)
    assert (tmp_path / "w" / "snapshot.json").exists()
    assert (tmp_path / "w" / "journal.ndjson").stat().st_size < 700_000
    first.close()
    # The crash between the two renames: a newer snapshot beside the old journal.
    replaced = []
    real = journal_module.write_whole

    def dies_at_second(path, data):
        if path.name == "journal.ndjson":
            raise KeyboardInterrupt
        real(path, data)
        replaced.append(path.name)

    shutil.copytree(tmp_path / "w", tmp_path / "x")
    monkeypatch.setattr(journal_module, "write_whole", dies_at_second)
    crashed = world(tmp_path / "x")
    extra = []
    with pytest.raises(KeyboardInterrupt):
        for item in islice(crashed.stream(), 400):
            crashed.delivered(item)
            extra.append(item)
    assert replaced == ["snapshot.json"]
    crashed.close()
    monkeypatch.undo()
    third = world(tmp_path / "x")
    extra += list(islice(third.stream(), 60))
    check_chains([*sent, *[i.submission for i in extra if i.answer == "accepted"]])


CHILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from ledger.demo.world import World
    world = World(5, Path(sys.argv[1]), log=sys.argv[2], facilities=40)
    out = open(sys.argv[3], "ab", buffering=0)
    for submission in world.opening():
        out.write(b"accepted\\t" + submission + b"\\n")
    world.opening_delivered()
    for item in world.stream():
        out.write(item.answer.encode() + b"\\t" + item.submission + b"\\n")
        world.delivered(item)
    """
)


def test_killed__again_and_again__never_forks_its_own_books(tmp_path):
    out = tmp_path / "out"
    out.touch()
    # By what it has written, not by the clock: a busy machine would kill it before its first line. The first dies in its opening.
    for more in (60, 700, 150, 400):
        wanted = out.read_bytes().count(b"\n") + more
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path / "w"), ORIGIN, str(out)])
        while out.read_bytes().count(b"\n") < wanted:
            assert child.poll() is None
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    accepted, seen = [], set()
    for line in out.read_bytes().split(b"\n")[:-1]:
        answer, _, submission = line.partition(b"\t")
        if answer == b"accepted" and submission not in seen:
            seen.add(submission)
            accepted.append(submission)
    assert len(accepted) > 400
    check_chains(accepted)
