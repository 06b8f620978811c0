"""All topics and their subjects. A new topic: its module in `topics/`, its state's field in `FoldState`, its places here.

Not to be confused with `register`, which is what is known of enterprises, sites and persons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledger.catalogue.restricted import RestrictedSets
from ledger.engine.books import Books
from ledger.engine.parameters import Parameter
from ledger.engine.register import Register
from ledger.engine.state import FoldState
from ledger.engine.subjects import Subject
from ledger.engine.topics.accountancy import Accountancy
from ledger.engine.topics.allowances import Allowances
from ledger.engine.topics.base import Topic
from ledger.engine.topics.closures import Closures
from ledger.engine.topics.combinations import Combinations
from ledger.engine.topics.custody import Custody
from ledger.engine.topics.dealings import Dealings
from ledger.engine.topics.discipline import Discipline
from ledger.engine.topics.filings import Filings
from ledger.engine.topics.flows import Flows
from ledger.engine.topics.habits import Habits
from ledger.engine.topics.handling import Handling
from ledger.engine.topics.identities import Identities
from ledger.engine.topics.incidents import Incidents
from ledger.engine.topics.knives import Knives
from ledger.engine.topics.licences import Licences
from ledger.engine.topics.linked import Linked
from ledger.engine.topics.links import Links
from ledger.engine.topics.movements import Movements
from ledger.engine.topics.processes import Processes
from ledger.engine.topics.purchases import Purchases
from ledger.engine.topics.refusals import Refusals
from ledger.engine.topics.rental import Rental
from ledger.engine.topics.roster import Roster
from ledger.engine.topics.runs import Runs
from ledger.engine.topics.stock import Stock
from ledger.engine.topics.stocktaking import Stocktaking
from ledger.engine.topics.storage import Storage
from ledger.engine.topics.transfers import Transfers
from ledger.engine.topics.uploads import Uploads

TOPICS: tuple[type[Topic], ...] = (
    Movements,
    Accountancy,
    Stocktaking,
    Licences,
    Stock,
    Transfers,
    Allowances,
    Processes,
    Refusals,
    Filings,
    Flows,
    Incidents,
    Closures,
    Storage,
    Discipline,
    Dealings,
    Custody,
    Identities,
    Roster,
    Links,
    Knives,
    Rental,
    Linked,
    Purchases,
    Combinations,
    Runs,
    Uploads,
    Handling,
)
"""In the order in which they see a record; `build_topics` makes them in the same."""

NEEDS: dict[type[Topic], tuple[type[Topic], ...]] = {
    Stock: (Licences,),
    Stocktaking: (Accountancy,),
    Allowances: (Licences,),
    Closures: (Stock,),
    Storage: (Stock, Licences),
    Discipline: (Stock,),
    Purchases: (Linked, Licences),
    Combinations: (Linked,),
}
"""What a topic reads that another one keeps."""

SUBJECTS: dict[str, Subject] = {subject.name: subject for topic in TOPICS for subject in topic.subjects}
"""Everything that a rule can listen to, by name."""

LEGAL: dict[str, tuple[str, ...]] = {
    subject.name: topic.legal for topic in TOPICS for subject in topic.subjects if topic.legal
}
"""The legal parameters that rows of a subject follow from, where they follow from any."""

ASKED: dict[str, tuple[str, ...]] = {
    subject.name: topic.asks for topic in TOPICS for subject in topic.subjects if topic.asks
}
"""The parameters, by name, of rules that listen to a subject which its rows follow from."""


def topics_for(subjects: Iterable[str]) -> frozenset[type[Topic]]:
    """The topics that rows of these subjects come from, and those that they read of."""
    wanted, found = set(subjects), set[type[Topic]]()
    waiting = [topic for topic in TOPICS for subject in topic.subjects if subject.name in wanted]
    while waiting:
        topic = waiting.pop()
        if topic not in found:
            found.add(topic)
            waiting.extend(NEEDS.get(topic, ()))
    return frozenset(found)


def build_topics(
    state: FoldState, register: Register, sets: RestrictedSets, numbers: Mapping[str, Parameter]
) -> tuple[Topic, ...]:
    """One of each, on this state, in the order of TOPICS. `numbers`: those in LEGAL and ASKED, as the set has them."""
    books = Books(state)
    licences = Licences(state.licences, register)
    linked = Linked(state.linked)
    return (
        Movements(),
        Accountancy(state.accountancy, register),
        Stocktaking(state.stocktaking, state.accountancy, register),
        licences,
        Stock(books, register, licences, numbers),
        Transfers(state.transfers, register),
        Allowances(state.allowances, licences),
        Processes(state.processes),
        Refusals(state.refusals),
        Filings(state.filings, register, numbers),
        Flows(state.flows, register),
        Incidents(),
        Closures(state.closures, register, books.has_stock),
        Storage(state.storage, register, books, licences),
        Discipline(state.discipline, register, books.is_short, books.in_stock),
        Dealings(register),
        Custody(state.custody, register),
        Identities(state.identities),
        Roster(state.roster),
        Links(state.links, register),
        Knives(),
        Rental(state.rental),
        linked,
        Purchases(state.purchases, register, Habits(state.habits, register, linked, licences)),
        Combinations(state.combinations, register, linked, sets),
        Runs(state.runs),
        Uploads(register),
        Handling(state.handling, state.life),
    )
