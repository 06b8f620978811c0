"""From a disclosed number to a warning and back: facts at the door, rules by surrogate, replay after everything is erased."""

import secrets

import pytest

from ledger.adapters.store import open_stores
from ledger.catalogue import Catalogue
from ledger.core.disclosure import digest_of, make_sd
from ledger.core.record import record_id_of
from ledger.core.times import format_utc
from ledger.follow import Sets
from ledger.model import UnixMs
from ledger.rulebench.replay import replay
from tests import kit
from tests.test_evaluate_real import RULES, evaluator, run, tables
from tests.test_surrogates import CHILD, ONE, bundled, disclosures

HOUR = 3_600_000
BUYER = "/body/counterparty/id_number"


def knife(pieces):
    line = {"goods": "knife", "code": "KN-1", "quantity": {"value": str(pieces), "unit": "H87"}}
    return {"direction": "out", "reason": "sale", "counterparty": {"type": "person"}, "lines": [line]}


class Shops:
    """Two knife shops at the counter of a real log."""

    def __init__(self, log):
        self.log, self.at, self.books = log, kit.T0 + 10_000, [log.enterprise(n=n) for n in (1, 2)]
        for book in self.books:
            count = {"cut_off": format_utc(UnixMs(self.at)), "complete": True, "lines": []}
            stock = knife(90)["lines"]
            log.submit(book.next("stocktake", body=count | {"lines": stock}, event_time=format_utc(UnixMs(self.at))))

    def sell(self, shop, number, pieces, hours):
        """record_id; `number` None discloses nobody."""
        book = self.books[shop]
        shown = disclosures({BUYER: number} if number else {})
        event = format_utc(UnixMs(self.at + hours * HOUR))
        self.log.clock.now = UnixMs(max(self.log.clock.now, self.at + hours * HOUR))
        payload = book.payload(
            body=knife(pieces), event_time=event, _sd=make_sd(shown, secrets.token_bytes), _sd_alg="sha-256"
        )
        book.took(payload)
        self.log.submit(bundled(book.sign(payload), shown))
        return record_id_of(payload)

    def correct(self, shop, record_id, number, pieces):
        book = self.books[shop]
        shown = disclosures({"/body" + BUYER: number} if number else {})
        payload = book.payload(
            "correction",
            body={"corrects": record_id, "kind": "movement", "body": knife(pieces)},
            _sd=make_sd(shown, secrets.token_bytes),
            _sd_alg="sha-256",
            event_time=format_utc(self.log.clock()),
        )
        book.took(payload)
        self.log.submit(bundled(book.sign(payload), shown))

    def rules(self):
        run(evaluator(self.log, self.log.stores.engine), self.log)
        return [a.rule for _, a in self.log.stores.engine.alerts(limit=1000) if a.rule[0] == "G"]


@pytest.fixture
def shops(tmp_path):
    log = kit.Log(tmp_path)
    yield Shops(log)
    log.close()


def fresh(log, path):
    """The tables of a fold from index 0 into empty stores, as replay and audit make them."""
    path.mkdir()
    stores = open_stores("sqlite", path)
    stores.migrate()
    run(evaluator(log, stores.engine), log)
    found = tables(stores.engine)
    stores.close()
    return found


def test_rules__one_number_at_two_shops_and_a_minor__are_warned_of_by_surrogates_only(shops):
    shops.sell(0, ONE, 3, 1)
    shops.sell(1, f" {ONE} ".lower(), 3, 2)
    shops.sell(0, CHILD, 1, 3)
    assert sorted(shops.rules()) == ["G01", "G02", "G03"]
    log = shops.log.stores.log
    said = [r.envelope for r in log.records(0, 10_000) if r.kind == "alert"]
    alerts = [a for _, a in shops.log.stores.engine.alerts(limit=1000)]
    assert not any(number.encode() in text for number in (ONE, CHILD) for text in said)
    surrogates = {fact["ids"][BUYER]["person"] for fact in log.facts(0, 10_000).values()}
    assert {part for a in alerts for part in a.fingerprint if len(part) == 32} <= surrogates


def test_replay__after_all_personal_data_was_erased__same_tables(shops, tmp_path):
    records = [shops.sell(0, ONE, 3, 1), shops.sell(1, ONE, 3, 2), shops.sell(0, CHILD, 1, 3), shops.sell(1, None, 1, 4)]
    shops.correct(0, records[0], None, 2)
    log = shops.log
    log.sequencer.tick(0)
    assert shops.rules()
    before = fresh(log, tmp_path / "before")
    digests = sorted(digest_of(text) for r in records for text in log.stores.log.disclosures(r))
    assert len(digests) == 3
    log.sequencer.append_platform("erasure", "erasures", {"digests": digests, "basis": "cn591.retention.sales"})
    assert log.stores.log.lookup_sample() is None
    after = fresh(log, tmp_path / "after")
    assert before["alerts"] and after["alerts"] == before["alerts"]
    assert (after["stock"], after["lines"], after["timers"]) == (before["stock"], before["lines"], before["timers"])


def test_replay__after_all_personal_data_was_erased__same_digests(shops, monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 5)
    log = shops.log
    records = [shops.sell(0, ONE, 3, 1), shops.sell(1, ONE, 3, 2), shops.sell(0, CHILD, 1, 3)]
    assert len(shops.rules()) == 3
    end = int(log.stores.engine.cursor())

    def replayed():
        return replay(log.stores.log, log.stores.engine, Sets(RULES, log.stores.engine.extra), Catalogue.load(), to=end)

    before = replayed()
    digests = sorted(digest_of(text) for r in records for text in log.stores.log.disclosures(r))
    log.sequencer.append_platform("erasure", "erasures", {"digests": digests, "basis": "cn591.retention.sales"})
    assert log.stores.log.lookup_sample() is None and not any(log.stores.log.disclosures(r) for r in records)
    after = replayed()
    assert before.equal and after == before and after.snapshot_index is not None and after.alerts >= 3
    shops.rules()
    whole = replay(log.stores.log, log.stores.engine, Sets(RULES, log.stores.engine.extra), Catalogue.load())
    assert whole.equal and whole.end > end


def test_rules__a_person_who_was_erased__begins_anew(shops):
    first = shops.sell(0, ONE, 3, 1)
    digests = [digest_of(text) for text in shops.log.stores.log.disclosures(first)]
    shops.log.sequencer.append_platform("erasure", "erasures", {"digests": digests, "basis": "cn591.retention.sales"})
    shops.sell(1, ONE, 3, 2)
    assert shops.rules() == []


def test_rules__a_correction_through_the_real_door__moves_the_buyer(shops):
    first = shops.sell(0, ONE, 3, 1)
    shops.correct(0, first, CHILD, 3)
    assert shops.rules() == ["G01"]
    shops.sell(1, ONE, 3, 2)
    assert shops.rules() == ["G01"]
