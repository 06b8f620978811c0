"""Refused submissions: which record stands where a second one was refused."""

import msgspec
import pytest

from ledger.engine.topics.refusals import MAX_RECENT, Refusals, RefusalsState
from tests.engine.helpers import Run


@pytest.mark.parametrize("grown", [1, MAX_RECENT - 1, MAX_RECENT, MAX_RECENT + 1, 3 * MAX_RECENT + 5])
def test_fork__of_a_record_that_is_remembered__is_told_with_the_one_that_stands(grown):
    run, topic, ids = Run(), Refusals(RefusalsState()), {}
    for _ in range(grown):
        entry = run.entry("movement", {})
        ids[entry.seq] = entry.record_id
        assert list(topic.grown(entry)) == []
    topic = Refusals(msgspec.msgpack.decode(msgspec.msgpack.encode(topic._state), type=RefusalsState))
    standing = {}
    for seq in range(-2, grown + 5):
        body = {"holder": "A", "site": "S1", "book": entry.book, "code": "seq-fork", "seq": seq, "record_id": "f" * 64}
        ((subject, row),) = topic.apply(run.entry("refusal", body, holder="platform", authority=True), ())
        assert subject == "refusal"
        standing[seq] = row["standing_id"]
    newest = min(grown, MAX_RECENT // 2)
    for seq, standing_id in standing.items():
        if grown - newest < seq <= grown:
            assert standing_id == ids[seq]
        else:
            assert standing_id in ("", ids.get(seq))
    assert sum(map(bool, standing.values())) <= MAX_RECENT
