"""The audit of disclosures, lookups and facts, over a real log without a chain."""

import json
import secrets

import pytest
from sqlalchemy import text

from ledger.audit.disclosed import DisclosedTables
from ledger.audit.report import Report
from ledger.core.disclosure import make_sd
from ledger.core.dsse import parse_envelope
from ledger.core.record import parse_payload
from tests.kit import Log
from tests.test_surrogates import ONE, POINTER, TWO, bundled, disclosing, disclosures, erase, opened

PHONE = "/body/handlers/0/phone"


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path)
    yield made
    made.close()


def findings(log, *, key=True):
    report = Report()
    tables = DisclosedTables(
        log.stores.tables, report, log.identity.zone, log.identity.lookup_key if key is True else key
    )
    rows = list(log.stores.tables.rows("log", "entry", by="index", start=0))
    listed = {r["index"]: frozenset(parse_payload(parse_envelope(r["envelope"]).payload).sd) for r in rows}
    tables.tile(0, rows, listed)
    tables.finish(len(rows))
    return {(f.place.removeprefix("log."), f.column, f.code) for f in report.findings}


def alter(log, statement, **values):
    with log.stores.log._db.write() as connection:
        assert connection.execute(text(statement), values).rowcount >= 1


def two_persons(log):
    book = opened(log)
    first = disclosing(book, {POINTER: ONE, PHONE: "13800138000", "/body/purpose_text": "for the school"})
    log.submit(first[0])
    log.submit(disclosing(book, {POINTER: TWO})[0])
    return book, first


def test_audit__as_it_was_written__finds_nothing(log):
    two_persons(log)
    assert findings(log) == findings(log, key=None) == set()


def test_audit__brought_late_or_never_or_erased__finds_nothing(log):
    book, first = two_persons(log)
    shown = disclosures({POINTER: TWO})
    payload = book.payload(_sd=make_sd(shown, secrets.token_bytes), _sd_alg="sha-256")
    book.took(payload)
    log.submit(book.sign(payload))
    log.submit(bundled(book.sign(payload), shown))
    erase(log, first[2])
    assert findings(log) == set()


def test_audit__facts_of_an_earlier_version__are_held_against_the_strings_all_the_same(log):
    two_persons(log)
    rows = log.stores.log.facts(0, 99)
    for index, row in rows.items():
        for fact in row["ids"].values():
            del fact["person"], fact["age_from"]
        alter(log, "UPDATE facts SET facts = :f WHERE \"index\" = :i", f=json.dumps({"ids": row["ids"]}), i=index)
    alter(log, "UPDATE disclosure SET lookup = ''")
    alter(log, "DELETE FROM lookup")
    assert findings(log) == set()
    alter(log, "UPDATE facts SET facts = replace(facts, 'false', 'true')")
    assert ("facts", "facts", "column-differs") in findings(log)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE lookup SET surrogate = '" + "ab" * 16 + "'", {("facts", "facts"), ("lookup", "surrogate")}),
        ("UPDATE disclosure SET lookup = '' WHERE lookup <> ''", {("facts", "facts"), ("lookup", "surrogate"), ("lookup", "digest")}),
        ("DELETE FROM lookup", {("disclosure", "lookup"), ("facts", "facts"), ("lookup", "surrogate")}),
        ("DELETE FROM disclosure", {("lookup", "digest")}),
        ("UPDATE facts SET facts = '[1]'", {("facts", "facts")}),
        ("UPDATE facts SET facts = replace(facts, '\"minor\": false', '\"minor\": true')", {("facts", "facts")}),
    ],
)
def test_audit__altered_in_one_table__is_found_by_the_others_without_any_key(log, statement, found):
    two_persons(log)
    alter(log, statement)
    assert {(place, column) for place, column, _ in findings(log, key=None)} == found


def test_audit__two_persons_exchanged__the_facts_say_otherwise(log):
    two_persons(log)
    rows = sorted(log.stores.tables.rows("log", "lookup"), key=lambda row: row["digest"])
    for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
        alter(log, "UPDATE lookup SET surrogate = :s WHERE digest = :d", s=other["surrogate"], d=row["digest"])
    assert {place for place, _, _ in findings(log, key=None)} == {"facts", "lookup"}


def test_audit__another_digest_in_both_tables__only_the_key_tells(log):
    two_persons(log)
    with log.stores.log._db.write() as connection:
        for old in connection.execute(text("SELECT digest FROM lookup")).scalars().all():
            new = old[::-1]
            connection.execute(text("UPDATE lookup SET digest = :n WHERE digest = :o"), {"n": new, "o": old})
            connection.execute(text("UPDATE disclosure SET lookup = :n WHERE lookup = :o"), {"n": new, "o": old})
    assert findings(log, key=None) == set()
    assert findings(log) == {("disclosure", "lookup", "column-differs")}


def test_audit__a_lookup_beside_what_links_nobody__is_found(log):
    two_persons(log)
    row = next(iter(log.stores.tables.rows("log", "lookup")))
    alter(log, "UPDATE disclosure SET lookup = :d WHERE lookup = ''", d=row["digest"])
    assert ("disclosure", "lookup", "column-differs") in findings(log, key=None)
