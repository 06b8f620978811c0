"""Rules that change in the middle of a log: from where on, with what history, and the same again from index 0."""

from dataclasses import replace

import pytest

from ledger.core.ids import credit_code_for
from ledger.engine.rules import load_rules
from ledger.engine.state import state_digest
from ledger.evaluate import Evaluator
from ledger.follow import Follower, Platform, Sets
from ledger.model import UnixMs
from ledger.rulesets import present_catalogue, shipped_legal, shipped_sources
from tests.engine.helpers import Classifier
from tests.fakes_engine import ISSUER, KEYID, T0, Crash, FakeAppender, FakeLog, FakeStore, admit

A, B = (credit_code_for(f"9111000010000000{n}") for n in (0, 1))
MINUTE, HOUR = 60_000, 3_600_000

LEVEL = """
schema: rule/1
id: X-FULL
version: {version}
status: {status}
title: {{zh: 满, en: Full}}
severity: high
legal_basis: [none]
on: [balance]
bands:
  - {{when: 'balance > {limit}000000', {wait}reason: {{zh: 满, en: full}}}}
episode: {{fingerprint: [holder, code], quiet: 1h}}
tests:
  - {{name: a, about: fires, events: [{{at: 0h, in: [{{code: 7697-37-2, kg: {above}, store: R1}}]}}{later}], expect: [{{at: {when}}}]}}
  - {{name: b, about: silent, events: [{{at: 0h, in: [{{code: 7697-37-2, kg: 1, store: R1}}]}}], expect: []}}
  - {{name: c, about: boundary, events: [{{at: 0h, in: [{{code: 7697-37-2, kg: {limit}, store: R1}}]}}], expect: []}}
  - {{name: d, about: restart, events: [{{at: 0h, in: [{{code: 7697-37-2, kg: {limit}, store: R1}}]}}, {{restart: true}}], expect: []}}
"""
EVENT = """
schema: rule/1
id: X-OFTEN
version: {version}
status: live
title: {{zh: 多, en: Often}}
severity: medium
legal_basis: [none]
on: [movement]
group_by: [holder, code]
features:
  n: {{agg: count, window: {window}}}
bands:
  - {{when: 'n >= {least}', reason: {{zh: '{{n}}', en: '{{n}}'}}}}
episode: {{fingerprint: [holder, code], quiet: 2h}}
tests:
  - {{name: a, about: fires, events: [{many}], expect: [{{at: 0h}}]}}
  - {{name: b, about: silent, events: [{one}], expect: []}}
  - {{name: c, about: boundary, events: [{few}], expect: []}}
  - {{name: d, about: restart, events: [{few}, {{restart: true}}], expect: []}}
"""
ONCE = "{at: 0h, in: [{code: 7697-37-2, kg: 1, store: R1}]}"


def level(limit=100, *, version=1, wait="", status="live"):
    when, later = (wait, f", {{at: {wait}, tick: true}}") if wait else ("0h", "")
    wait = f"for: {wait}, " if wait else ""
    return LEVEL.format(limit=limit, above=limit + 1, version=version, wait=wait, when=when, later=later, status=status)


def event(least=4, *, version=1, window="6h"):
    many, few = (", ".join([ONCE] * n) for n in (least, least - 1))
    return EVENT.format(least=least, version=version, window=window, many=many, one=ONCE, few=few)


def rules(*texts):
    return load_rules({f"{n}.yml": text for n, text in enumerate(texts)}, {})


ONE = rules(level(), event())


def movement(kg, direction="in"):
    line = {"goods": "chemical", "code": "7697-37-2", "quantity": {"value": str(kg), "unit": "KGM"}, "store": "R1"}
    return {"direction": direction, "reason": "purchase" if direction == "in" else "consumption", "lines": [line]}


