"""The spool: killed at every step and opened again; one writer; never a fork."""

import hashlib
import json

import pytest

from ledger.client.book import Head
from ledger.client.spool import Spool, SpoolError
from tests.client.conftest import record

DIGEST = hashlib.sha256(b"sheet").hexdigest()


class Killed(BaseException):
    pass


class Steps:
    """Records the steps; dies at the n-th."""

    def __init__(self, dies_at=None):
        self.names, self.dies_at = [], dies_at

    def __call__(self, name):
        self.names.append(name)
        if len(self.names) - 1 == self.dies_at:
            raise Killed


def steps_of(action, path):
    steps = Steps()
    action(path, steps)
    return steps.names


def test_add__then_reopen__head_and_bytes_are_there(here):
    with here.spool() as spool:
        made = here.fill(spool, 3)
    with here.spool() as spool:
        assert spool.head(here.place) == made[-1].head
        assert [s.submission() for s in spool.waiting()] == [m.submission for m in made]
        assert [s.seq for s in spool.waiting()] == [1, 2, 3]


def test_add__files__are_for_their_owner_only(here):
    with here.spool() as spool:
        here.fill(spool, 1)
        (waiting,) = spool.waiting()
        assert waiting.path.stat().st_mode & 0o777 == 0o600
        assert waiting.path.parent.stat().st_mode & 0o777 == 0o700


def test_add__record_that_does_not_continue__is_refused(here):
    with here.spool() as spool:
        made = here.fill(spool, 2)
        with pytest.raises(SpoolError, match="sign it again"):
            spool.add(made[0])
        fork = record(here.book(head=made[0].head))
        with pytest.raises(SpoolError, match="stands at 2"):
            spool.add(fork)
        gap = record(here.book(head=Head(7, "aa" * 32)))
        with pytest.raises(SpoolError):
            spool.add(gap)
        assert len(list(spool.waiting())) == 2


def test_add__book_never_begun__is_refused(here):
    with here.spool() as spool, pytest.raises(SpoolError, match="begin with it"):
        spool.add(record(here.book()))


def test_two_processes__second__is_refused(here):
    with here.spool(), pytest.raises(SpoolError, match="another process"):
        here.spool()
    here.spool().close()


def scenario(here, spool_dir, step):
    """Everything that becomes durable: add, import, receipt, set aside."""
    with Spool(spool_dir, step=step) as spool:
        spool.begin(here.place, Head())
        book = here.book()
        for _ in range(3):
            spool.add(record(book))
        sheet = [record(book) for _ in range(4)]
        spool.add_all(sheet, DIGEST)
        waiting = list(spool.waiting())
        for spooled in waiting[:2]:
            spool.store_receipt(spooled, b"note of %d" % spooled.seq)
        spool.set_aside(waiting[5])


def chain_of(spool):
    """The records that a spool holds, sent and waiting, as (seq, prev, record_id); checked to be one chain."""
    from ledger.core.record import parse_payload
    from ledger.core.submission import parse_submission

    held = []
    for spooled in sorted([*spool.sent(), *spool.waiting()], key=lambda s: s.seq):
        payload = parse_payload(parse_submission(spooled.submission())[0].payload)
        assert (payload.seq, payload.prev) == (len(held) + 1, held[-1] if held else None)
        held.append(spooled.record_id)
    return held


def step_names(here, tmp_path):
    steps = Steps()
    scenario(here, tmp_path / "whole", steps)
    return steps.names


def test_killed__at_every_step__reopens_as_a_chain_with_nothing_half(here, tmp_path):
    names = step_names(here, tmp_path)
    assert set(names) >= {
        "before-add", "added", "before-import", "import-written", "import-record", "import-done",
        "before-receipt", "receipt-written", "receipt-stored", "set-aside",
    }  # fmt: skip
    for at, name in enumerate(names):
        path = tmp_path / f"killed-{at}"
        with pytest.raises(Killed):
            scenario(here, path, Steps(at))
        with Spool(path) as spool:
            held = chain_of(spool)
            assert spool.head(here.place) == (Head(len(held), held[-1]) if held else Head())
            if "import-written" in names[: at + 1] and "set-aside" not in names[: at + 1]:
                assert len(held) == 7, name
                assert spool.imported(DIGEST)
            if "import-written" not in names[: at + 1]:
                assert len(held) == names[: at + 1].count("added"), name
                assert not spool.imported(DIGEST)
            assert len(list(spool.sent())) == names[: at + 1].count("receipt-written"), name
            for spooled in spool.sent():
                assert spool.receipt(spooled) == b"note of %d" % spooled.seq
            assert not [p for p in path.rglob("*.new")]
            # And it can be gone on with.
            if spool.head(here.place) is not None:
                spool.add(record(here.book(head=spool.head(here.place)), "stocktake"))


