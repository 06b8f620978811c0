"""The world pushed through the real door, sequencer and engine, once for all tests that only look."""

from itertools import islice

import pytest

from ledger.catalogue import Catalogue
from ledger.core.keys import keyid_of
from ledger.demo.world import World
from ledger.errors import LedgerError
from ledger.evaluate import Evaluator, Platform, shipped_rules
from tests.kit import ISSUER, ORIGIN, Log

SEED = 7
ITEMS = 500


class Key:
    def __init__(self, spki):
        self.spki, self.keyid = spki, keyid_of(spki)


class Pushed:
    """A world, a log, an engine; what was sent and what came back."""

    def __init__(self, path):
        self.log = Log(path / "log")
        self.world = World(SEED, path / "world", log=ORIGIN, clock=self.log.clock)
        for e in self.world.enrolments():
            self.log.grant(Key(e.spki), e.holder, e.scope, e.role)
        self.evaluator = Evaluator(
            log_reader=self.log.stores.log,
            store=self.log.stores.engine,
            appender=self.log.sequencer,
            admit=lambda envelope: self.log.sequencer._own(envelope),
            rules=shipped_rules(),
            classifier=Catalogue.load(),
            platform=Platform(ISSUER, self.log.platform.keyid),
            clock=self.log.clock,
        )
        self.sent, self.answers = [], []
        self.opening = list(self.world.opening())
        self.opened = [
            answer for at in range(0, len(self.opening), 200) for answer in self.log.batch(self.opening[at : at + 200])
        ]
        self.world.opening_delivered()

    def push(self, count):
        for item in islice(self.world.stream(), count):
            self.sent.append(item)
            self.answers.append(self.answer(item))
            self.world.delivered(item)

    def answer(self, item):
        try:
            return "repeat" if self.log.submit(item.submission).repeat else "accepted"
        except LedgerError as error:
            return error.code

    def evaluate(self):
        while self.evaluator.evaluate_once():
            pass
        return [alert for _, alert in self.log.stores.engine.alerts(limit=10_000)]


@pytest.fixture(scope="session")
def pushed(tmp_path_factory):
    pushed = Pushed(tmp_path_factory.mktemp("world"))
    pushed.push(ITEMS)
    # The world makes some turns ahead; take them too, so that its state is what was sent.
    while pushed.sent[-1].n + 1 < pushed.world.state.items:
        pushed.push(1)
    pushed.alerts = pushed.evaluate()
    yield pushed
    pushed.log.close()
    pushed.world.close()