class World:
    """An engine whose rules may be changed between two starts, over a log that goes on."""

    def __init__(self, present=ONE, log=None):
        self.log = log or FakeLog()
        self.store = FakeStore()
        self.now = T0
        self.seconds = 0.0
        self.present = present
        self.appender = FakeAppender(self.log, lambda: UnixMs(self.now))
        if not self.log.entries:
            self.put(A, 1)
        self.start()

    def start(self, present=None, classifier=None):
        self.present = present or self.present
        self.engine = Evaluator(
            log_reader=self.log,
            store=self.store,
            appender=self.appender,
            admit=admit,
            rules=self.present,
            classifier=classifier or Classifier(),
            platform=Platform(ISSUER, KEYID),
            clock=lambda: UnixMs(self.now),
            clock_s=lambda: self.seconds,
        )

    def put(self, holder, kg, direction="in", *, minutes=1):
        self.now += minutes * MINUTE
        return self.log.write(holder, "movement", movement(kg, direction), at=self.now)

    def run(self):
        while self.engine.evaluate_once() or self.store.cursor_ < self.log.size():
            pass

    def change(self, *texts):
        """Stop, start with other rules, go on to the log's end: where they took effect."""
        self.start(rules(*texts))
        self.run()
        return [e.index for e in self.log.entries if e.kind == "ruleset"][-1]

    def said(self, rule):
        return [(a.holder, a.first_index, a.band) for a in self.store.alert_rows.values() if a.rule == rule]

    def replayed(self):
        """(alerts by id, digest of the state) of a fold from index 0, by the texts that were kept."""
        sets = Sets(self.present, self.store.extra)
        follower = Follower(self.log, sets, Classifier(), Platform(ISSUER, KEYID))
        raised = [r for to in follower.batches(self.store.cursor_) for r in to.raised]
        assert not sets.problems
        return {r.alert.alert_id: (r.record_id, r.alert.rule) for r in raised}, state_digest(follower.state)

    def check_replay(self):
        alerts, digest = self.replayed()
        assert alerts == {a.alert_id: (a.record_id, a.rule) for a in self.store.alert_rows.values()}
        assert digest == state_digest(self.engine.recover().state)


def test_new_version__takes_effect_at_its_entry__and_a_replay_finds_the_same():
    world = World()
    world.put(A, 60)
    world.run()
    at = world.change(level(50, version=2), event())
    assert not world.said("X-FULL")
    last = world.put(A, 1)
    world.run()
    assert world.said("X-FULL") == [(A, last.index, 0)] and last.index > at
    assert [a.version for a in world.store.alert_rows.values()] == [2]
    world.check_replay()


def test_alert__carries_the_set_that_found_it():
    import base64
    import json

    world = World()
    first = world.put(A, 120)
    world.run()
    world.change(level(100, version=2), event())
    world.put(B, 120)
    world.run()
    digests = []
    for row, _ in world.store.outbox.values():
        digests.append(json.loads(base64.b64decode(json.loads(row.envelope)["payload"]))["body"]["ruleset"])
    assert digests == [ONE.digest, world.present.digest]
    assert world.said("X-FULL")[0] == (A, first.index, 0)


def test_open_alert__keeps_its_identity_over_a_new_version():
    world = World()
    world.put(A, 120)
    world.run()
    assert len(world.said("X-FULL")) == 1
    world.change(level(90, version=2), event())
    world.put(A, 1)
    world.run()
    assert len(world.said("X-FULL")) == 1
    world.put(A, 121, "out")
    world.put(A, 121, minutes=180)
    world.run()
    assert len(world.said("X-FULL")) == 2
    world.check_replay()


def test_open_alert__that_the_new_text_does_not_hold_for__is_told_that_it_recovered():
    world = World()
    world.put(A, 120)
    world.run()
    world.change(level(500, version=2), event())
    (life,) = world.store.life_rows.values()
    assert life.recovered
    world.check_replay()


def test_retired_rule__its_health__is_of_the_version_that_ran_however_batches_end(monkeypatch):
    """Folded in one batch with the set that ended it, its row said version 1; so did the audit's."""
    world = World(rules(level(version=3), event()))
    world.put(A, 60)
    world.run()
    world.change(event())
    world.put(A, 1)
    world.run()
    assert world.store.health_rows["X-FULL"].version == 3
    for size in (1, 2, 50):
        monkeypatch.setattr("ledger.evaluate.LIVE_BATCH", size)
        again = World(world.present, log=world.log)
        again.store.extra_rows = dict(world.store.extra_rows)
        again.run()
        assert again.store.tables() == world.store.tables(), size


KEPT_DOWN = event(2).replace("tests:", "inhibited_by: [{rule: X-FULL, on: [holder, code]}]\ntests:")


