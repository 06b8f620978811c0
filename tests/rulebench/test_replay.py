"""Replay: the live digests, over changes of rules, and where something first differs."""

from dataclasses import replace as changed

import pytest
from msgspec.structs import replace

from ledger.engine.rules import load_rules
from ledger.engine.state import FoldState, encode_state
from ledger.errors import RuleError
from ledger.follow import Sets
from ledger.rulebench.replay import Replay, _state_differences, replay, resumed
from ledger.rulesets import announced, engines, present_catalogue, present_engine, shipped_legal, shipped_sources
from tests.engine.helpers import Classifier
from tests.test_rule_versions import A, B, World, _played, event, level, movement, rules


def replayed(world, **how):
    return replay(world.log, world.store, Sets(world.present, world.store.extra), Classifier(), **how)


def played(monkeypatch):
    monkeypatch.setattr("ledger.evaluate.SNAPSHOT_ENTRIES", 4)
    return _played()[0]


def test_replay__untouched__everything_is_equal(monkeypatch):
    world = played(monkeypatch)
    seen = []
    done = replayed(world, progress=seen.append)
    assert done.equal and done.alerts == len(world.store.alert_rows) > 3
    assert done.alerts_digest == done.kept_alerts_digest and done.snapshot_digest == done.kept_snapshot_digest
    assert len(done.rulesets) == 3 and seen[-1] == done.end == world.store.cursor_


def test_replay__an_alert_altered__the_row_and_column(monkeypatch):
    world = played(monkeypatch)
    second = list(world.store.alert_rows)[1]
    world.store.alert_rows[second] = changed(world.store.alert_rows[second], severity="info")
    done = replayed(world)
    (difference,) = done.differences
    assert difference.table == "alert" and difference.row.startswith("seq 2, ") and difference.column == "severity"
    assert difference.kept == "info" and done.alerts_digest != done.kept_alerts_digest


def test_replay__an_alert_missing_or_one_too_many__the_place(monkeypatch):
    world = played(monkeypatch)
    rows = world.store.alert_rows
    last = list(rows)[-1]
    kept = rows.pop(last)
    assert [(d.kept, d.row[:5]) for d in replayed(world).differences] == [(None, f"seq {len(rows) + 1}"[:5])]
    rows[last] = kept
    rows["f" * 64] = changed(kept, alert_id="f" * 64)
    (difference,) = replayed(world).differences
    assert difference.replayed is None and difference.kept["alert_id"] == "f" * 64


def test_replay__state_altered__the_field_and_the_key(monkeypatch):
    from ledger.engine.state import decode_state, encode_state

    world = played(monkeypatch)
    data, at = world.store.snapshot
    state = decode_state(data)
    state.health["X-FULL"].evaluations += 1
    world.store.snapshot = (encode_state(state), at)
    (difference,) = replayed(world).differences
    assert difference.table == "snapshot" and difference.row.startswith("state.health['X-FULL']")


def test_replay__to_an_index__compares_what_lies_below(monkeypatch):
    world = played(monkeypatch)
    last = list(world.store.alert_rows.values())[-1]
    world.store.alert_rows[last.alert_id] = changed(last, severity="info")
    done = replayed(world, to=last.first_index)
    assert done.equal and done.end == last.first_index and done.snapshot_digest is None
    assert not replayed(world, to=last.first_index + 1).equal


def test_replay__text_of_an_old_set_is_missing__is_a_failure_that_says_so():
    world = World()
    world.put(A, 120)
    world.run()
    world.change(level(90, version=2), event())
    world.store.extra_rows.pop(f"ruleset/{rules(level(), event()).digest}")
    done = replayed(world)
    assert not done.equal and "not kept" in done.problems[0]


def test_replay__same_log_in_another_installation__same_digests(monkeypatch):
    one, other = played(monkeypatch), played(monkeypatch)
    assert replayed(one).state_digest == replayed(other).state_digest
    other.put(B, 1)
    other.run()
    assert replayed(one).state_digest != replayed(other).state_digest


