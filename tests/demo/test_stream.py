"""The world's records: all valid, all taken, gapless, exact; and the same again from the same seed."""

import csv
from collections import Counter
from importlib.resources import files
from itertools import islice

import pytest

from ledger.catalogue import Catalogue
from ledger.core.ids import check_cas, check_credit_code
from ledger.core.quantity import lb_to_mg, to_base
from ledger.core.record import disclosable_pointers, parse_payload
from ledger.core.disclosure import match_disclosures
from ledger.core.submission import parse_submission
from ledger.demo.facilities import AUTHORITY, enterprises_of, read_facilities
from ledger.demo.world import World
from ledger.errors import ConfigError
from tests.kit import ORIGIN, T0


def documents(submissions):
    return [parse_payload(parse_submission(s)[0].payload) for s in submissions]


@pytest.fixture(scope="module")
def rows():
    return list(csv.DictReader(files("ledger.demo").joinpath("data/rmp_extract.csv").read_text("utf-8").splitlines()))


def test_extract__size_and_substances__are_what_the_issue_asks(rows):
    assert len({row["facility_id"] for row in rows}) >= 100
    assert len({row["cas"] for row in rows}) >= 20
    for row in rows:
        check_cas(row["cas"])
        assert Catalogue.load().rows(row["cas"]), row["cas"]


def test_extract__milligrams__are_the_pounds_exactly(rows):
    for row in rows:
        micrograms = int(row["quantity_lb"]) * 453_592_370
        assert int(row["quantity_mg"]) == (micrograms + 500) // 1000 == lb_to_mg(row["quantity_lb"])
        assert int(row["quantity_mg"]) * 8 // 5 + 10**6 <= 10**16


def test_extract__source__names_origin_licence_and_method():
    text = files("ledger.demo").joinpath("data/SOURCE.md").read_text("utf-8")
    for word in ("CC", "Attribution-ShareAlike 4.0", "Data Liberation Project", "ledger/demo/extract.py", "453,592.37"):
        assert word in text


def test_enrolments__everyone__has_a_made_up_code_and_a_key_of_their_own(pushed):
    listed = pushed.world.enrolments()
    assert len(listed) == len(pushed.world.enterprises) + 1 == 121
    assert len({e.spki for e in listed}) == len({e.holder for e in listed}) == 121
    for e in listed:
        if e.holder != AUTHORITY:
            check_credit_code(e.holder)
            assert e.holder[2:8] == "990000"
    assert {e.name for e in listed} >= {f.name for f in read_facilities()}


def test_opening__everything__is_taken_by_the_log(pushed):
    assert not [a for a in pushed.opened if isinstance(a, Exception)]
    assert all(not a.repeat for a in pushed.opened)


def test_opening__stock_takes__hold_the_declared_quantity_to_the_milligram(pushed):
    counted = {}
    for payload in documents(pushed.opening):
        if payload.kind == "stocktake":
            assert payload.seq == 1 and payload.body["complete"] is True
            for line in payload.body["lines"]:
                amount, dimension = to_base(line["quantity"]["value"], line["quantity"]["unit"])
                assert dimension == "mass"
                counted[payload.holder, line["code"]] = amount
    declared = {
        (e.holder, d.cas): d.quantity_mg for e in enterprises_of(read_facilities()) for d in e.facility.declarations
    }
    missing = declared.keys() - counted.keys()
    assert len(missing) == len(pushed.world._cast.unopened) == 1
    assert counted == {key: mg for key, mg in declared.items() if key not in missing}
    assert len({code for _, code in counted}) >= 20


def test_opening__sealed_containers__add_up(pushed):
    sealed = [
        line
        for payload in documents(pushed.opening)
        if payload.kind == "stocktake"
        for line in payload.body["lines"]
        if line["packaging"] == "sealed"
    ]
    assert len(sealed) >= 10
    for line in sealed:
        assert to_base(line["quantity"]["value"], "KGM")[0] == line["pieces"] * 907_184_740


def test_opening__every_licence__is_endorsed_by_the_simulated_authority(pushed):
    payloads = documents(pushed.opening)
    envelopes = [parse_submission(s)[0] for s in pushed.opening]
    from ledger.core.record import record_id_of

    licences = {record_id_of(e.payload) for e, p in zip(envelopes, payloads) if p.kind == "licence"}
    endorsed = {p.body["record_id"] for p in payloads if p.kind == "endorse"}
    assert licences == endorsed and len(licences) >= 20


def test_opening__ext__says_simulated_and_names_the_real_facility(pushed):
    profiles = [p for p in documents(pushed.opening) if p.kind == "profile"]
    assert len(profiles) == 120
    for payload in profiles:
        assert payload.document["ext"]["demo"] == "simulated"
        assert payload.document["ext"]["credit_code"] == "made-up"
    assert len({p.document["ext"]["rmp_facility"] for p in profiles}) == 120


def test_stream__every_answer__is_the_one_announced(pushed):
    wrong = [(i.label, i.answer, got) for i, got in zip(pushed.sent, pushed.answers) if i.answer != got]
    assert not wrong
    assert {i.answer for i in pushed.sent} == {"accepted", "repeat", "fork", "seq-gap", "book-not-opened"}
    assert all(i.answer == "accepted" for i in pushed.sent if not i.label)