def statuses(world, rule):
    ids = {a.alert_id for a in world.store.alert_rows.values() if a.rule == rule}
    return [life.status for life in world.store.life_rows.values() if life.alert_id in ids]


@pytest.mark.parametrize(
    ("after", "then"),
    [
        ((KEPT_DOWN, level(status="retired")), "open"),
        ((KEPT_DOWN, level(status="shadow")), "open"),
        ((event(2), level()), "open"),
        ((KEPT_DOWN, level(500, version=2)), "open"),
        ((KEPT_DOWN, level(90, version=2)), "suppressed"),
        ((KEPT_DOWN.replace("version: 1", "version: 2"), level()), "suppressed"),
    ],
)
def test_kept_down_alert__where_other_rules_take_effect__appears_when_nothing_keeps_it_down_any_more(after, then):
    """It stayed suppressed for good: whoever kept it down was never heard of again."""
    world = World(rules(KEPT_DOWN, level()))
    world.put(A, 120)
    world.run()
    assert statuses(world, "X-OFTEN") == ["suppressed"] and statuses(world, "X-FULL") == ["open"]
    world.change(*after)
    assert statuses(world, "X-OFTEN") == [then]
    (alert_id,) = [a.alert_id for a in world.store.alert_rows.values() if a.rule == "X-OFTEN"]
    assert (f"LIFE\x1f{alert_id}" in world.store.timer_rows) is (then == "open")
    world.check_replay()


def test_feature__of_a_new_rule_is_back_filled_from_the_log():
    world = World(rules(level()))
    for _ in range(3):
        world.put(A, 1)
    world.run()
    world.change(level(), event(least=5))
    assert not world.said("X-OFTEN")
    last = world.put(A, 1)
    world.run()
    assert world.said("X-OFTEN") == [(A, last.index, 0)]
    world.check_replay()


def test_alerts_of_before__are_not_issued_by_a_new_rule_nor_by_a_late_record():
    world = World(rules(level()))
    for _ in range(6):
        world.put(A, 1, minutes=20)
    world.run()
    world.change(level(), event(least=4))
    assert not world.said("X-OFTEN")
    world.put(B, 1)
    world.run()
    assert not world.said("X-OFTEN")
    world.check_replay()


def test_wait__of_a_new_rule_goes_on_from_when_it_began():
    world = World(rules(event()))
    world.put(A, 200)
    began = world.now
    world.run()
    world.now = began + 30 * MINUTE
    world.change(event(), level(100, wait="1h"))
    (timer,) = world.store.timer_rows.values()
    assert timer.due_ms == began + HOUR
    world.now = began + HOUR
    world.seconds += 10
    world.run()
    assert [rule for rule, *_ in world.said("X-FULL")] == [A]
    world.check_replay()


def test_wait_for_a_stated_moment__of_a_rule_that_was_changed__still_ends():
    waits = level(100, wait="1h").replace("for: 1h, ", "since: event_ms, for: 1h, ")
    world = World(rules(waits, event()))
    world.put(A, 200)
    began = world.now
    world.run()
    world.change(waits.replace("severity: high", "severity: low"), event())
    assert not world.said("X-FULL")
    world.now, world.seconds = began + HOUR, 10.0
    world.run()
    assert [holder for holder, *_ in world.said("X-FULL")] == [A]
    world.check_replay()


def test_shadow_rule_about_happenings__becomes_live__what_it_counted_in_silence_is_not_taken_for_said():
    shadow = event().replace("status: live", "status: shadow")
    world = World(rules(level(), shadow))
    for _ in range(5):
        world.put(A, 1)
    world.run()
    world.change(level(), event(version=2))
    assert not world.said("X-OFTEN")
    last = world.put(A, 1)
    world.run()
    assert world.said("X-OFTEN") == [(A, last.index, 0)]
    world.check_replay()


def test_rule_that_fails__others_are_changed__its_health_still_says_so():
    fails = level().replace("X-FULL", "X-FAILS").replace("balance > 100000000", "balance * 100000000000 > 0")
    world = World(rules(level(), fails))
    world.put(A, 90)
    world.put(A, 90)
    world.run()
    assert world.store.health_rows["X-FAILS"].error
    world.change(level(250, version=2), fails)
    assert world.store.health_rows["X-FAILS"].error
    world.change(level(250, version=2), level(version=2).replace("X-FULL", "X-FAILS"))
    assert not world.store.health_rows["X-FAILS"].error


