"""A grant that is revoked from an index in the past: what it voids is listed once, and goes on counting."""

import pytest
from msgspec.structs import replace

from ledger.core.ids import credit_code_for
from ledger.core.record import parse_payload
from ledger.engine import revocations
from ledger.engine.revocations import KEPT_DAYS, Revocations, RevocationState
from tests.engine.helpers import HOUR, Run, line

KEY, OTHER = "a" * 64, "b" * 64
HOLDER = credit_code_for("91110000100000008")
DAY = 24 * HOUR


class Signed(Run):
    """A Run whose records of an enterprise bear a key's signature."""

    keyid = KEY

    def entry(self, kind, body, **more):
        made = super().entry(kind, body, **more)
        return replace(made, signers=(self.keyid,)) if not made.is_authority else made

    def grant(self, *, revoked_at=None, scope="", key=KEY, g="1", at=0, enrolled_at=0, holder="A"):
        body = {"g": g * 64, "keyid": key, "holder": holder, "scope": scope, "role": 1, "enrolled_at": enrolled_at,
                "revoked_at": revoked_at}  # fmt: skip
        return self.put("grant", body, at=at, holder="platform.test", book="grants", authority=True)

    @property
    def voided(self):
        return [r.alert for r in self.to.raised if r.alert.rule == "REVOKED"]


def moved(run, times=5):
    run.grant()
    run.stocktake(line(100), at=0)
    return [run.move("in", line(1), at=(n + 1) * HOUR) for n in range(times)]


def test_revoked__from_an_index_in_the_past__one_alert_lists_what_is_void_and_the_balance_keeps_it():
    run = Signed()
    entries = moved(run)
    run.grant(revoked_at=entries[2].index, at=10 * HOUR)
    (alert,) = run.voided
    assert (alert.holder, alert.site, alert.severity) == ("A", "S1", "high")
    assert alert.inputs == {"keyid": KEY, "from_index": 4, "count": 3, "earlier": False, "indexes": "4-6"}
    assert "3 records" in alert.reason["en"] and "4-6" in alert.reason["en"] and "3 条" in alert.reason["zh"]
    assert run.account().total == 105 * 10**6
    run.grant(revoked_at=entries[2].index, at=11 * HOUR)  # the same again
    assert len(run.voided) == 1
    run.grant(revoked_at=entries[1].index, at=12 * HOUR)  # and further back: only what that adds
    assert [alert.inputs["indexes"] for alert in run.voided] == ["4-6", "3"]


@pytest.mark.parametrize("more", [0, 1, 100])
def test_revoked__from_now_on_or_later__voids_nothing(more):
    run = Signed()
    entries = moved(run)
    run.grant(revoked_at=entries[-1].index + 1 + more, at=10 * HOUR)
    assert not run.voided


def test_revoked__in_its_scope_of_this_key_and_holder__only_those():
    run = Signed()
    run.grant(scope="S1/B1")
    first = run.move("in", line(1), at=HOUR)
    run.move("in", line(1), at=HOUR, book="B2")
    run.move("in", line(1), at=HOUR, holder="B")
    run.keyid = OTHER
    run.move("in", line(1), at=HOUR)
    run.grant(scope="S1/B1", revoked_at=0, at=2 * HOUR)
    assert [alert.inputs["indexes"] for alert in run.voided] == [str(first.index)]


def test_revoked__where_another_grant_of_the_key_covers_it__is_not_void():
    run = Signed()
    run.grant(g="2", scope="S1/")
    entries = moved(run)
    run.grant(revoked_at=0, at=10 * HOUR)
    assert not run.voided
    run.grant(g="2", scope="S1/", revoked_at=entries[3].index, at=11 * HOUR)
    assert [alert.inputs["count"] for alert in run.voided] == [2]


def test_revoked__alert__is_a_record_that_the_door_takes():
    run = Signed()
    run.grant(holder=HOLDER)
    run.move("in", line(1), at=HOUR, holder=HOLDER)
    run.grant(holder=HOLDER, revoked_at=0, at=2 * HOUR)
    (raised,) = [r for r in run.to.raised if r.alert.rule == "REVOKED"]
    assert parse_payload(raised.payload).kind == "alert"


def test_revoked__across_a_restart_at_every_point__the_same():
    def story(restart_at):
        run = Signed()
        for step in range(8):
            if step == restart_at:
                run.restart()
            run.grant() if step == 0 else run.grant(revoked_at=3, at=9 * HOUR) if step == 7 else run.move(
                "in", line(1), at=step * HOUR
            )
        return [r.payload for r in run.to.raised if r.alert.rule == "REVOKED"]

    whole = story(None)
    assert len(whole) == 1
    assert all(story(at) == whole for at in range(1, 8))


def test_signed__long_ago_or_without_end__is_forgotten_and_said_to_be_perhaps_more(monkeypatch):
    monkeypatch.setattr(revocations, "_MOST", 8 * 4)
    run, state = Signed(), RevocationState()
    topic = Revocations(state)
    for _ in range(50):
        topic.note(run.put("movement", {"direction": "in", "reason": "found", "lines": []}, at=0))
    assert all(len(data) <= 2 * 8 * 4 for data in state.signed.values())
    body = {"g": "1" * 64, "keyid": KEY, "holder": "A", "scope": "", "enrolled_at": 0, "revoked_at": 2}
    voided = topic.granted(run.entry("grant", body, authority=True, holder="platform.test"))
    assert voided.earlier and voided.indexes[-1] == 49 and len(voided.indexes) >= 4
    for day in range(KEPT_DAYS + 2):
        topic.prune(100 + day)
    assert not state.signed and not state.grants and len(state.days) == KEPT_DAYS
