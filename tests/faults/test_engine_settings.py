"""A wrong rule file under the really served program: the engine says which line and does not work; nothing is lost by it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ledger.config import FILE_NAME
from ledger.core.submission import SUBMISSION_TYPE
from ledger.rulesets import announced
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
        here = served.installation()
        log, engine = here.stores.log, here.stores.engine
        served.wait_for(lambda: len(announced(log)) == 1, 40, "the rules as they were before")
        agreed = served.state / "agreed.yml"
        agreed.write_text(_agreed("A99", one))
        settings = served.state / FILE_NAME
        settings.write_text(settings.read_text() + '\n[rules]\nexceptions = "agreed.yml"\n')
        served.service.kill("engine")
        served.wait_for(lambda: f"{agreed}:3: there is no rule A99" in served.log_text, 40, "the engine's complaint")
        # The log goes on meanwhile; the engine's lag can be seen by everybody.
        for book in (one, other):
            _run_short(served, book, "7697-37-2", hour=10)
        assert engine.cursor() < log.size() and not engine.alerts(limit=10)
        agreed.write_text(_agreed("A01", one))
        served.wait_for(lambda: len(announced(log)) == 2, 40, "the rules with the exceptions")
        quiesce(served)
        # What came meanwhile is judged by the rules that were in force, what comes from now on by the new ones.
        assert _negative_stocks(engine) == {(one.holder, "open"): 1, (other.holder, "open"): 1}
        for book in (one, other):
            _run_short(served, book, "64-17-5", hour=12)
        quiesce(served)
        found = _negative_stocks(engine)
        here.stores.close()
        assert found == {(one.holder, "open"): 1, (one.holder, "suppressed"): 1, (other.holder, "open"): 2}


def _negative_stocks(engine) -> Counter[tuple[str, str]]:
    alerts = [alert for _, alert in engine.alerts(limit=100) if alert.rule == "A01"]
    lives = engine.lives(alerts)
    return Counter((alert.holder, lives[alert.alert_id].status) for alert in alerts)


def _agreed(rule: str, book: Book) -> str:
    today = datetime.now(UTC).date()
    return AGREED.format(
        rule=rule, holder=book.holder, first=today - timedelta(days=9), last=today + timedelta(days=90)
    )


def _run_short(served: Served, book: Book, code: str, hour: int) -> None:
    """A count, and an hour later more goes out than was there."""
    went = {"direction": "out", "reason": "consumption", "lines": [factories.line(code=code, value="900")]}
    _take_in(served, book, "stocktake", {"lines": [factories.line(code=code, value="100")]}, hour)
    _take_in(served, book, "movement", went, hour + 1)


def _take_in(served: Served, book: Book, kind: str, body: dict, hour: int) -> None:
    sent = book.next(kind, body=factories.body(kind, **body), event_time=f"2026-03-03T{hour}:00:00+08:00")
    answer = served.post("/api/v1/records", sent, SUBMISSION_TYPE)
    assert answer[0] == 201, answer