def test_unchanged_rule__goes_on_exactly_as_it_was():
    same, other = World(rules(event())), World(rules(event()))
    for world in (same, other):
        for _ in range(5):
            world.put(A, 1)
        world.run()
    other.change(event(), level())
    for world in (same, other):
        world.put(A, 1, minutes=30)
        world.put(A, 1, minutes=400)
        for _ in range(4):
            world.put(A, 1)
        world.run()
    assert len(same.said("X-OFTEN")) == len(other.said("X-OFTEN")) == 2
    mine, theirs = (w.engine.recover().state for w in (same, other))
    assert mine.health["X-OFTEN"].evaluations == theirs.health["X-OFTEN"].evaluations
    assert [[(e.start, e.end, e.band) for e in c.episodes] for c in mine.courses["X-OFTEN"].values()] == [
        [(e.start, e.end, e.band) for e in c.episodes] for c in theirs.courses["X-OFTEN"].values()
    ]
    other.check_replay()


def test_downgrade__to_a_set_that_was_in_force_before__is_a_position_like_any_other():
    world = World()
    world.put(A, 120)
    world.run()
    world.change(level(50, version=2), event(2))
    world.put(B, 60)
    world.run()
    world.change(level(), event())
    world.put(B, 1)
    world.put(A, 1)
    world.run()
    assert [e.kind for e in world.log.entries].count("ruleset") == 3
    assert [holder for holder, *_ in world.said("X-FULL")] == [A, B]
    assert set(world.store.extra_rows) == {
        f"ruleset/{d}" for d in (ONE.digest, rules(level(50, version=2), event(2)).digest)
    }
    world.check_replay()


def test_text_that_is_not_kept__is_said_and_the_fold_goes_on():
    world = World()
    world.put(A, 120)
    world.run()
    world.change(level(90, version=2), event())
    world.store.extra_rows.pop(f"ruleset/{ONE.digest}")
    sets = Sets(world.present, world.store.extra)
    list(Follower(world.log, sets, Classifier(), Platform(ISSUER, KEYID)).batches(world.store.cursor_))
    assert list(sets.problems) == [ONE.digest] and "not kept" in sets.problems[ONE.digest]


def test_text_that_was_altered__is_not_taken_for_the_set():
    world = World()
    world.run()
    world.change(level(90, version=2), event())
    kept = world.store.extra_rows[f"ruleset/{ONE.digest}"]
    kept["rules"]["0.yml"] = kept["rules"]["0.yml"].replace("100000000", "900000000")
    sets = Sets(world.present, world.store.extra)
    sets.get(ONE.digest)
    assert "another one" in sets.problems[ONE.digest]


def _scene(world):
    """Two changes with traffic before, between and behind; the second start dies and lives again at will."""
    for n in range(6):
        world.put(A, 25)
        world.put(B, 10, minutes=7)
        yield None
    yield rules(level(70, version=2), event(3, version=2))
    for n in range(4):
        world.put(B, 12)
        yield None
    yield rules(level(70, version=2), event(2, version=3, window="12h"))
    world.put(A, 5)
    world.put(B, 5)
    yield None


def _played(die_at=None, dead_announcement=None):
    world, kills = World(), 0
    append_platform = world.appender.append_platform
    announcements = iter(range(1000))

    def append(kind, book, body):
        n = next(announcements) if kind == "ruleset" else -1
        if dead_announcement == (n, "before"):
            raise Crash
        answer = append_platform(kind, book, body)
        if dead_announcement == (n, "after"):
            raise Crash
        return answer

    world.appender.append_platform = append
    world.store.die_at = die_at
    for changed in _scene(world):
        if changed is not None:
            world.start(changed)
        while True:
            try:
                world.run()
                break
            except Crash:
                kills += 1
                world.start()
    return world, kills


