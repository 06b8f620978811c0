"""What single rules cost: each one's back-test, and an entry against the number of rules and of holders."""

from __future__ import annotations

import heapq
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from ledger.catalogue import Catalogue
from ledger.cli.rules.common import folding
from ledger.core.ids import credit_code_for
from ledger.engine.alerts import Effects, Identity
from ledger.engine.fold import Fold
from ledger.engine.inputs import Input, parse_input
from ledger.engine.rules import RuleSet
from ledger.engine.state import FoldState
from ledger.model import LeafIndex
from ledger.ports import LogReader
from ledger.rulebench.backtest import BackTest
from tests.bench.report import Report
from tests.fakes_engine import ISSUER, KEYID
from tests.scenario import clock
from tests.scenario.drafts import Draft
from tests.scenario.stream import Inputs
from tests.scenario.world import World

BACKTEST_PER_S = 10_000
RULES = (0, 15, 30, 61)
HOLDERS = (50, 332, 1000)
DAYS = (5, 7)
TICK_MS = 10 * clock.MINUTE
BATCH = 500


def backtests(report: Report, log: LogReader, rules: RuleSet, classifier: Catalogue) -> None:
    """Every rule over the whole log, by CPU seconds, reading included: a back-test is one process on one core."""
    size, rates = int(log.size()), {}
    for rule in rules.rules:
        test = BackTest(log, rules, rule.id, classifier, start=0, end=size)
        with folding():
            started = time.process_time()
            test.run()
            rates[rule.id] = size / (time.process_time() - started)
    slow = sorted((rate, rule) for rule, rate in rates.items() if rate < BACKTEST_PER_S)
    verdict = "reached by all" if not slow else f"NOT reached by {len(slow)} of {len(rates)}"
    report.add(
        f"back-test of one rule, median of {len(rates)}",
        median(rates.values()),
        "entries/CPU s",
        f"target >= {BACKTEST_PER_S:,}: {verdict}",
    )
    slowest = min(rates, key=rates.__getitem__)
    report.add(f"  the slowest, {slowest}", rates[slowest], "entries/CPU s")
    if slow:
        report.add("  rules below", len(slow), "rules", " ".join(f"{rule} {rate:,.0f}" for rate, rule in slow))


def by_rules(report: Report, log: LogReader, rules: RuleSet, classifier: Catalogue) -> None:
    """Cost of an entry in memory, parsed already, by how many rules listen. What topics remember is made all the same."""
    size = int(log.size())
    facts = log.facts(LeafIndex(0), LeafIndex(size))
    found: dict[str, Input] = {}
    for start in range(0, size, 1000):
        for record in log.records(LeafIndex(start), 1000):
            found[record.record_id] = parse_input(record, facts.get(record.index))
    inputs = list(found.values())
    for count in sorted({min(n, len(rules.rules)) for n in RULES}):
        # Spread over the pack: neighbours in it are of one kind.
        some = tuple(rules.rules[at * len(rules.rules) // count] for at in range(count))
        cost = _cost_us(inputs, replace(rules, rules=some), classifier, found)
        report.add(f"an entry folded in memory, {count} rules", cost, "CPU us", f"{1e6 / cost:,.0f} entries/s")


def by_keys(report: Report, rules: RuleSet, classifier: Catalogue) -> None:
    """Cost of an entry by how many holders there are, every rule listening: the same days for each, after the same time."""
    for holders in HOLDERS:
        numbered, inputs, before = Inputs(), list[Input](), 0
        last = clock.START_MS
        for draft in crowd(holders):
            if draft.received_ms < clock.day_start(DAYS[0]):
                before = len(inputs) + 1
            elif draft.received_ms >= clock.day_start(DAYS[1]):
                break
            while last + TICK_MS <= draft.received_ms:
                last += TICK_MS
                inputs.append(numbered.tick(last))
            inputs.append(numbered.numbered(draft))
        cost = _cost_us(inputs, rules, classifier, numbered, measured_from=before)
        measured = f"{len(inputs) - before:,} entries of two days, after {before:,}"
        report.add(f"an entry folded in memory, {holders:,} holders", cost, "CPU us", measured)


def _cost_us(
    inputs: Sequence[Input],
    rules: RuleSet,
    classifier: Catalogue,
    known: dict[str, Input] | Inputs,
    *,
    measured_from: int = 0,
) -> float:
    """Mean CPU microseconds of an entry."""
    find = known.get if isinstance(known, dict) else known.find
    fold, to = Fold(FoldState(), rules, classifier, Identity("l", ISSUER, KEYID, rules.digest)), Effects()
    with folding():
        started = time.process_time()
        for at, entry in enumerate(inputs):
            if at == measured_from:
                started = time.process_time()
            if at % BATCH == 0:
                to = Effects()
            fold.step(fold.with_before(entry, find), to)
        return 1e6 * (time.process_time() - started) / max(len(inputs) - measured_from, 1)


def crowd(holders: int) -> Iterator[Draft]:
    """The scenario without planted cases, of so many holders, who are taken from as many counties as that takes.

    Who trades with somebody who was not taken trades with an outsider.
    """
    codes: list[str] = []
    counties: list[Iterator[Draft]] = []
    while len(codes) < holders:
        world = World(1 + len(counties), plants=False)
        own = {code: _code(len(counties), at, code) for at, code in enumerate(_holders(world))}
        codes += own.values()
        counties.append(_renamed(world, own))
    chosen = {codes[at * len(codes) // holders] for at in range(holders)}
    for draft in heapq.merge(*counties, key=lambda draft: draft.received_ms):
        if (draft.body["holder"] if draft.authority and "holder" in draft.body else draft.holder) in chosen:
            yield draft


def _holders(world: World) -> list[str]:
    return [one.holder for one in (*world.cast.enterprises, *world.shops, world.rental)]


def _code(county: int, at: int, code: str) -> str:
    """The first county's holders bear their own codes, the others' new ones: every world has the same."""
    return code if county == 0 else credit_code_for(f"9111{county:04d}{at:09d}")


def _renamed(world: World, codes: dict[str, str]) -> Iterator[Draft]:
    named = re.compile("|".join(codes))
    for draft in world.drafts():
        for one in (draft, draft.before):
            if one is not None:
                one.holder = codes.get(one.holder, one.holder)
                one.body = json.loads(named.sub(lambda found: codes[found[0]], json.dumps(one.body)))
        yield draft
