"""The life of a record, written once. One module of `ledger` per stage; what each leaves behind, its docstring says.

| stage | one turn of it | in the process |
| --- | --- | --- |
| receive, authenticate | `submit`, `submit_batch`, `checked` | web, a call |
| append | `Sequencer.append` (ledger/sequencer.py), behind its socket | sequencer, a group commit |
| evaluate | `Evaluator.evaluate_once` (ledger/evaluate.py) | engine, as the log grows |
| checkpoint | `Sequencer.checkpoint_once` | sequencer, every `checkpoint_every_s` |
| anchor | `anchor_once`; between two, `mirror_once` | anchor, every `anchor_every_s` |
| prove | `bundle` | web, a call; `hazledger bundle` |
| show | the pages of webapp/portal, by the verifier's own rule | web, a call |
| audit | `audit` (ledger/audit), `hazledger verify log` | whoever asks |

append, evaluate and checkpoint keep state between two turns, so the turn is a method of what keeps it. Everything that a
turn needs is passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from ledger.anchor import anchor, forget_reorged, mirror_grants
from ledger.authenticate import authenticate, verify_signatures
from ledger.core import strictjson
from ledger.core.dsse import PAYLOAD_TYPE
from ledger.core.record import record_id_of
from ledger.core.submission import SUBMISSION_TYPE, parse_submission
from ledger.core.trust import TrustFile
from ledger.core.verification import ChainView, Verdict, verify_bundle
from ledger.errors import (
    ConflictError,
    DisclosureError,
    LedgerError,
    MalformedRecordError,
    PayloadError,
    VerificationError,
)
from ledger.faults import fault
from ledger.model import (
    Anchor,
    Appended,
    AuthenticRecord,
    Enrolment,
    Envelope,
    Finding,
    Grant,
    Payload,
    RecordId,
    Submission,
    UnixMs,
)
from ledger.ports import AnchorStore, Appender, Chain, GrantDirectory, LogReader, PortalStore
from ledger.prove import prove
from ledger.receive import receive
from ledger.watch import watch

# Between two looks at the log for new grants. A key not known is looked up at once all the same.
DIRECTORY_REFRESH_S = 0.5


@dataclass
class Directory:
    """Implements ports.GrantDirectory over the log's mirrored grants; one per web worker."""

    log: LogReader
    monotonic: Callable[[], float] = time.monotonic
    _version: int = -1
    _looked_at: float = float("-inf")
    _grants: dict[str, tuple[Grant, ...]] = field(default_factory=dict)

    def by_keyid(self, keyid: str) -> tuple[Grant, ...]:
        now = self.monotonic()
        if now - self._looked_at > DIRECTORY_REFRESH_S or (keyid not in self._grants and now > self._looked_at):
            self._looked_at = now
            version = self.log.grants_version()
            if version != self._version:
                found: dict[str, tuple[Grant, ...]] = {}
                for grant in self.log.grants():
                    found[grant.keyid] = (*found.get(grant.keyid, ()), grant)
                self._grants, self._version = found, version
        return self._grants.get(keyid, ())


@dataclass(frozen=True)
class Door:
    """What a web worker needs to let a submission in."""

    origin: str
    directory: GrantDirectory
    log: LogReader
    appender: Appender
    findings: Callable[[Payload], Sequence[Finding]] = lambda _payload: ()
    """What the law says of an accepted record; named in the answer, never a reason to refuse."""

    def is_known(self, record_id: RecordId) -> bool:
        """Whether a record_id stands in the log."""
        return self.log.record_by_id(record_id) is not None


def submit(body: bytes, media_type: str, door: Door) -> Appended:
    """Receive → authenticate → append, for one submission. Durable when it returns.

    Raises: the refusal of whichever stage refused; a signed refusal note is its `refusal` where one was made.
    """
    (answer,) = _append([_admit(body, media_type, door)], door)
    if isinstance(answer, Exception):
        raise answer
    return answer


