"""Explain: the row as it was, every part with its value, what would have to be otherwise."""

from zoneinfo import ZoneInfo

import pytest

from ledger.cli.rules.explain import lines
from ledger.engine.rules import load_rules
from ledger.errors import NotFoundError, RuleError
from ledger.follow import Sets
from ledger.rulebench.explain import explain
from ledger.rulesets import shipped_legal, shipped_sources
from tests.engine.helpers import Classifier
from tests.test_rule_versions import A, B, MINUTE, World, event, level, rules


def explained(world, rule, index, **how):
    sets = Sets(world.present, world.store.extra)
    return explain(world.log, sets, Classifier(), rule_id=rule, index=index, **how)


def test_explain__alert__the_row_that_it_was_raised_on():
    world = World()
    at = world.put(A, 150).index
    world.put(A, 500)
    world.run()
    found = explained(world, "X-FULL", at)
    (row,) = found.rows
    assert found.verdict == "alert" and row.alert_id in world.store.alert_rows
    assert row.row["balance"] == 151_000_000
    (band,) = row.bands
    assert [(p.source, p.value) for p in band.condition.parts] == [("balance", 151_000_000), ("100000000", 100_000_000)]
    assert found.record_id == world.log.entries[at].record_id and found.ruleset == world.present.digest


def test_explain__no_alert__which_part_was_false():
    world = World()
    at = world.put(A, 50).index
    world.run()
    found = explained(world, "X-FULL", at)
    assert found.verdict == "no-band" and found.rows[0].because == ["balance > 100000000"]


def test_explain__features__with_the_entries_behind_them():
    world = World()
    indexes = [0] + [world.put(A, 1).index for _ in range(3)]
    world.put(B, 1)
    world.run()
    found = explained(world, "X-OFTEN", indexes[-1])
    row = next(r for r in found.rows if r.row["record_id"] == found.record_id)
    (feature,) = row.features
    assert (feature.name, feature.value, feature.ready) == ("n", 4, True) and found.verdict == "alert"
    assert [e["index"] for e in feature.entries] == indexes
    assert all(world.log.entries[e["index"]].record_id == e["record_id"] for e in feature.entries)
    assert feature.declared == {"agg": "count", "window": "6h"}


def test_explain__it_goes_on__the_alert_that_is_there():
    world = World()
    first = world.put(A, 150).index
    second = world.put(A, 1).index
    world.run()
    assert explained(world, "X-FULL", second).rows[0].alert_id == explained(world, "X-FULL", first).rows[0].alert_id
    assert explained(world, "X-FULL", second).verdict == "goes-on"


def test_explain__waits__until_when_and_then_the_tick_that_raised_it():
    world = World(rules(level(wait="1h"), event()))
    at = world.put(A, 150).index
    due = world.now + 60 * MINUTE
    world.run()
    found = explained(world, "X-FULL", at)
    assert found.verdict == "waits" and found.rows[0].timer_ms == due and found.rows[0].bands[0].due_ms == due
    world.now, world.seconds = due, 100
    world.run()
    (alert,) = world.store.alert_rows.values()
    tick = explained(world, "X-FULL", alert.first_index)
    assert tick.kind == "tick" and tick.verdict == "alert" and tick.rows[0].alert_id == alert.alert_id


def test_explain__the_version_that_was_in_force__not_todays():
    world = World()
    at = world.put(A, 90).index
    world.run()
    world.change(level(50, version=2), event())
    later = world.put(A, 1).index
    world.run()
    assert (explained(world, "X-FULL", at).version, explained(world, "X-FULL", later).version) == (1, 2)
    assert explained(world, "X-FULL", at).verdict == "no-band"
    assert explained(world, "X-FULL", at, draft=world.present).rows[0].verdict in ("alert", "goes-on")


def test_explain__record_of_another_kind__makes_no_row():
    world = World()
    world.run()
    index = next(e.index for e in world.log.entries if e.kind == "ruleset")
    assert explained(world, "X-FULL", index).verdict == "no-rows"


def test_explain__out_of_scope_and_parameters__with_date_and_source():
    text = next(text for name, text in shipped_sources().items() if name.startswith("A02"))
    world = World(load_rules({"0.yml": text}, shipped_legal()))
    place = {"id": "R1", "book": "B1", "class": "room", "capacity": {"value": "1000", "unit": "KGM"}}
    world.log.write(A, "place", {"sites": [{"site": "S1", "zone": "Asia/Shanghai", "stores": [place]}]}, at=world.now, book="office")
    low, high = world.put(A, 100).index, world.put(A, 950).index
    world.run()
    found = explained(world, "A02", low)
    row = found.rows[-1]
    assert row.verdict == "out-of-scope" and row.because == [
        "fill_ppm > warn_ppm",
        "stock > capacity",
        "laboratory",
        "precursors > laboratory_max",
    ]
    assert row.parameters["warn_ppm"] == {"value": 900000, "from": "2011-12-01", "source": "engineering default"}
    said = explained(world, "A02", high).rows[-1]
    assert said.verdict == "alert" and [b.condition.value for b in said.bands] == [False, False, True, False, True]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_lines__for_a_person__hold_the_values_in_both_languages(lang):
    world = World()
    at = world.put(A, 150).index
    world.run()
    text = "\n".join(lines(explained(world, "X-FULL", at), lang, ZoneInfo("Asia/Shanghai")))
    values = {"zh": "其中", "en": "with"}[lang]
    assert f"true   balance > 100000000   {values} balance = 151000000" in text
    assert {"zh": "产生预警", "en": "an alert"}[lang] in text and {"zh": "满", "en": "Full"}[lang] in text


def test_explain__no_such_rule_or_entry__says_so():
    world = World()
    world.run()
    with pytest.raises(RuleError, match="there is no rule X-NONE"):
        explained(world, "X-NONE", 0)
    with pytest.raises(NotFoundError):
        explained(world, "X-FULL", 999)
