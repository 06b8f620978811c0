"""`ledger.cli.wsgi:build()`: the composition of one gunicorn worker. It opens everything after the fork and holds no log key."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ledger import config as configuration
from ledger import faults, flow
from ledger.catalogue import Catalogue
from ledger.cli.compose import Installation, wall_clock_ms
from ledger.cli.processes import STATUS_FILE, engine_said, settle_memory
from ledger.cli.rpc import RpcChainView
from ledger.core.addresses import shown_address
from ledger.core.trust import DEVELOPMENT
from ledger.core.verification import Level
from ledger.errors import LedgerError, NotFoundError, StoreError
from ledger.findings import findings
from ledger.model import Finding, LeafIndex, Payload, RecordId, StoredRecord
from ledger.places import Places, check_stores, stores_of
from ledger.receive import prechecked
from ledger.ruletitles import rule_numbers, rule_titles
from webapp import create_app
from webapp.services import NotReady, Proof, Services, SessionRow

if TYPE_CHECKING:
    from ledger.follow import Sets
    from ledger.rulebench.health import EngineState
    from ledger.rulebench.sheet import RuleSheet

DAY_MS = 86_400_000
# The anchor worker writes its status every second; older than this it is not running.
STATUS_STALE_MS = 15_000
# No checkpoint for so long while the log grows: the sequencer is not signing.
CHECKPOINT_STALE_MS = 30_000


class _Worker:
    """Everything the pages and calls of one worker ask for."""

    def __init__(self, config: configuration.Config) -> None:
        self.config = config
        self.here = Installation(config)
        self.log = self.here.stores.log
        self.anchors = self.here.stores.anchor
        self.catalogue = _Names(Catalogue.load())
        self._places, self._places_turn = Places(), threading.Lock()
        self._views: dict[str, RpcChainView] = {}
        self._sets: Sets | None = None
        self._sheets: dict[tuple[str, int], Sequence[RuleSheet]] = {}
        self._rules_turn = threading.Lock()
        self.door = flow.Door(
            config.origin, flow.Directory(self.log), self.log, self.here.appender, findings=self.findings
        )

    def findings(self, payload: Payload) -> Sequence[Finding]:
        """The door's findings on a well-formed payload."""
        return findings(payload, catalogue=self.catalogue.catalogue, received=wall_clock_ms())

    @cached_property
    def chain(self) -> Any:
        """Built at the first bundle: web3 takes a second to import."""
        return self.here.chain()

    @property
    def view(self) -> RpcChainView:
        """The endpoint that our own verification asks: of several the one that answered last."""
        url: str = self.chain.rpc.endpoint
        return self._views.setdefault(url, RpcChainView(url))

    def bundle(self, record_id: RecordId, *, disclosures: bool) -> bytes:
        """The bundle, verified before it leaves; one that our own verifier cannot read never leaves."""
        data, verdict = self._prove(record_id, disclosures=disclosures)
        if any(check.number in (1, 6, 7, 8) for check in verdict.failed):
            raise StoreError(f"this bundle fails our own verification: {verdict.verdict_line}", code="bundle-refused")
        return data

    def _prove(self, record_id: RecordId, *, disclosures: bool) -> tuple[bytes, Any]:
        return flow.bundle(
            record_id,
            log=self.log,
            anchors=self.anchors,
            trust=self.here.trust,
            chain=self.chain,
            view=self.view,
            disclosures=disclosures,
            now=wall_clock_ms(),
        )

    def proof(self, record: StoredRecord) -> Proof:
        """The verifier's own word on a fresh bundle; what is merely stored when none can be made now."""
        try:
            _, verdict = self._prove(record.record_id, disclosures=False)
        except (NotFoundError, StoreError):
            return Proof(level=self.level(record.index))
        except LedgerError as error:
            return Proof(level="FAILED", checks=((getattr(error, "check", 0), "FAIL", error.code, error.detail),))
        checkpoint = self.log.latest_checkpoint()
        return Proof(
            level="FAILED" if verdict.failed else verdict.level.label,
            checkpoint_size=checkpoint.size if checkpoint else None,
            anchor=self.anchors.anchor_covering(record.index),
            checks=tuple((c.number, c.status, c.name, c.detail) for c in verdict.checks),
        )

    def level(self, index: LeafIndex) -> str:
        """From stored checkpoints and anchors only."""
        if self.anchors.anchor_covering(index) is not None:
            development = self.config.chain.kind == DEVELOPMENT
            return (Level.ANCHORED_DEV if development else Level.ANCHORED).label
        checkpoint = self.log.latest_checkpoint()
        return (Level.LOGGED if checkpoint and checkpoint.size > index else Level.RECEIVED).label

    def precheck(self, payload: bytes) -> Sequence[Finding]:
        """What the door would find, `store-not-bound` among its refusals; nothing is kept."""
        asked = prechecked(payload)
        stores = stores_of(asked.kind, asked.body)
        if stores:
            with self._places_turn:
                self._places.catch_up(self.log)
                bindings = self._places.of(asked.holder)
            check_stores(
                stores,
                kind=asked.kind,
                site=asked.site,
                book=asked.book,
                bindings=bindings,
                corrected=lambda: self.log.record_by_id(RecordId(asked.body["corrects"])),
            )
        return self.findings(asked)

    def chain_status(self) -> dict[str, Any]:
        """What the anchor worker last wrote down, with its age."""
        path = self.config.state_dir / "run" / STATUS_FILE
        try:
            status: dict[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {"error": "the anchor process has not reported yet"}
        return status

    def readiness(self) -> list[NotReady]:
        """Why this installation cannot do its whole work now; empty when it can."""
        found = []
        try:
            status = self.here.appender.status()
            if status["rollback"]:
                found.append(NotReady("sequencer", status["rollback"]))
            if status["signing_waits_for"]:
                found.append(NotReady("sequencer", f"signing waits for {status['signing_waits_for']}"))
            elif status["size"] > status["checkpoint_size"] and self._waits_too_long(
                LeafIndex(status["checkpoint_size"])
            ):
                found.append(NotReady("sequencer", "records wait for a checkpoint and none is signed; see its log"))
        except LedgerError as error:
            found.append(NotReady("sequencer", error.detail))
        chain = self.chain_status()
        if chain.get("error"):
            found.append(NotReady("anchor", str(chain["error"])))
        elif wall_clock_ms() - int(chain.get("as_of_ms", 0)) > STATUS_STALE_MS:
            found.append(NotReady("anchor", "the anchor process does not report any more"))
        return found

    def _waits_too_long(self, first: LeafIndex) -> bool:
        """Whether the first record that no checkpoint covers came longer ago than a signature takes."""
        record = self.log.record(first)
        return record is not None and wall_clock_ms() - record.received > CHECKPOINT_STALE_MS

    def rules(self) -> tuple[EngineState, Sequence[RuleSheet]]:
        """How each rule does, and what its file says. The engine's code is loaded by the first who asks: most workers never do."""
        from ledger.follow import Sets  # noqa: PLC0415
        from ledger.rulebench.explain import set_at  # noqa: PLC0415
        from ledger.rulebench.health import health  # noqa: PLC0415
        from ledger.rulebench.sheet import sheets  # noqa: PLC0415

        engine, now = self.here.stores.engine, wall_clock_ms()
        with self._rules_turn:
            if self._sets is None:
                self._sets = Sets(self.here.rules(), engine.extra)
            in_force = set_at(self.log, self._sets, int(engine.cursor()))
            asked = (in_force.digest, now // DAY_MS)
            if asked not in self._sheets:
                self._sheets = {asked: sheets(in_force, now)}
            found = self._sheets[asked]
        return health(self.log, engine, in_force, engine_said(self.config.state_dir), now), found

    def sessions_of(self, username: str) -> list[SessionRow]:
        """Sessions that are neither revoked nor past their end."""
        return [SessionRow(*row) for row in self.here.stores.portal.sessions_of(username, wall_clock_ms())]


class _Names:
    """webapp.services.Catalogue over ledger.catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def names(self, code: str) -> dict[str, str] | None:
        return self.catalogue.names(code) if self.catalogue.rows(code) else None

    def find(self, text: str, limit: int) -> list[str]:
        return list(dict.fromkeys(row.code for row in self.catalogue.search(text, limit=limit)))


def build() -> Callable[..., Iterable[bytes]]:
    """One worker's application, from HAZLEDGER_STATE."""
    faults.arm(configuration.faults_dir_from_environment())
    worker = _Worker(configuration.load(configuration.state_dir_from_environment()))
    config, here = worker.config, worker.here
    secret = (config.state_dir / "secrets" / "web").read_bytes().strip()
    app = create_app(
        Services(
            log=worker.log,
            engine=here.stores.engine,
            anchors=worker.anchors,
            portal=here.stores.portal,
            submit=lambda body, media_type: flow.submit(body, media_type, worker.door),
            submit_batch=lambda lines: flow.submit_batch(lines, worker.door),
            precheck=worker.precheck,
            bundle=worker.bundle,
            proof=worker.proof,
            level=worker.level,
            catalogue=worker.catalogue,
            trust=here.trust_bytes,
            clock=wall_clock_ms,
            secret_key=secret,
            readiness=worker.readiness,
            chain_status=worker.chain_status,
            sequencer_status=here.appender.status,
            desk=here.appender,
            sessions_of=worker.sessions_of,
            notice=_notice(config),
            verify_arguments=f"--rpc {shown_address(config.chain.endpoints[0])}",
            rules=worker.rules,
            rule_titles=rule_titles(),
            rule_numbers=rule_numbers(),
            timezone=config.timezone,
            https=config.http.https,
            # A stream holds its thread: however few there are, half of them answer everybody else.
            max_streams=max(1, config.http.threads // 2),
        )
    )
    settle_memory()
    return app


def _notice(config: configuration.Config) -> dict[str, str] | None:
    if not config.simulated:
        return None
    from ledger.demo import SIMULATED  # noqa: PLC0415 - only a demo installation has the demo's data

    return SIMULATED
