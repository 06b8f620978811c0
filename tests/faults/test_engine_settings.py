"""A wrong rule file under the really served program: the engine says which line and does not work; nothing is lost by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.config import FILE_NAME
from ledger.core.submission import SUBMISSION_TYPE
from tests import factories
from tests.faults.test_kill_loop import quiesce
from tests.kit import Book
from tests.served import Served

pytestmark = [pytest.mark.chain, pytest.mark.faults]

AGREED = """schema: exceptions/1
exceptions:
  - {{rule: {rule}, match: {{holder: "{holder}"}}, reason: tank is recalibrated, author: desk 3, from: {first}, until: {last}}}
"""


@pytest.mark.timeout(240)
def test_exceptions__wrong_file__the_engine_says_which_line_and_records_go_on(tmp_path, fast_restarts):
    with Served(tmp_path / "s") as served:
        one, other = served.enterprises(2)
        agreed = served.state / "agreed.yml"
        agreed.write_text(_agreed("A99", one))
        settings = served.state / FILE_NAME
        settings.write_text(settings.read_text() + '\n[rules]\nexceptions = "agreed.yml"\n')
        served.service.kill("engine")
        served.wait_for(lambda: f"{agreed}:3: there is no rule A99" in served.log_text, 40, "the engine's complaint")
        # The log goes on meanwhile; the engine's lag can be seen by everybody.
        for book in (one, other):
            for kind, body in _more_than_there_was():
                _take_in(served, book, kind, body)
        here = served.installation()
        assert here.stores.engine.cursor() < here.stores.log.size() and not here.stores.engine.alerts(limit=10)
        agreed.write_text(_agreed("A01", one))
        quiesce(served)
        alerts = {a.holder: a for _, a in here.stores.engine.alerts(limit=100) if a.rule == "A01"}
        lives = here.stores.engine.lives(list(alerts.values()))
        here.stores.close()
        assert set(alerts) == {one.holder, other.holder}
        assert [lives[alerts[book.holder].alert_id].status for book in (one, other)] == ["suppressed", "open"]


def _agreed(rule: str, book: Book) -> str:
    today = datetime.now(UTC).date()
    return AGREED.format(
        rule=rule, holder=book.holder, first=today - timedelta(days=9), last=today + timedelta(days=90)
    )


def _more_than_there_was():
    yield "stocktake", factories.body("stocktake", lines=[factories.line(value="100")])
    yield (
        "movement",
        factories.body("movement", direction="out", reason="consumption", lines=[factories.line(value="900")]),
    )


def _take_in(served: Served, book: Book, kind: str, body: dict) -> None:
    event = f"2026-03-03T{10 + (kind == 'movement')}:00:00+08:00"
    answer = served.post("/api/v1/records", book.next(kind, body=body, event_time=event), SUBMISSION_TYPE)
    assert answer[0] == 201, answer