def test_replay__made_by_another_engine__says_so_and_from_where(monkeypatch):
    monkeypatch.setattr("ledger.evaluate.present_engine", lambda: "engine-4.older")
    world = played(monkeypatch)
    monkeypatch.undo()
    again = replayed(world)
    assert again.equal and {engine for _, engine in again.other_engines} == {"engine-4.older"}
    assert [at for at, _ in again.other_engines] == [at for at, _ in again.rulesets]
    assert again.engine != "engine-4.older" and not replayed(world, to=1).other_engines[1:]


def test_engine__another_program_with_the_same_rules__is_announced_once(monkeypatch):
    world = World()
    world.put(A, 120)
    world.run()
    monkeypatch.setattr("ledger.evaluate.present_engine", lambda: "engine-5.newer")
    world.start()
    world.put(A, 130)
    world.run()
    world.start()
    world.run()
    said = engines(world.log)
    assert [engine for _, engine in said] == [present_engine(), "engine-5.newer"]
    assert len({digest for _, digest in announced(world.log)}) == 1
    assert replayed(world).equal and len(replayed(world).rulesets) == 2


def test_present_engine__changes_with_the_code_that_folds(monkeypatch):
    present_engine.cache_clear()
    before = present_engine()
    monkeypatch.setattr("ledger.rulesets._code", lambda _directory, path: iter([(path, b"other")]))
    present_engine.cache_clear()
    assert before != present_engine()
    present_engine.cache_clear()


def test_replay__catalogue_that_changed_since__names_the_table_and_is_no_missing_text():
    table, digest = present_catalogue().split()[0].rsplit(":", 1)
    older = load_rules({"0.yml": level(), "1.yml": event()}, {}, present_catalogue().replace(digest, "0" * 64))
    world = World(present=older)
    world.put(A, 120)
    world.run()
    world.change(level(90, version=2), event())
    done = replayed(world)
    (said,) = done.problems
    assert not done.equal and f"another catalogue than this program's ({table})" in said and "not kept" not in said


def test_replay__legal_numbers_that_changed_since__are_those_that_were_kept_with_the_set():
    digest = next(part for part in present_catalogue().split() if part.startswith("legal_params.csv:"))
    table = present_catalogue().replace(digest, "legal_params.csv:" + "0" * 64)
    world = World(present=load_rules({"0.yml": level(), "1.yml": event()}, {"law.days": [("5", "2011-12-01")]}, table))
    world.put(A, 120)
    world.run()
    world.change(level(90, version=2), event())
    done = replayed(world)
    assert done.equal and not done.problems


DUTY = {name: text for name, text in shipped_sources().items() if name.startswith(("D01", "B02"))}
DAYS = 86_400_000


def _law(days):
    """D01 under a table that says `days` from the beginning, as if the table had been put right."""
    legal = shipped_legal() | {"cn591.filing.days": [(str(days), "2011-12-01")]}
    mark = f"legal_params.csv:{days:064d}"
    digest = next(part for part in present_catalogue().split() if part.startswith("legal_params.csv:"))
    return load_rules(DUTY, legal, present_catalogue().replace(digest, mark))


def _sell(world, consignment):
    world.now += 60_000
    body = movement(5, "out") | {"reason": "sale", "consignment": consignment}
    world.log.write(A, "movement", body | {"counterparty": {"type": "enterprise", "uscc": B}}, at=world.now)


def _days_later(world, days):
    """Time passes, and a record of somebody else's comes."""
    world.now += days * DAYS
    world.seconds += days * DAYS / 1000
    world.put(B, 1)
    world.run()


