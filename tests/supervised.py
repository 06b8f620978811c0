"""A small real log with a supervisor: a key that a password opens, the signing desk, the engine, one or more alerts."""

from __future__ import annotations

from pathlib import Path

from ledger import flow
from ledger.adapters.keystore.desk import DeskKeyFiles
from ledger.adapters.keystore.signing import create_key
from ledger.catalogue import Catalogue
from ledger.core.submission import SUBMISSION_TYPE
from ledger.core.times import format_utc
from ledger import evaluate
from ledger.engine.parameters import read_legal_params
from ledger.engine.rules import RuleSet, load_rules
from ledger.evaluate import Evaluator, Platform
from ledger.handling import Handler
from ledger.model import Role, UnixMs
from ledger.signdesk import SigningDesk
from tests import kit

NAME = "supervisor"
PASSWORD = "violet tram under seven bridges"
SESSION = "5" * 64
HOUR = 3_600_000
DAY = 24 * HOUR
SHIPPED = Path(evaluate.__file__).parent


def some_rules(*ids: str) -> RuleSet:
    """The shipped rules of these ids, without the others."""
    files = [path for path in (SHIPPED / "rules").glob("*.yml") if path.name.partition("-")[0] in ids]
    legal = read_legal_params((SHIPPED / "catalogue" / "legal_params.csv").read_text(encoding="utf-8"))
    return load_rules({path.name: path.read_text(encoding="utf-8") for path in files}, legal)


RULES = some_rules("A01", "A02")


def line(kg, code="7697-37-2"):
    return {"goods": "chemical", "code": code, "quantity": {"value": str(kg), "unit": "KGM"}, "store": "R1"}


class Seconds:
    """A monotonic clock that stands still."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def a_key(directory: Path, name=NAME, password=PASSWORD):
    """A key file cheap to open."""
    (directory / "desk").mkdir(parents=True, exist_ok=True)
    return create_key(directory / "desk" / f"{name}.key", "Ed25519", password, scrypt_n=2)


class Supervised:
    """`log` with one enterprise whose stock went below nothing: one critical alert of rule A01 for each book."""

    def __init__(self, state: Path, *, books: int = 1, enrolled: bool = True, store=None, log=None):
        self.log = log or kit.Log(state)
        self.state = state
        self.seconds = Seconds()
        signer = a_key(state)
        if enrolled:
            self.log.grant(signer, NAME, "", Role.SUPERVISOR)
        self.desk = SigningDesk(
            self.log.sequencer,
            DeskKeyFiles(state / "desk"),
            flow.Directory(self.log.stores.log),
            origin=kit.ORIGIN,
            clock_s=self.seconds,
        )
        self.store = store or self.log.stores.engine
        self.enterprise = self.log.enterprise(n=9)
        self.evaluator = self.engine()
        self.books = [self.negative(f"b{n}") for n in range(books)]
        self.fold()

    def negative(self, book: str) -> kit.Book:
        """A book from which more went out than was ever there."""
        made = kit.Book(self.enterprise.key, self.enterprise.holder, book=book)
        at = int(self.log.clock())
        counted = {"cut_off": format_utc(UnixMs(at)), "complete": True, "lines": [line(100)]}
        self.put(made, "stocktake", counted, at)
        self.out(made, 150)
        return made

    def out(self, book: kit.Book, kg) -> None:
        body = {"direction": "out", "reason": "consumption", "lines": [line(kg)]}
        self.put(book, "movement", body, int(self.log.clock()))

    def come(self, book: kit.Book, kg) -> None:
        body = {"direction": "in", "reason": "found", "lines": [line(kg)]}
        self.put(book, "movement", body, int(self.log.clock()))

    def put(self, book: kit.Book, kind: str, body: dict, at: int) -> str:
        return self.log.submit(book.next(kind, body=body, event_time=format_utc(UnixMs(at)))).receipt.record_id

    def engine(self) -> Evaluator:
        """The engine's next start."""
        door = flow.Door(kit.ORIGIN, flow.Directory(self.log.stores.log), self.log.stores.log, self.log.sequencer)
        return Evaluator(
            log_reader=self.log.stores.log,
            store=self.store,
            appender=self.log.sequencer,
            admit=lambda raw: flow.checked(raw, SUBMISSION_TYPE, door),
            rules=RULES,
            classifier=Catalogue.load(),
            platform=Platform(kit.ISSUER, self.log.platform.keyid),
            clock=self.log.clock,
        )

    def fold(self) -> None:
        while self.evaluator.evaluate_once() or self.evaluator.status()["lag"]:
            pass

    def later(self, ms: int) -> None:
        """Time passes, a tick is written, the engine folds it."""
        self.log.clock.now = UnixMs(self.log.clock.now + ms)
        self.log.sequencer.tick(UnixMs(0))
        self.fold()

    def unlock(self, session=SESSION) -> None:
        self.desk.unlock(session, NAME, PASSWORD)

    def handler(self) -> Handler:
        """A handler whose waiting is what lets the engine go on."""
        return Handler(self.store, self.desk, self.log.clock, sleep=lambda _: self.fold())

    def alerts(self) -> list[str]:
        """The alert ids of all episodes, oldest first."""
        return [alert.alert_id for _, alert in self.store.alerts(limit=1000) if "first_alert" not in alert.extra]

    def life(self, alert_id: str):
        return self.store.lives([self.store.alert(alert_id)])[alert_id]

    def close(self) -> None:
        self.log.close()
