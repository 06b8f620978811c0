"""The audit of a log store in which something no longer parses: a finding, and the rest is looked at all the same."""

import hashlib

import pytest
from sqlalchemy import text

from ledger.audit.log import LogTables
from ledger.audit.report import Report
from ledger.core.checkpoint import LogKey
from ledger.core.encoding import b64url_encode
from ledger.core.trust import TrustFile
from ledger.core.verification.tile import check_tile
from ledger.errors import ConflictError
from tests.kit import ORIGIN, Log
from tests.test_surrogates import ONE, POINTER, disclosing, opened


@pytest.fixture
def log(tmp_path):
    """One disclosed person, three forks that were refused, and two ticks."""
    log = Log(tmp_path)
    book = opened(log)
    log.submit(disclosing(book, {POINTER: ONE})[0])
    log.sequencer.tick(0)
    log.submit(book.next())
    for _ in range(3):
        with pytest.raises(ConflictError):
            log.submit(book.sign(book.payload(seq=1, prev=None)))
    log.clock.now += 60_001
    log.sequencer.tick(0)
    yield log
    log.close()


def audited(log):
    """{(table, column, code)} of what is found, and the report."""
    trust = TrustFile(ORIGIN, (LogKey(log.identity.log.verifier),), (log.identity.receipt.verifier,), (), b"")
    report = Report()
    tables = LogTables(log.stores.tables, trust, report, zone=log.identity.zone, lookup_key=log.identity.lookup_key)
    tables.run(lambda tasks: ((task, check_tile(task)) for task in tasks), lambda *_: None)
    # The kit's grants name an enroller that no trust file knows; that is not what is looked at here.
    return {(f.place.removeprefix("log."), f.column, f.code) for f in report.findings if f.check != 4}, report


def alter(log, statement, **values):
    with log.stores.log._db.write() as connection:
        assert connection.execute(text(statement), values).rowcount >= 1


def test_audit__as_it_was_written__nothing_found_and_all_seen(log):
    found, report = audited(log)
    assert found == set()
    assert report.seen["log.refused"] == 3 and report.seen["log.facts"] == 1


def test_audit__a_refusals_own_envelope_damaged__said_of_it_and_the_others_are_judged(log):
    alter(
        log,
        'UPDATE entry SET envelope = :bad WHERE "index" = (SELECT min("index") FROM entry WHERE kind = \'refusal\')',
        bad=b"{}",
    )
    found, report = audited(log)
    assert ("entry", "", "envelope") in found
    assert [f.code for f in report.findings if f.place == "log.refused"] == ["extra-row"]
    assert report.seen["log.refused"] == 2


@pytest.mark.parametrize("facts", ["no JSON", "", '{"ids":'])
def test_audit__facts_that_do_not_parse__the_ticks_digest_and_the_row_say_so(log, facts):
    alter(log, "UPDATE facts SET facts = :facts", facts=facts)
    assert audited(log)[0] == {("facts", "facts", "facts-differ"), ("facts", "facts", "column-differs")}


@pytest.mark.parametrize("shown", ["张三", "a disclosure?", b64url_encode(b"[1,2]")])
def test_audit__a_disclosure_that_is_none__found_also_with_a_digest_to_match(log, shown):
    digest = b64url_encode(hashlib.sha256(shown.encode()).digest())
    alter(log, "UPDATE disclosure SET text = :shown, digest = :digest", shown=shown, digest=digest)
    assert ("disclosure", "text", "column-differs") in audited(log)[0]