def test_replay__days_to_file__are_those_of_the_set_that_was_in_force():
    world = World(present=_law(5))
    _sell(world, "C-1")
    world.run()
    _days_later(world, 7)
    overdue = [alert for alert in world.store.alert_rows.values() if alert.rule == "D01" and alert.band == 1]
    assert [alert.inputs["limit_days"] for alert in overdue] == [5]
    world.start(_law(20))
    world.run()
    _sell(world, "C-2")
    world.run()
    _days_later(world, 7)
    assert [a for a in world.store.alert_rows.values() if a.rule == "D01" and a.band == 1] == overdue
    _days_later(world, 15)
    said = [a.inputs["limit_days"] for a in world.store.alert_rows.values() if a.rule == "D01" and a.band == 1]
    assert said == [5, 20, 20]  # what was said of the first one stays; by the table as put right it is overdue again
    done = replayed(world)
    assert done.equal and not done.problems and len(done.rulesets) == 2
    world.check_replay()


def _interrupted(world, at):
    """A replay that stopped at or behind this entry, and what it kept."""
    one = Replay(world.log, world.store, Sets(world.present, world.store.extra), Classifier())
    one.run(stop=lambda: one.next_index >= at)
    return one, one.save()


def _resumed(world, data):
    return resumed(data, world.log, world.store, Sets(world.present, world.store.extra), Classifier())


def test_replay__interrupted_anywhere_and_resumed__is_the_uninterrupted_one(monkeypatch):
    monkeypatch.setattr("ledger.follow.BATCH", 3)
    world = played(monkeypatch)
    whole = replayed(world)
    assert whole.equal
    stopped = set()
    for at in range(0, whole.end, 2):
        one, data = _interrupted(world, at)
        again = _resumed(world, data)
        assert again.next_index == one.next_index and again.end == whole.end
        assert again.run() and again.result() == whole
        stopped.add(one.next_index)
    assert len(stopped) > 5


def test_replay__resumed__still_knows_what_differed_before_and_finds_what_differs_after(monkeypatch):
    monkeypatch.setattr("ledger.follow.BATCH", 3)
    world = played(monkeypatch)
    rows = world.store.alert_rows
    for name in (list(rows)[0], list(rows)[-1]):
        rows[name] = changed(rows[name], severity="info")
    whole = replayed(world)
    assert len(whole.differences) == 2
    _, data = _interrupted(world, rows[list(rows)[0]].first_index + 1)
    again = _resumed(world, data)
    assert again.run() and again.result() == whole


def test_replay__resumed_while_the_service_goes_on__ends_where_it_was_to_end(monkeypatch):
    monkeypatch.setattr("ledger.follow.BATCH", 3)
    world = played(monkeypatch)
    end = int(world.store.cursor_)
    _, data = _interrupted(world, end // 2)
    world.put(B, 500)
    world.run()
    again = _resumed(world, data)
    assert again.run() and again.result().equal and again.result().end == end < world.store.cursor_


def test_resumed__of_another_log_history_or_program__refused(monkeypatch):
    world = played(monkeypatch)
    _, data = _interrupted(world, 5)
    with pytest.raises(RuleError, match="cannot be read"):
        _resumed(world, b"\x00")
    other = played(monkeypatch)
    at = Replay(world.log, world.store, Sets(world.present, world.store.extra), Classifier())
    at.run(stop=lambda: at.next_index >= 5)
    other.log.entries[at.next_index - 1] = replace(other.log.entries[at.next_index - 1], record_id="0" * 64)
    with pytest.raises(RuleError, match="another history"):
        _resumed(other, data)
    monkeypatch.setattr("ledger.rulebench.replay.present_engine", lambda: "engine-0.other")
    with pytest.raises(RuleError, match="another program"):
        _resumed(world, data)


def test_replay__a_list_of_the_kept_state_is_longer__is_named_as_it_is():
    mine, kept = FoldState(), FoldState()
    mine.papers.due, kept.papers.due = {"A": ["licence"]}, {"A": ["licence", "place"]}
    (found,) = _state_differences(encode_state(mine), encode_state(kept))
    assert (found.row, found.replayed, found.kept) == ("state.papers['due']['A']", ["licence"], ["licence", "place"])
