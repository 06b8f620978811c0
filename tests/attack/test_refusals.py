"""A key that floods the log with refusals cannot make its count disappear."""

import pytest

from ledger.errors import LedgerError
from ledger.append.refusals import HOUR_MS, REFUSALS_PER_KEY_AND_HOUR, RESERVED_FOR_FORKS
from ledger.model import UnixMs
from tests import kit


@pytest.fixture
def log(tmp_path):
    log = kit.Log(tmp_path)
    yield log
    log.close()


def refused(log, book, **overrides):
    with pytest.raises(LedgerError) as error:
        log.submit(book.sign(book.payload("movement", **overrides)))
    return error.value.refusal


def test_refusals__beyond_the_hours_number_then_one_that_no_entry_can_name__the_count_stands(log):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    notes = [refused(log, book, prev="0" * 64) for _ in range(REFUSALS_PER_KEY_AND_HOUR - RESERVED_FOR_FORKS + 3)]
    assert sum(note is None for note in notes) == 3
    log.clock.now = UnixMs(log.clock.now + HOUR_MS + 1)
    assert refused(log, book, site="no site") is None
    assert refused(log, book, prev="0" * 64) is not None
    newest = log.stores.log.records(log.stores.log.size() - 1, 1)[0]
    assert newest.kind == "refusal"
    assert kit.document_of(newest.envelope)["body"]["uncounted"] == 3
