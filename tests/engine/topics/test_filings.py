"""Who filed, and for how long that is remembered."""

from dataclasses import replace

import pytest

from ledger.catalogue import Catalogue
from ledger.engine.fold import Fold
from ledger.engine.goods import goods_of
from ledger.engine.register import Register, RegisterState
from ledger.engine.rules import load_rules
from ledger.engine.topics.filings import FORGET_AFTER_MS, REGIMES, Filings, FilingsState
from ledger.errors import RuleError
from ledger.rulesets import shipped_legal, shipped_sources
from tests.engine.helpers import HOUR, IDENTITY, RULES, T0, Classifier, Run, line

DAY = 24 * HOUR
SELLER, BUYER = "91350100M000100Y43", "91350100000000001X"


def movement(run, holder, direction, other, at):
    body = {"direction": direction, "reason": "purchase" if direction == "in" else "sale", "consignment": "C-1"}
    counterparty = {"counterparty": {"type": "enterprise", "uscc": other}}
    return run.entry("movement", body | counterparty | {"lines": [line(5)]}, holder=holder, at=at)


def test_duty__filed_before_the_act__is_met_for_as_long_as_it_is_held():
    run = Run()
    topic = Filings(FilingsState(), Register(RegisterState()), RULES.numbers)

    def told(entry):
        return [row for _, row in topic.apply(entry, goods_of(entry.body, Classifier()))]

    told(run.entry("filing", {"consignment": "C-1", "date": "2026-03-02"}, holder=SELLER))
    (duty,) = told(movement(run, SELLER, "out", BUYER, 5 * DAY))
    assert duty["filed"]
    topic.prune(T0 + FORGET_AFTER_MS + 2 * DAY)  # the filing is older than that, the movement is not
    of_seller = [
        row for row in told(movement(run, BUYER, "in", SELLER, FORGET_AFTER_MS + 2 * DAY)) if row["holder"] == SELLER
    ]
    assert [row["filed"] for row in of_seller] == [True]
    for day in (6, 7):
        topic.prune(T0 + FORGET_AFTER_MS + day * DAY)
    assert not topic._state.filed
    assert [duty.holder for duty in topic._state.duties.values()] == [BUYER]


# --- the days that the law gives -----------------------------------------------------------------------------------------

D01 = {name: text for name, text in shipped_sources().items() if name.startswith(("D01", "B02"))}
CHANGES = 64 * HOUR
"""Midnight of 2026-03-05 by the county's clock."""
CODES = {"highly_toxic": "143-33-9", "explosive_precursor": "7697-37-2", "drug_precursor_1": "299-42-3"}
CODES |= {"drug_precursor_2": "60-29-7", "drug_precursor_3": "67-64-1"}
# The catalogue has no precursor of class 1 (they are medicines' raw materials); this one stands for them.
EPHEDRINE = replace(Catalogue.load().rows("60-29-7")[0], code="299-42-3", drug_precursor_class=1)
CATALOGUE = Catalogue((*Catalogue.load().substances, EPHEDRINE))


def under(**changed):
    """D01 (and B02, which it names) under the shipped table with rows added: a name's dots are underscores here."""
    rows = {name.replace("_", "."): row for name, row in changed.items()}
    legal = {name: [*versions, *rows.get(name, ())] for name, versions in shipped_legal().items()}
    run = Run(rules=load_rules(D01, legal))
    run.fold = Fold(run.state, run.rules, CATALOGUE, IDENTITY)
    return run


def sell(run, code, at, consignment):
    body = {"direction": "out", "reason": "sale", "consignment": consignment, "lines": [line(5, code)]}
    counterparty = {"counterparty": {"type": "enterprise", "uscc": BUYER}}
    return run.put("movement", body | counterparty, holder=SELLER, at=at)


def due_day(run, entry):
    """Whole local days from the end of the act's to the deadline, and to the reminder."""
    duty = run.state.filings.duties[entry.record_id]
    end_of_act = run.fold._register.day_end_ms(
        duty.holder, duty.site, "2026-03-04" if entry.event_ms < T0 + CHANGES else "2026-03-05"
    )
    return duty.limit_days, (duty.deadline_ms - end_of_act) // DAY, (duty.remind_ms - end_of_act) // DAY


@pytest.mark.parametrize("regime", REGIMES)
def test_duty__law_changes__gives_the_days_of_the_acts_own_day(regime):
    name, lead = REGIMES[regime]
    today = int(shipped_legal()[name][0][0])
    run = under(**{name.replace(".", "_"): [("10", "2026-03-05")]})
    before, after = (sell(run, CODES[regime], at, f"C-{at}") for at in (CHANGES - 1, CHANGES))
    assert [run.state.filings.duties[entry.record_id].regime for entry in (before, after)] == [regime] * 2
    assert due_day(run, before) == (today, today, today - lead)
    assert due_day(run, after) == (10, 10, 10 - lead)


def test_duty__law_changes__deadlines_already_running_are_those_of_before():
    run = under(cn591_filing_days=[("10", "2026-03-05")])
    sell(run, "7697-37-2", CHANGES - 1, "C-1")
    sell(run, "7697-37-2", CHANGES, "C-2")
    run.restart()
    run.fold = Fold(run.state, run.rules, CATALOGUE, IDENTITY)
    said = []
    for at in (CHANGES + 5 * DAY - 1, CHANGES + 5 * DAY, CHANGES + 11 * DAY - 1, CHANGES + 11 * DAY):
        run.tick(at)
        said.append(
            [
                r.alert.reason["en"].split(" (batch")[0]
                for r in run.to.raised
                if r.alert.rule == "D01" and r.alert.band == 1
            ]
        )
    assert [len(one) for one in said] == [0, 1, 1, 2]
    assert "had 5 days" in said[-1][0] and "had 10 days" in said[-1][1]


def test_duty__law_that_leaves_less_time_than_the_reminder__reminds_on_the_day_of_the_act():
    run = under(cn591_filing_days=[("1", "2026-03-05")])
    assert due_day(run, sell(run, "7697-37-2", CHANGES, "C-1")) == (1, 1, 0)


def test_duty__goods_of_two_laws__the_one_that_is_due_first():
    run = under(cn445_filing_class23=[("2", "2026-03-05")])
    both = [line(5, "7697-37-2"), line(5, "67-64-1")]
    for at, expected in ((CHANGES - 1, ("7697-37-2", 5)), (CHANGES, ("67-64-1", 2))):
        body = {"direction": "out", "reason": "sale", "consignment": f"C-{at}", "lines": both}
        counterparty = {"counterparty": {"type": "enterprise", "uscc": BUYER}}
        duty = run.state.filings.duties[run.put("movement", body | counterparty, holder=SELLER, at=at).record_id]
        assert (duty.code, duty.limit_days) == expected


def test_set__listens_to_duties_without_the_laws_numbers__is_refused():
    without = {name: rows for name, rows in shipped_legal().items() if name != "cn445.filing.class23"}
    with pytest.raises(RuleError, match="no legal parameter cn445.filing.class23"):
        load_rules(
            {
                name: text.replace(
                    "class_23_days: {legal: cn445.filing.class23", "class_23_days: {legal: cn445.filing.class1"
                )
                for name, text in D01.items()
            },
            without,
        )
