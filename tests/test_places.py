"""`place` binds each store to exactly one book; a line's store must be bound to the record's book (formats.md, Books)."""

import threading

import pytest

from ledger.authenticate import authenticate
from ledger.core.note import open_note
from ledger.errors import PayloadError
from ledger.model import Appended
from ledger.places import Places, stores_of
from ledger.receive import receive
from ledger.sequencer import Sequencer
from tests import factories
from tests.kit import SUBMISSION, Book, Log


@pytest.fixture
def log(tmp_path):
    log = Log(tmp_path)
    yield log
    log.close()


@pytest.fixture
def acid(log):
    return log.enterprise()


def beside(book, name):
    return Book(book.key, book.holder, book.site, name)


def place(site="S1", **stores):
    """A `place` body that binds these stores."""
    listed = [{"id": store, "book": book, "class": "room"} for store, book in stores.items()]
    return {"sites": [{"site": site, "zone": "Asia/Shanghai", "stores": listed}]}


def count(*stores):
    return factories.body("stocktake", lines=[factories.line(store=store) for store in stores])


def moved(*stores):
    return factories.body("movement", lines=[factories.line(store=store) for store in stores])


def refused(log, envelope):
    with pytest.raises(PayloadError) as caught:
        log.submit(envelope)
    return caught.value


def test_line__store_of_another_book__refused_422_with_a_note_and_the_seq_free_again(log, acid):
    log.submit(beside(acid, "office").next("place", body=place(R1="acid", R2="base")))
    log.submit(acid.next("stocktake", body=count("R1")))
    error = refused(log, acid.sign(acid.payload(body=moved("R1", "R2"))))
    assert (error.code, error.status, error.pointer) == ("store-not-bound", 422, "/body/lines")
    assert "base" in error.detail
    assert "store-not-bound" in open_note(error.refusal, [log.identity.receipt.verifier]).text
    assert isinstance(log.submit(acid.next(body=moved("R1"))), Appended)


def test_line__store_that_the_place_of_its_site_does_not_name__refused(log, acid):
    log.submit(beside(acid, "office").next("place", body=place(R1="acid")))
    assert refused(log, acid.next("stocktake", body=count("R7"))).code == "store-not-bound"


@pytest.mark.parametrize("kind", ["stocktake", "close"])
def test_line__of_every_stock_kind__asked_for(log, acid, kind):
    log.submit(acid.next("stocktake", body=count("R2")))
    log.submit(beside(acid, "office").next("place", body=place(R1="acid")))
    body = factories.body(kind, lines=[factories.line(store="R2")])
    assert refused(log, acid.next(kind, body=body)).code == "store-not-bound"


def test_line__no_place_or_a_place_of_another_site__any_store(log, acid):
    log.submit(beside(acid, "office").next("place", body=place("S2", R1="other")))
    log.submit(acid.next("stocktake", body=count("R1", "R9")))
    assert isinstance(log.submit(acid.next(body=moved("R9"))), Appended)


def test_line__place_of_another_holder__counts_for_that_holder_only(log, acid):
    other = log.enterprise(n=2)
    log.submit(beside(other, "office").next("place", body=place(R1="base")))
    assert isinstance(log.submit(acid.next("stocktake", body=count("R1"))), Appended)


def test_line__without_a_store__not_asked_for(log, acid):
    log.submit(beside(acid, "office").next("place", body=place(R1="acid")))
    body = factories.body("stocktake", lines=[factories.knife_line()])
    assert isinstance(log.submit(acid.next("stocktake", body=body)), Appended)


def test_incident__in_an_office_book__not_asked_for(log, acid):
    office = beside(acid, "office")
    log.submit(office.next("place", body=place(R1="acid")))
    assert isinstance(log.submit(office.next("incident")), Appended)


def test_place__a_later_one__replaces_the_site_and_leaves_the_others(log, acid):
    office, base = beside(acid, "office"), beside(acid, "base")
    both = {"sites": place(R1="acid")["sites"] + place("S2", R1="far")["sites"]}
    log.submit(office.next("place", body=both))
    log.submit(office.next("place", body=place(R1="base")))
    assert refused(log, acid.sign(acid.payload("stocktake", body=count("R1")))).code == "store-not-bound"
    assert isinstance(log.submit(base.next("stocktake", body=count("R1"))), Appended)
    wrong = Book(acid.key, acid.holder, "S2", "near")
    assert refused(log, wrong.next("stocktake", body=count("R1"))).code == "store-not-bound"


def test_place__one_store_in_two_books__refused(log, acid):
    body = place(R1="acid")
    body["sites"][0]["stores"].append({"id": "R1", "book": "base", "class": "room"})
    assert refused(log, beside(acid, "office").next("place", body=body)).code == "duplicate-store"


