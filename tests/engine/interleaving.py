"""Books in other interleavings, and what "the same set of findings" means.

Compared are (rule, fingerprint, window, band); ids, late marks and revisions aside.

- Of what *happened* (`engine.courses`): the episodes whose marks stand, with their first and last moment and worst band. They
  follow from the records alone.
- Of how things *stand* (`engine.levels`): what holds when all books have come and the deadlines have run out, with its band.
  engine.md has deadlines and absence measured by received time, and an alert on them says: this is so now. Between two records
  of books that come a week late such an alert may be said of what was over long ago. It is not held back, for nobody knows then
  that the cure is on its way, and a critical one is not to wait. When the cure comes and had happened before the alert was
  said, the alert is *taken back*: a step of its life names the late record (`Life.taken_back`, `Life.stands`). What had really
  ended later than it was said has recovered, and was rightly said.

So the set is what was *said and not taken back*, and that is what stands: `said` reads it from the effects alone, as a
supervisor sees it, and both are compared.
"""

from collections import defaultdict, deque
from dataclasses import dataclass
from dataclasses import replace as with_fields

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
SOON = 120_000
"""By then movements that papers came late for have been judged again."""


@dataclass(frozen=True)
class Outcome:
    """What one order of the records led to."""

    happened: frozenset
    """(rule, fingerprint, first moment, last moment, band)."""
    standing: frozenset
    """(rule, fingerprint, band)."""
    said: dict
    """(rule, fingerprint) -> worst band that was said and not taken back."""

    @property
    def findings(self):
        return self.happened, self.standing

    @property
    def stands(self):
        """`said`, as it should be."""
        worst = {}
        for rule, name, *_, band in (*self.happened, *self.standing):
            worst[rule, name] = min(band, worst.get((rule, name), band))
        return worst


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


def outcome(rules, entries, base):
    """Fold these records, a second apart from `base` on, and forty days of ticks after them."""
    state, to, by_id, seqs = FoldState(), Effects(), {}, defaultdict(int)
    fold = Fold(state, rules, CATALOGUE, IDENTITY)
    for n, entry in enumerate(entries):
        seqs[books_of(entry)] += 1
        made = replace(entry, index=n, seq=seqs[books_of(entry)], received_ms=base + n * 1000, before=None)
        by_id[entry.record_id] = made
        fold.step(fold.with_before(made, by_id.get), to)
    now, n = base + len(entries) * 1000, len(entries)
    happened = None
    while (due := fold.next_due()) is not None and due <= base + 40 * DAY:
        if happened is None and due > now + SOON:
            happened = _happened(state)  # later it is forgotten, as nothing can touch it any more
        now, n = max(now + 1, due), n + 1
        tick = {"kind": "tick", "body": {"now": now, "facts": "0" * 64}, "received_ms": now, "event_ms": now}
        fold.step(replace(entries[0], index=n - 1, record_id=f"{n:064x}", book="ticks", is_authority=True, **tick), to)
    assert not [name for name, health in state.health.items() if health.error]
    standing = {
        (rule, name, one.band)
        for rule, of in state.pending.items()
        for name, one in of.items()
        if one.active and rule not in APART
    }
    return Outcome(_happened(state) if happened is None else happened, frozenset(standing), _said(state, to))


def _happened(state):
    return frozenset(
        (rule, name, one.start, one.end, one.band)
        for rule, courses in state.courses.items()
        for name, course in courses.items()
        for one in course.episodes
        if one.band >= 0 and rule not in APART
    )


def _said(state, to):
    bands = {}
    for raised in to.raised:
        episode = state.life.revisions.get(raised.alert.alert_id, raised.alert.alert_id)
        bands[episode] = min(raised.alert.band, bands.get(episode, raised.alert.band))
    said = {}
    for episode, band in bands.items():
        life = state.life.lives[episode]
        if life.rule in APART or (life.taken_back and life.stands_band < 0):
            continue
        at, stands = (life.rule, life.name.partition("\x1f")[2]), life.stands_band if life.taken_back else band
        said[at] = min(stands, said.get(at, stands))
    return said


def alone(rule):
    """The rule set of one rule; one in shadow, too, is to be heard."""
    return with_fields(RULES, rules=(with_fields(rule, status="live"),))


def scripts():
    """(rule, test's name, entries) of every rule's own tests that a fold of records can tell."""
    for rule in RULES.rules:
        for located in rule.tests if rule.id not in APART else ():
            top = located.mapping("name about events expect", "clock")
            clock = unix_ms(top["clock"].text()) if "clock" in top else unix_ms(CLOCK)
            script = read_script(top["events"].items(), clock)
            yield rule, top["name"].text(), [e for e in script if e is not None and e.kind not in ("tick", "alert")]


def grants_of(entries):
    """E08 and B02 ask whether an enterprise is known here; it is by its grant, which the scripts do without."""
    known = sorted({entry.holder for entry in entries if not entry.is_authority})
    grant = {"kind": "grant", "holder": "police.test", "book": "desk", "is_authority": True, "before": None}
    return [
        replace(entries[0], record_id=f"{n:x}".rjust(64, "f"), body={"holder": holder, "role": 1}, **grant)
        for n, holder in enumerate(known)
    ]