def submit_batch(lines: Sequence[bytes], door: Door) -> list[Appended | Exception]:
    """The same for the lines of an NDJSON batch, one answer a line in order; a bad line does not stop the others."""
    return _append(_admit_all(lines, SUBMISSION_TYPE, door), door)


def checked(body: bytes, media_type: str, door: Door) -> AuthenticRecord:
    """Receive → authenticate without keeping anything."""
    return _checked(receive(body, media_type), door)


def _checked(submission: Submission, door: Door) -> AuthenticRecord:
    return authenticate(submission, origin=door.origin, directory=door.directory, is_known=door.is_known)


def anchor_once(
    *,
    log: LogReader,
    chain: Chain,
    store: AnchorStore,
    appender: Appender,
    enrolments: Iterable[Enrolment],
) -> Anchor | None:
    """One turn of the anchor worker: repair what the chain lost, mirror final grants, anchor what is new.

    Raises: ChainError's family (try again), RollbackError (stop and tell the operator).
    """
    chain.recover()
    forget_reorged(chain=chain, store=store, log=log)
    mirror_grants(enrolments, log=log, chain=chain, appender=appender)
    return anchor(log=log, chain=chain, store=store)


def mirror_once(
    *, log: LogReader, chain: Chain, store: AnchorStore, appender: Appender, enrolments: Iterable[Enrolment]
) -> list[dict[str, Any]]:
    """Between two anchors: what the chain lost, and the grants. Neither waits for the anchoring cadence."""
    if chain.recover():
        forget_reorged(chain=chain, store=store, log=log)
    return mirror_grants(enrolments, log=log, chain=chain, appender=appender)


def watch_once(*, portal: PortalStore, log: LogReader, appender: Appender, issuer: str) -> Appended | None:
    """The access log's growth becomes an entry of the log."""
    return watch(portal=portal, log=log, appender=appender, issuer=issuer)


def bundle(
    record_id: RecordId,
    *,
    log: LogReader,
    anchors: AnchorStore,
    trust: TrustFile,
    chain: Chain | None,
    view: ChainView | None,
    disclosures: bool,
    now: UnixMs,
) -> tuple[bytes, Verdict]:
    """prove, then our own verification before it leaves.

    Raises: as `prove`. The verdict goes along: a revoked key's bundle FAILs check 4, and says so, rather than vanish.
    """
    data = prove(record_id, log=log, anchors=anchors, trust=trust, chain=chain, disclosures=disclosures)
    return data, verify_bundle(data, trust, rpc=view, now=now)


@dataclass(frozen=True)
class _Admitted:
    """A line that the door let in, with what the door checks found."""

    record: AuthenticRecord
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Refused:
    """A line that the door refused. `place` is its book where the payload could be read that far."""

    error: LedgerError
    place: tuple[str, str, str] | None = None
    record: AuthenticRecord | None = None
    """Set when the submission was validly signed: it is answered by a refusal note then."""


def _admit(body: bytes, media_type: str, door: Door) -> _Admitted | _Refused:
    (line,) = _admit_all([body], media_type, door)
    return line


def _admit_all(bodies: Sequence[bytes], media_type: str, door: Door) -> list[_Admitted | _Refused]:
    """One kind of work at a time: then neither the parser's tables nor the curve's are fetched again line by line, which
    saves an eighth. What is said of a line does not depend on the others.
    """
    received = [_received(body, media_type) for body in bodies]
    records = [step if isinstance(step, VerificationError) else _authentic(step, door) for step in received]
    admitted: list[_Admitted | _Refused] = []
    for body, submission, record in zip(bodies, received, records, strict=True):
        if isinstance(submission, Submission) and isinstance(record, AuthenticRecord):
            admitted.append(_Admitted(record, tuple(door.findings(submission.payload))))
        elif isinstance(record, VerificationError):
            admitted.append(_refused(record, body, media_type, door))
    return admitted


def _received(body: bytes, media_type: str) -> Submission | VerificationError:
    try:
        return receive(body, media_type)
    except VerificationError as error:
        return error


def _authentic(submission: Submission, door: Door) -> AuthenticRecord | VerificationError:
    try:
        return _checked(submission, door)
    except VerificationError as error:
        return error


