"""Every shipped rule, on the records of its own tests, in other interleavings of their books: the same findings stand.

The scripts are those of `ledger/rules` (firing, silent and at the boundary) whose event times lie within seven days and that
more than one book tells. All is received after it happened, a second apart; each book keeps its order, a record comes after
those that it names, and grants come first, as the door has it. Compared are (rule, fingerprint, window, band) of what
happened, and (rule, fingerprint) of what stands of how things are, after the deadlines have run out. `said` is another matter:
what was so for a moment between two records depends on which of them came first, and recovers with the second.
"""

import random
from collections import defaultdict, deque
from dataclasses import replace as with_fields

import pytest
from msgspec.structs import replace

from ledger.catalogue import Catalogue
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.inputs import unix_ms
from ledger.engine.rulescript import read_script
from ledger.engine.ruletests import CLOCK
from ledger.engine.state import FoldState
from ledger.evaluate import shipped_rules

DAY = 86_400_000
RULES = shipped_rules()
CATALOGUE = Catalogue.load()
IDENTITY = Identity(log="test.example/log", issuer="platform.test", keyid="0" * 64, ruleset="0" * 64)
APART = {
    "D03": "about refusals, which the platform writes in the order in which it refused",
    "D04": "the same",
    "D05": "about how long after the event a record came",
    "D06": "about how many records came before a correction",
    "D07": "about how many records came in a minute",
    "D09": "about the platform's own look at its files",
    "F02": "about the handling of alerts, whose records name alerts and orders",
    "F03": "the same",
    "F04": "the same",
}
"""Rules that are about the coming of records itself. All others are here."""
ORDERS = 6


def books_of(entry):
    return entry.holder, entry.site, entry.book


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def shuffled(entries, rng):
    """Another interleaving: each book in its order, what a record names before it."""
    at = {entry.record_id: n for n, entry in enumerate(entries)}
    queues = defaultdict(deque)
    for n, entry in enumerate(entries):
        queues[books_of(entry)].append(n)
    needs = [[at[text] for text in texts(entry.body) if text in at] for entry in entries]
    order, done = [], set()
    while len(order) < len(entries):
        book = rng.choice([b for b, queue in queues.items() if queue and done.issuperset(needs[queue[0]])])
        done.add(n := queues[book].popleft())
        order.append(entries[n])
    return order


def standing(rule, entries, base):
    """(findings of what happened, findings of how things are) after these records and forty days."""
    state, to, by_id = FoldState(), Effects(), {}
    fold = Fold(state, with_fields(RULES, rules=(with_fields(rule, status="live"),)), CATALOGUE, IDENTITY)
    for n, entry in enumerate(entries):
        made = by_id[entry.record_id] = replace(entry, index=n, received_ms=base + n * 1000)
        fold.step(fold.with_before(made, by_id.get), to)
    now, n = base + len(entries) * 1000, len(entries)
    while (due := fold.next_due()) is not None and due <= base + 40 * DAY:
        now, n = max(now + 1, due), n + 1
        tick = {"kind": "tick", "body": {"now": now, "facts": "0" * 64}, "received_ms": now, "is_authority": True}
        fold.step(replace(entries[0], index=n - 1, record_id=f"{n:064x}", book="ticks", **tick), to)
    assert not [name for name, health in state.health.items() if health.error]
    happened = {
        (rule_id, name, one.start, one.end, one.band)
        for rule_id, courses in state.courses.items()
        for name, course in courses.items()
        for one in course.episodes
        if one.band >= 0
    }
    return happened, {(rule_id, name) for rule_id, of in state.pending.items() for name, one in of.items() if one.active}


def scripts():
    for rule in RULES.rules:
        for located in rule.tests:
            top = located.mapping("name about events expect", "clock")
            clock = unix_ms(top["clock"].text()) if "clock" in top else unix_ms(CLOCK)
            script = read_script(top["events"].items(), clock)
            entries = [e for e in script if e is not None and e.kind not in ("tick", "alert")]
            times = [e.event_ms for e in entries]
            if rule.id not in APART and max(times) - min(times) <= 7 * DAY and len(set(map(books_of, entries))) > 1:
                yield pytest.param(rule, entries, id=f"{rule.id}: {top['name'].text()}")


@pytest.mark.parametrize(("rule", "entries"), list(scripts()))
def test_rule__books_of_its_own_tests_in_any_interleaving__same_findings_stand(rule, entries):
    base = max(entry.event_ms for entry in entries) + 3_600_000
    grants = [entry for entry in entries if entry.kind == "grant"]
    others = [entry for entry in entries if entry.kind != "grant"]
    # E08 asks whether the receiver is known here; an enterprise is known by its grant, which these scripts do without.
    known = {entry.holder for entry in others if not entry.is_authority}
    grants += [
        replace(others[0], record_id=f"{n:x}".rjust(64, "f"), kind="grant", book="desk", is_authority=True)
        for n, _ in enumerate(sorted(known))
    ]
    for n, holder in enumerate(sorted(known)):
        at = len(grants) - len(known) + n
        grants[at] = replace(grants[at], holder="police.test", body={"holder": holder, "role": 1}, before=None)
    expected = standing(rule, grants + others, base)
    rng = random.Random(rule.id)
    for _ in range(ORDERS):
        assert standing(rule, grants + shuffled(others, rng), base) == expected


def test_pack__rules_that_are_left_apart__are_rules_and_have_a_reason():
    assert set(APART) <= {rule.id for rule in RULES.rules} and all(APART.values())