def test_killed__inside_a_write__leaves_no_half_record(here, monkeypatch):
    with here.spool() as spool:
        here.fill(spool, 1)

        def dies(source, target):
            raise Killed

        monkeypatch.setattr("os.replace", dies)
        with pytest.raises(Killed):
            spool.add(record(here.book(head=spool.head(here.place))))
        monkeypatch.undo()
    with here.spool() as spool:
        assert spool.head(here.place).seq == 1 and len(list(spool.waiting())) == 1


def test_import__same_file_twice__is_refused(here):
    with here.spool() as spool:
        spool.begin(here.place, Head())
        book = here.book()
        spool.add_all([record(book)], DIGEST)
        with pytest.raises(SpoolError, match="imported before"):
            spool.add_all([record(book)], DIGEST)
    with here.spool() as spool, pytest.raises(SpoolError, match="imported before"):
        spool.add_all([record(book)], DIGEST)


def test_import__one_record_out_of_order__takes_none(here):
    with here.spool() as spool:
        spool.begin(here.place, Head())
        book = here.book()
        good, _, bad = record(book), record(book), record(book)
        with pytest.raises(SpoolError):
            spool.add_all([good, bad], DIGEST)
        assert not list(spool.waiting()) and not spool.imported(DIGEST)


def test_receipted__then_reopen__head_is_derived_from_what_was_sent(here):
    with here.spool() as spool:
        made = here.fill(spool, 2)
        for spooled in list(spool.waiting()):
            spool.store_receipt(spooled, b"note")
        (first, second) = spool.sent()
        spool.forget(second)
    with here.spool() as spool:
        assert spool.head(here.place) == made[-1].head
        assert [s.seq for s in spool.sent()] == [1]
        assert spool.receipt(second) == b"note"


def test_forget__without_receipt__is_refused(here):
    with here.spool() as spool:
        here.fill(spool, 1)
        (waiting,) = spool.waiting()
        with pytest.raises(SpoolError, match="never forgotten"):
            spool.forget(waiting)


def test_begin__behind_a_receipt__is_refused_as_evidence(here):
    with here.spool() as spool:
        here.fill(spool, 2)
        for spooled in list(spool.waiting()):
            spool.store_receipt(spooled, b"note")
        with pytest.raises(SpoolError, match="evidence"):
            spool.begin(here.place, Head(1, "aa" * 32))


def test_begin__with_records_waiting__is_refused(here):
    with here.spool() as spool:
        here.fill(spool, 1)
        with pytest.raises(SpoolError, match="waiting"):
            spool.begin(here.place, Head(5, "aa" * 32))


def test_begin__at_the_logs_head__goes_on_there_after_reopening(here):
    head = Head(41, "ab" * 32)
    with here.spool() as spool:
        spool.begin(here.place, head)
    with here.spool() as spool:
        assert spool.head(here.place) == head
        made = record(here.book(head=spool.head(here.place)))
        spool.add(made)
        assert (made.payload.seq, made.payload.prev) == (42, "ab" * 32)


def test_set_aside__refused_and_later__leave_the_queue_and_stay_on_disk(here):
    with here.spool() as spool:
        made = here.fill(spool, 4)
        waiting = list(spool.waiting())
        spool.keep_problem(waiting[1], json.dumps({"status": 422}).encode())
        assert spool.problem(waiting[1]) == b'{"status": 422}' and spool.problem(waiting[0]) is None
        moved = spool.set_aside(waiting[1])
        assert [p.read_bytes() for p in moved] == [m.submission for m in made[1:]]
        assert moved[0].with_suffix(".problem").exists()
        assert spool.head(here.place) == made[0].head
        assert [s.seq for s in spool.waiting()] == [1]


def test_place__that_names_no_book__is_refused(here):
    with here.spool() as spool:
        for place in (("..", "S1", "acid"), (here.holder, "S1", "../../x"), (here.holder, "", "acid")):
            with pytest.raises(SpoolError, match="does not name"):
                spool.begin(place, Head())