def _refused(error: VerificationError, body: bytes, media_type: str, door: Door) -> _Refused:
    if not isinstance(error, PayloadError | DisclosureError):
        return _Refused(error, _place(body, media_type))
    signed = _validly_signed(body, media_type, door)
    place = (signed.holder, signed.site, signed.book) if signed else None
    if signed and isinstance(error, DisclosureError) and door.is_known(signed.record_id):
        # Disclosures are not signed: whoever holds the envelope of a logged record could have brought these, and a
        # refusal of that record in its holder's name would contradict the receipt.
        return _Refused(error, place)
    return _Refused(error, place, signed)


def _append(admitted: Sequence[_Admitted | _Refused], door: Door) -> list[Appended | Exception]:
    """Send on what was let in; after a line that the door refused, later lines of its book are refused too."""
    answers: list[Appended | Exception | None] = [None] * len(admitted)
    broken: set[tuple[str, str, str]] = set()
    sent: list[tuple[int, _Admitted]] = []
    for position, line in enumerate(admitted):
        if isinstance(line, _Refused):
            answers[position] = line.error
            if line.place is not None:
                broken.add(line.place)
            if line.record is not None:
                line.error.refusal = door.appender.refuse(line.record, line.error.code)
        elif (line.record.holder, line.record.site, line.record.book) in broken and not door.is_known(
            line.record.record_id  # a repeat gets its stored receipt whatever stands before it, as `append` rules too
        ):
            answers[position] = ConflictError(
                "an earlier line of this book was refused; mend it, then send this line again",
                code="after-refused-line",
            )
        else:
            sent.append((position, line))
    if sent:
        appended = door.appender.append([line.record for _, line in sent])
        for (position, line), answer in zip(sent, appended, strict=True):
            if line.findings and isinstance(answer, Appended):
                answers[position] = replace(answer, findings=line.findings)
            else:
                answers[position] = answer
        fault("submit.after-append")
    return [answer for answer in answers if answer is not None]


def _validly_signed(body: bytes, media_type: str, door: Door) -> AuthenticRecord | None:
    """The record as far as a refusal needs it, when its signatures verify although its payload is no valid record."""
    try:
        envelope, _ = parse_submission(body, media_type)
        document = strictjson.loads(envelope.payload)
        return _as_refusable(envelope, document, door)
    except (VerificationError, LookupError, TypeError, AttributeError, ValueError):
        return None


def _as_refusable(envelope: Envelope, document: dict[str, object], door: Door) -> AuthenticRecord | None:
    signers = document["signers"]
    holder = document.get("enterprise") or document.get("issuer")
    site, book, seq = document["site"], document["book"], document["seq"]
    if not (isinstance(signers, list) and isinstance(holder, str) and isinstance(site, str) and isinstance(book, str)):
        return None
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 1:
        return None
    keyids = tuple(str(k) for k in signers)
    algorithms = verify_signatures(envelope, keyids, door.directory)
    if not any(g.holder == holder for g in door.directory.by_keyid(keyids[0])):
        return None
    return AuthenticRecord(
        record_id=record_id_of(envelope.payload),
        raw=envelope.raw,
        type=PAYLOAD_TYPE,
        signatures=tuple(
            (s.keyid, algorithm, s.sig) for s, algorithm in zip(envelope.signatures, algorithms, strict=True)
        ),
        holder=holder,
        is_authority="issuer" in document,
        site=site,
        book=book,
        seq=seq,
        prev=None,
        kind=str(document.get("kind")),
        event_time_ms=UnixMs(0),
        body=None,
    )


def _place(body: bytes, media_type: str) -> tuple[str, str, str] | None:
    """The book that a refused line names, if it can be read; nothing of it is believed."""
    try:
        envelope, _ = parse_submission(body, media_type)
        document = strictjson.loads(envelope.payload)
        holder = document.get("enterprise") or document.get("issuer")
        return str(holder), str(document["site"]), str(document["book"])
    except (MalformedRecordError, LookupError, TypeError, AttributeError):
        return None
