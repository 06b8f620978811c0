"""The state machine alone: no way into nowhere, closing only with an outcome, rests that end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.life import (
    BESIDE,
    CLOSED,
    DAY_MS,
    OUTCOMES,
    STAGES,
    STATUSES,
    Standing,
    after,
    check_transition,
    possible,
)
from ledger.core.schemas import schema
from ledger.errors import TransitionError

NOW = 1_790_000_000_000
STANDINGS = [Standing(stage, beside) for stage in STAGES for beside in ("", *BESIDE) if not (stage == CLOSED and beside)]
FULL = {"order": "1" * 64, "reply": "2" * 64, "reason": "x", "outcome": "no_violation"}


def check(standing, to, *, until=NOW + DAY_MS, **more):
    body = {"alert": "a" * 64, "from": standing.status, "to": to} | more
    check_transition(standing, body, until_ms=until, now_ms=NOW)


@pytest.mark.parametrize("standing", STANDINGS, ids=lambda s: f"{s.stage}-{s.beside}")
def test_possible__every_standing__leads_on_unless_closed(standing):
    assert (possible(standing) == ()) is (standing.stage == CLOSED)
    assert set(possible(standing)) <= set(STATUSES)


@pytest.mark.parametrize("standing", STANDINGS, ids=lambda s: f"{s.stage}-{s.beside}")
def test_possible__from_every_standing__closed_can_be_reached(standing):
    seen, waiting = set(), [standing]
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += [after(here, to) for to in possible(here)]
    assert any(s.stage == CLOSED for s in seen)
    assert all(s in STANDINGS for s in seen)


@given(st.sampled_from(STANDINGS), st.sampled_from(STATUSES))
def test_check__any_step__is_taken_exactly_when_it_is_possible(standing, to):
    try:
        check(standing, to, **FULL)
    except TransitionError as error:
        assert to not in possible(standing)
        assert error.possible == possible(standing)
    else:
        assert to in possible(standing)
        assert after(standing, to).status == to


@given(st.lists(st.sampled_from(STATUSES), max_size=30))
def test_walk__any_steps__closed_is_entered_once_and_never_left(steps):
    standing, closed = Standing(), 0
    for to in steps:
        try:
            check(standing, to, **FULL)
        except TransitionError:
            continue
        assert standing.stage != CLOSED
        standing = after(standing, to)
        closed += standing.stage == CLOSED
    assert closed <= 1


@pytest.mark.parametrize("standing", STANDINGS, ids=lambda s: f"{s.stage}-{s.beside}")
def test_check__from_where_it_does_not_stand__stale(standing):
    other = next(status for status in STATUSES if status != standing.status)
    with pytest.raises(TransitionError) as refused:
        check_transition(
            standing, {"alert": "a" * 64, "from": other, "to": "acknowledged"}, until_ms=None, now_ms=NOW
        )
    assert refused.value.code == "transition-stale"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_closed__each_outcome__with_what_it_needs(outcome):
    needs = {"referred": {"referred_to": "x"}, "duplicate": {"duplicate_of": "b" * 64}}.get(outcome, {})
    check(Standing("in_hand"), "closed", outcome=outcome, **needs)
    if needs:
        with pytest.raises(TransitionError):
            check(Standing("in_hand"), "closed", outcome=outcome)
    with pytest.raises(TransitionError):
        check(Standing("in_hand"), "closed")


@pytest.mark.parametrize(
    ("to", "reason", "ahead_ms", "taken"),
    [
        ("snoozed", "x", 7 * DAY_MS, True), ("snoozed", "x", 7 * DAY_MS + 1, False), ("snoozed", "x", 0, False),
        ("suppressed", "x", 180 * DAY_MS, True), ("suppressed", "x", 180 * DAY_MS + 1, False),
        ("suppressed", "silence", 7 * DAY_MS, True), ("suppressed", "silence", 7 * DAY_MS + 1, False),
        ("snoozed", "", DAY_MS, False), ("suppressed", "", DAY_MS, False),
    ],
)  # fmt: skip
def test_rest__its_longest__exactly(to, reason, ahead_ms, taken):
    if taken:
        check(Standing(), to, reason=reason, until=NOW + ahead_ms)
    else:
        with pytest.raises(TransitionError):
            check(Standing(), to, reason=reason, until=NOW + ahead_ms)


def test_words__are_those_of_the_format():
    """alert_transition.json is frozen; what it does not know cannot be signed."""
    properties = schema("alert_transition")["$defs"]["body"]["properties"]
    assert set(properties["from"]["enum"]) == set(properties["to"]["enum"]) == set(STATUSES)
    assert tuple(properties["outcome"]["enum"]) == OUTCOMES