def test_place__corrected__the_correction_binds(log, acid):
    office = beside(acid, "office")
    log.submit(office.next("place", body=place(R1="base")))
    log.submit(office.next("correction", body={"corrects": office.prev, "kind": "place", "body": place(R1="acid")}))
    assert isinstance(log.submit(acid.next("stocktake", body=count("R1"))), Appended)


def test_place__refused__binds_nothing(log, acid):
    office = beside(acid, "office")
    log.submit(office.next("place", body=place(R1="acid")))
    office.seq += 5
    log.batch([office.next("place", body=place(R1="base"))])
    assert isinstance(log.submit(acid.next("stocktake", body=count("R1"))), Appended)


def test_correction__store_that_its_record_named_before_it_went_to_another_book__accepted_and_no_other(log, acid):
    office = beside(acid, "office")
    log.submit(office.next("place", body=place(R1="acid", R2="base")))
    log.submit(acid.next("stocktake", body=count("R1")))
    log.submit(acid.next(body=moved("R1")))
    corrects = acid.prev
    log.submit(office.next("place", body=place(R1="base", R2="base")))
    wrong = acid.payload("correction", body={"corrects": corrects, "kind": "movement", "body": moved("R1", "R2")})
    error = refused(log, acid.sign(wrong))
    assert (error.code, error.pointer) == ("store-not-bound", "/body/body/lines")
    right = {"corrects": corrects, "kind": "movement", "body": moved("R1")}
    assert isinstance(log.submit(acid.next("correction", body=right)), Appended)


def test_batch__place_and_movement_in_one_commit__the_place_counts_from_its_line_on(log, acid):
    office = beside(acid, "office")
    opening = acid.next("stocktake", body=count("R1"))
    answers = log.batch([opening, office.next("place", body=place(R1="base")), acid.next(body=moved("R1"))])
    assert [getattr(a, "code", "taken") for a in answers] == ["taken", "taken", "store-not-bound"]


def test_race__place_and_movement_from_two_writers__the_log_itself_says_who_was_first(log, acid):
    """Whichever comes first: no movement stands after the `place` that took its store away."""
    office = beside(acid, "office")
    log.submit(acid.next("stocktake", body=count("R1")))
    movements = [acid.next(body=moved("R1")) for _ in range(40)]
    start, answers = threading.Barrier(2), []

    def move():
        start.wait()
        for envelope in movements:
            answers.extend(log.batch([envelope]))

    mover = threading.Thread(target=move)
    mover.start()
    start.wait()
    bound = log.submit(office.next("place", body=place(R1="base"))).receipt.index
    mover.join()
    taken = [a.receipt.index for a in answers if isinstance(a, Appended)]
    assert all(index < bound for index in taken)
    assert {a.code for a in answers if not isinstance(a, Appended)} <= {"store-not-bound", "seq-gap"}


def test_restart__bindings_and_their_corrections__read_again(log, acid, monkeypatch):
    monkeypatch.setattr("ledger.places._PAGE", 2)
    office = beside(acid, "office")
    for n in range(5):
        log.submit(office.next("place", body=place(R1=f"b{n}")))
    log.submit(office.next("correction", body={"corrects": office.prev, "kind": "place", "body": place(R1="acid")}))
    log.submit(acid.next("stocktake", body=count("R1")))
    log.submit(office.next("place", body=place("S2", R1="far")))
    log.sequencer.close()
    log.sequencer = Sequencer(log.stores.log, log.identity, log.guard, clock=log.clock, chain_head=None)
    log.door = type(log.door)(log.door.origin, log.door.directory, log.door.log, log.sequencer)
    assert refused(log, acid.sign(acid.payload(body=moved("R2")))).code == "store-not-bound"
    assert isinstance(log.submit(acid.next(body=moved("R1"))), Appended)


def test_catch_up__read_in_steps__as_read_at_once(log, acid):
    office, stepwise = beside(acid, "office"), Places()
    for body in (place(R1="b0"), place("S2", R1="b1"), place(R1="b2", R2="b3")):
        log.submit(office.next("place", body=body))
        stepwise.catch_up(log.stores.log)
    at_once = Places()
    at_once.catch_up(log.stores.log)
    assert stepwise.of(acid.holder) == at_once.of(acid.holder) == {"S1": {"R1": "b2", "R2": "b3"}, "S2": {"R1": "b1"}}


def test_socket__a_movement__takes_its_stores_along_and_no_body(log, acid):
    submission = receive(acid.next(body=moved("R1", "R2", "R1")), SUBMISSION)
    record = authenticate(submission, origin=log.door.origin, directory=log.door.directory, is_known=log.door.is_known)
    assert (record.body, record.stores) == (None, ("R1", "R2"))


def test_stores_of__kinds_without_stock__none():
    assert stores_of("incident", factories.body("incident")) == ()
    assert stores_of("place", factories.body("place")) == ()
