"""What the web process needs from outside, in one frozen value. The composition root builds it after each fork.

The web process holds no log key and writes nothing but the portal's own store; everything that enters the log goes
through `submit` and `submit_batch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ledger.errors import DeskError
from ledger.model import Anchor, Appended, Finding, LeafIndex, RecordId, StoredRecord, TreeSize, UnixMs
from ledger.ports import AnchorStore, Desk, DeskDraft, EngineReader, LogReader, PortalStore

if TYPE_CHECKING:
    from ledger.rulebench.health import EngineState
    from ledger.rulebench.sheet import RuleSheet


@dataclass(frozen=True, slots=True)
class Proof:
    """How far a record's proof reaches, by the verifier's own rule (formats.md section 9).

    `checks` are lines of the verifier's output, (number, ok|FAIL|skip, name, detail), when it was really run for this
    page; empty when the level was only derived from what is stored.
    """

    level: str
    """RECEIVED, LOGGED, ANCHORED-DEV, ANCHORED, or FAILED."""
    checkpoint_size: TreeSize | None = None
    anchor: Anchor | None = None
    checks: tuple[tuple[int, str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NotReady:
    """One reason why this installation is not ready. `part` is the process or store, `detail` is for the operator."""

    part: str
    detail: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A signed-in session as its owner sees it. `session_hash` is the SHA-256 of the cookie's value, hex."""

    session_hash: str
    created: UnixMs
    last_seen: UnixMs
    expires: UnixMs


class Catalogue(Protocol):
    """Names of substances and goods, for people."""

    def names(self, code: str) -> dict[str, str] | None:
        """{"zh": …, "en": …} of a CAS number or catalogue code, or None when the catalogue has it not."""

    def find(self, text: str, limit: int) -> Sequence[str]:
        """Codes whose names, aliases or number match what a person typed; best first."""


class Bundler(Protocol):
    """Makes the one file that an auditor verifies (formats.md section 7)."""

    def __call__(self, record_id: RecordId, *, disclosures: bool) -> bytes:
        """NotFoundError when unknown; StoreError or ChainError's family when it cannot be made now."""


def _always_ready() -> Sequence[NotReady]:
    return ()


def _no_chain() -> dict[str, Any]:
    return {}


class _NoDesk:
    """An installation without supervisors' keys."""

    def unlock(self, _session: str, _name: str, _password: str) -> str:
        raise DeskError("supervisors' keys are not set up here", code="no-supervisor-key")

    def lock(self, session: str) -> None: ...

    def touch(self, _session: str) -> bool:
        return False

    def rekey(self, name: str, old: str, new: str) -> None: ...

    def sign_and_append(self, _session: str, _drafts: Sequence[DeskDraft], *, confirmed: bool) -> list[Appended]:
        raise DeskError(f"supervisors' keys are not set up here ({confirmed=})", code="no-supervisor-key")


def _no_sessions(_username: str) -> Sequence[SessionRow]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Ports and callables of one web process. Everything may be called from several threads at once."""

    log: LogReader
    engine: EngineReader
    anchors: AnchorStore
    portal: PortalStore
    submit: Callable[[bytes, str], Appended]
    """(body, media type without parameters) → Appended. Durable on return; raises LedgerError's family. A refusal note
    that was made is the error's attribute `refusal` (bytes)."""
    submit_batch: Callable[[list[bytes]], Sequence[Appended | Exception]]
    """One answer a line, in order; raises only what concerns all lines (OverloadedError, StoreError)."""
    precheck: Callable[[bytes], Sequence[Finding]]
    """An unsigned payload → what would be found. Nothing is kept."""
    bundle: Bundler
    proof: Callable[[StoredRecord], Proof]
    """The level shown on a record's own page: the verifier is run on a fresh bundle."""
    level: Callable[[LeafIndex], str]
    """The level shown in lists, where running the verifier on each row would be too dear: from stored checkpoints and
    anchors only."""
    catalogue: Catalogue
    trust: bytes
    """The trust file's exact bytes (formats.md section 8)."""
    clock: Callable[[], UnixMs]
    secret_key: bytes = field(repr=False)
    """At least 32 bytes, the same in every worker: CSRF tokens are made with it."""
    readiness: Callable[[], Sequence[NotReady]] = _always_ready
    chain_status: Callable[[], dict[str, Any]] = _no_chain
    """Chain.status() or what the anchor process last wrote down; never raises."""
    sequencer_status: Callable[[], dict[str, Any]] = _no_chain
    """Appender.status(); may raise OverloadedError."""
    desk: Desk = field(default_factory=_NoDesk)
    """Supervisors' keys, behind the sequencer's socket."""
    sessions_of: Callable[[str], Sequence[SessionRow]] = _no_sessions
    """Sessions of an account that are neither revoked nor past their end."""
    notice: dict[str, str] | None = None
    """{"zh": …, "en": …}: said on every page where data is simulated, and from what; None when nothing is."""
    verify_arguments: str = ""
    """What follows `--trust trust.json` in the command shown on a record's page, e.g. `--rpc http://127.0.0.1:8545`."""
    rule_titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """{"zh": …, "en": …} by rule id."""
    rule_numbers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By rule id and input: "amount" or "span", where a bare number would say nothing."""
    rules: Callable[[], tuple[EngineState, Sequence[RuleSheet]]] | None = None
    """How each rule in force does, and what its file says. None: this installation has no engine to ask."""
    timezone: str = "Asia/Shanghai"
    """IANA name; all times on pages are shown in it."""
    https: bool = False
    """True when the portal is reached by https: the session cookie then is Secure."""
    max_streams: int = 8
    """Live streams one worker serves at once; each holds one thread, so keep it well below the worker's threads."""
    poll_ms: int = 250
    """How often the one reader of a worker looks for new alerts while somebody listens."""