@pytest.mark.parametrize("where", ["before", "after"])
def test_killed_at_every_commit__tables_log_and_replay_are_those_of_the_uninterrupted_run(where, monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 4)
    whole, _ = _played()
    assert len(whole.said("X-FULL")) >= 2 and whole.said("X-OFTEN")
    whole.check_replay()
    died = 0
    for commit in range(1, whole.store.commits + 1):
        world, kills = _played((where, commit))
        died += kills
        assert world.store.tables() == whole.store.tables(), commit
        assert [e.record_id for e in world.log.entries] == [e.record_id for e in whole.log.entries], commit
        world.check_replay()
    assert died >= whole.store.commits - 1


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_killed_at_an_announcement__the_set_is_announced_once(n, where):
    whole, _ = _played()
    world, kills = _played(dead_announcement=(n, where))
    assert kills == 1
    assert [e.record_id for e in world.log.entries] == [e.record_id for e in whole.log.entries]
    assert world.store.tables() == whole.store.tables()
    world.check_replay()


def test_entries_that_come_while_the_new_set_is_prepared__are_found_by_the_old_one():
    world = World()
    for _ in range(5):
        world.put(A, 10)
    world.run()
    world.start(rules(level(20, version=2), event()))
    assert world.engine.evaluate_once() > 0
    found = world.put(B, 120)
    world.run()
    assert world.said("X-FULL") == [(B, found.index, 0)]
    position = [e.index for e in world.log.entries if e.kind == "ruleset"][-1]
    assert found.index < position
    world.check_replay()


def test_change__while_a_certificate_runs__its_end_is_still_told_of_by_itself():
    """The timers of topics are of what topics remember: the filled state's, whatever rules were there before."""
    a02 = next(text for name, text in shipped_sources().items() if name.startswith("A02"))
    world = World(present=load_rules({"0.yml": level(), "1.yml": a02}, shipped_legal()))
    store = {"id": "R1", "book": "B1", "class": "room", "capacity": {"value": "100", "unit": "KGM"}}
    place = {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": [store]}]}
    world.log.write(A, "place", place, at=world.now, book="office")
    limits = [{"store": "R1", "quantity": {"value": "500", "unit": "KGM"}}]
    dates = {"valid_from": "2020-01-01", "valid_to": "2026-03-04"}
    body = {"type": "capacity_certificate", "issuer": "x", "status": "valid", "limits": limits} | dates
    world.log.write(A, "licence", body, at=world.now, book="office")
    world.put(A, 150)
    world.run()
    world.start(load_rules({"0.yml": level(90, version=2), "1.yml": a02}, shipped_legal()))
    world.run()
    assert [entry.kind for entry in world.log.entries].count("ruleset") == 2
    assert [row.rule for row in world.store.timers() if row.rule == "STORES"] == ["STORES"]
    world.now, world.seconds = T0 + 65 * HOUR, 65 * 3600.0
    world.put(B, 1)
    world.run()
    assert [(alert.holder, alert.band) for alert in world.store.alert_rows.values() if alert.rule == "A02"] == [(A, 0)]
    world.check_replay()


@pytest.mark.parametrize("snapshot", [False, True])
def test_another_catalogue__balances_have_its_keys_in_state_and_tables(snapshot):
    """Goods in stock under the earlier band and used under the new one were a negative balance, and stood in the table twice."""

    class Banded(Classifier):
        @staticmethod
        def classify(code, concentration_ppm, form):
            return replace(Classifier.classify(code, concentration_ppm, form), band="c>=3%")

    def of(catalogue):
        return load_rules({"0.yml": level(), "1.yml": event()}, {}, catalogue)

    world = World(of(present_catalogue() + " properties.csv:0"))
    world.put(A, 90)
    world.run()
    if snapshot:
        world.seconds += 100
        world.put(A, 2)
        world.run()
    assert (world.store.snapshot is not None) == snapshot
    world.start(of(present_catalogue()), Banded())
    world.run()
    world.put(A, 5, "out")
    world.run()
    left = world.store.stock_rows
    assert {at[3]: row.amount for at, row in left.items()} == {
        "7697-37-2|c>=3%||bulk||mass": (88 if snapshot else 86) * 10**6
    }
    fresh = Follower(world.log, Sets(world.present, dict), Banded(), Platform(ISSUER, KEYID))
    list(fresh.batches(world.store.cursor_))
    assert state_digest(fresh.state) == state_digest(world.engine.recover().state)