def test_stream__books__are_gapless_chains(pushed):
    heads = {}
    for submission in [*pushed.opening, *[i.submission for i in pushed.sent if i.answer == "accepted"]]:
        envelope, disclosures = parse_submission(submission)
        payload = parse_payload(envelope.payload)
        match_disclosures(disclosures, payload, disclosable_pointers(payload.kind))
        place = payload.holder, payload.site, payload.book
        from ledger.core.record import record_id_of

        assert (payload.seq - 1, payload.prev) == heads.get(place, (0, None))
        heads[place] = payload.seq, record_id_of(envelope.payload)
    for place, (seq, record_id) in heads.items():
        book = pushed.world.state.book(place)
        assert (book.seq, book.prev) == (seq, record_id)


def test_stream__kinds_of_life__are_all_there(pushed):
    payloads = documents(i.submission for i in pushed.sent)
    reasons = Counter((p.body["direction"], p.body["reason"]) for p in payloads if p.kind == "movement")
    for expected in (
        ("in", "purchase"),
        ("out", "sale"),
        ("out", "consumption"),
        ("in", "production"),
        ("out", "loss"),
        ("out", "return"),
        ("in", "return"),
    ):
        assert reasons[expected], expected
    kinds = Counter(p.kind for p in payloads)
    assert kinds["stocktake"] and kinds["close"]
    packed = {line["packaging"] for p in payloads for line in p.body.get("lines", ())}
    assert packed == {"sealed", "bulk"}


def test_stream__transfers__have_both_ends_with_the_same_lines(pushed):
    ends = {}
    for item in pushed.sent:
        payload = parse_payload(parse_submission(item.submission)[0].payload)
        consignment = payload.body.get("consignment", "")
        if consignment.startswith(("C", "R")):
            ends.setdefault((consignment, payload.body["lines"][0]["code"]), {})[payload.body["direction"]] = payload
    whole = [pair for pair in ends.values() if len(pair) == 2]
    assert len(whole) >= 20
    for pair in whole:
        out, into = pair["out"], pair["in"]
        assert out.body["lines"][0]["quantity"] == into.body["lines"][0]["quantity"]
        assert out.body["counterparty"]["uscc"] == into.holder
        assert into.body["counterparty"]["uscc"] == out.holder
    # What has no other end yet is still on the way.
    on_the_way = {t.consignment for t in pushed.world.state.transits}
    for (consignment, _), pair in ends.items():
        if "in" not in pair:
            assert consignment in on_the_way


def test_stream__ordinary_stores__stay_within_limits(pushed):
    for enterprise, store in pushed.world._traffic._spots:
        book = pushed.world.state.book(enterprise.place(store))
        assert 0 <= 10 * book.mg <= 9 * store.capacity_mg
        assert book.mg == book.pieces * store.piece_mg or not store.sealed


def test_stream__persons__are_disclosures_and_nowhere_in_the_clear(pushed):
    sales = [i for i in pushed.sent if b'"disclosures"' in i.submission]
    assert len(sales) >= 20
    for item in sales:
        envelope, disclosures = parse_submission(item.submission)
        for d in disclosures:
            assert d.value.encode() not in envelope.payload


def test_same_seed_and_clock__same_content(tmp_path):
    def content(path):
        world = World(3, path, log=ORIGIN, clock=Ticking())
        submissions = [*world.opening(), *[i.submission for i in islice(world.stream(), 120)]]
        world.close()
        found = []
        for submission in submissions:
            document = parse_payload(parse_submission(submission)[0].payload).document
            for name in ("nonce", "prev", "signers", "_sd"):
                document.pop(name, None)
            document["body"].pop("record_id", None)
            found.append(document)
        return found

    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_another_seed__other_content(tmp_path):
    streams = []
    for seed in (1, 2):
        world = World(seed, tmp_path / str(seed), log=ORIGIN, clock=Ticking())
        list(world.opening())
        streams.append([(i.place, i.kind) for i in islice(world.stream(), 60)])
        world.close()
    assert streams[0] != streams[1]


def test_other_settings_in_the_same_directory__are_refused(tmp_path):
    World(1, tmp_path, log=ORIGIN).close()
    with pytest.raises(ConfigError, match="another world"):
        World(2, tmp_path, log=ORIGIN)
    with pytest.raises(ConfigError, match="another world"):
        World(1, tmp_path, log="other.test/haz")


def test_keys__file__is_for_its_owner_only(tmp_path):
    World(1, tmp_path, log=ORIGIN).close()
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_simulated__both_languages__name_source_licence_and_simulation(pushed):
    text = pushed.world.simulated
    assert "CC BY-SA 4.0" in text["en"] and "CC BY-SA 4.0" in text["zh"]
    assert "simulated" in text["en"] and "模拟" in text["zh"]


class Ticking:
    def __init__(self):
        self.now = T0

    def __call__(self):
        self.now += 7
        return self.now
