"""One bundle, thirteen checks, one verdict: what `hazledger verify bundle` and the portal both call.

The order of work is not the order of numbers: the index counts only after check 7, which needs the root of check 8;
grants need the index; nothing under a header counts before check 10. The lines are printed by number all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from ledger.core.bundle import MEDIA_TYPE, Bundle, parse_bundle
from ledger.core.checkpoint import Checkpoint
from ledger.core.grants import log_id
from ledger.core.keys import load_public_key
from ledger.core.slots import Meta
from ledger.core.trie import Header
from ledger.core.trust import QBFT, TrustedChain, TrustFile
from ledger.core.verification import checks
from ledger.core.verification.checks import SigningKey
from ledger.core.verification.state import (
    AnchoredRoot,
    ChainState,
    ChainView,
    ContractError,
    StateProofError,
    check_endpoint,
    open_proof,
    open_state,
    wanted_slots,
)
from ledger.core.verification.verdict import (
    CHECK_NAMES,
    FAIL,
    OK,
    SKIP,
    Check,
    KeysAsOf,
    Level,
    Verdict,
    level_of,
    utc,
)
from ledger.errors import ChainError, VerificationError
from ledger.model import Payload, UnixMs

P = ParamSpec("P")
T = TypeVar("T")

_DAY_S = 86_400


def verify_bundle(
    data: bytes,
    trust: TrustFile,
    *,
    rpc: ChainView | None = None,
    require: Level = Level.ANCHORED,
    keys_within_days: int | None = None,
    now: UnixMs | None = None,
) -> Verdict:
    """Verify one bundle. Never raises for what the bundle or the chain says: the verdict says it.

    Args:
        data: the file's bytes.
        trust: the parsed trust file.
        rpc: a chain endpoint that the caller named; its newest final block then answers checks 4, 9 and 10.
        require: the level below which the verdict is PENDING.
        keys_within_days: PENDING when the block that answered check 4 is older than this; needs `now`.
        now: unix milliseconds.
    """
    run = _Run(trust)
    run.bundle(data, rpc)
    return run.verdict(require, keys_within_days, now)


@dataclass(slots=True)
class _Answer:
    """What one header says about checks 4 and 9. An error stands in place of a result; None when it was not asked."""

    header: Header
    spans: tuple[tuple[int, int], ...] | None = None
    grants_error: VerificationError | None = None
    meta: Meta | None = None
    root_error: VerificationError | None = None

    def walked(self) -> bool:
        """Every walk was made, so that an unused node is a superfluous one."""
        errors = (self.grants_error, self.root_error)
        return not any(isinstance(error, (StateProofError, ContractError)) for error in errors)

    def structural(self) -> list[VerificationError]:
        """Failures of the proof itself, which no other answer can heal."""
        return [error for error in (self.grants_error, self.root_error) if isinstance(error, StateProofError)]


class _Run:
    def __init__(self, trust: TrustFile) -> None:
        self._trust = trust
        self._lines: dict[int, Check] = {}
        self._lift: Check | None = None
        self._keys_as_of: KeysAsOf | None = None
        self._meta: Meta | None = None
        self._chain: TrustedChain | None = None
        self._digests = (0, 0)
        self._record_id = ""
        self._index: int | None = None
        self._unreachable = ""
        self._re_made = False
        self._warnings: list[str] = []

    # --- lines ---------------------------------------------------------------------------------------------------

    def _attempt(self, number: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return function(*args, **kwargs)
        except VerificationError as error:
            self._fail(error)
            if error.check != number:
                self._skip(number, f"needs check {error.check}")
            return None

    def _fail(self, error: VerificationError) -> None:
        detail = error.detail if error.pointer is None else f"{error.detail} ({error.pointer or '/'})"
        self._lines[error.check] = Check(error.check, FAIL, detail, error.code)

    def _ok(self, number: int, detail: str) -> None:
        self._lines.setdefault(number, Check(number, OK, detail))

    def _skip(self, number: int, detail: str) -> None:
        self._lines.setdefault(number, Check(number, SKIP, detail))

    def _passed(self, number: int) -> bool:
        return number in self._lines and self._lines[number].status == OK

    # --- the checks, in the order in which each has what it needs ------------------------------------------------

    def bundle(self, data: bytes, rpc: ChainView | None) -> None:
        bundle = self._attempt(1, parse_bundle, data)
        if bundle is None:
            return
        self._ok(1, f"{MEDIA_TYPE}, {len(data)} bytes")
        payload = self._attempt(3, checks.check_payload, bundle.envelope.payload)
        checkpoint = self._checkpoint(bundle, payload)
        leaf = None
        signing = None
        if payload is not None:
            self._ok(3, f"{payload.kind} of {payload.holder}, {payload.site}/{payload.book} no. {payload.seq}")
            signing = self._attempt(4, checks.check_keys, bundle.keys, payload, self._trust.origin)
            self._signatures(bundle, payload)
            leaf = self._entry(bundle, payload)
            self._disclosures(bundle, payload)
        if leaf is not None and checkpoint is not None:
            self._index = self._attempt(7, checks.check_inclusion, bundle, leaf, checkpoint)
            self._ok(7, f"index {bundle.index} of {checkpoint.size}")
        self._chain_state(bundle, signing, checkpoint, rpc)
        self._receipt(bundle, leaf)
        self._seen(payload)

    def _checkpoint(self, bundle: Bundle, payload: Payload | None) -> Checkpoint | None:
        claimed = None
        try:
            claimed = checks.claimed_checkpoint(bundle.checkpoint)
        except VerificationError:
            # Check 8 reads the same bytes next and says what is wrong with them.
            claimed = None
        self._chain = self._attempt(2, checks.check_trust_applies, self._trust, claimed, payload)
        if self._chain is not None:
            self._ok(2, f"log {self._trust.origin}, {self._chain.kind} chain {self._chain.chain_id}")
        checkpoint = self._attempt(8, checks.check_checkpoint, bundle.checkpoint, self._trust)
        if checkpoint is not None:
            self._ok(8, f"size {checkpoint.size}, root {checkpoint.root.hex()[:16]}…")
        return checkpoint

    def _signatures(self, bundle: Bundle, payload: Payload) -> None:
        if self._attempt(5, _returning(checks.check_signatures), bundle.envelope, payload, bundle.keys):
            count = len(bundle.envelope.signatures)
            self._ok(5, f"{count} of {count} over the exact {len(bundle.envelope.payload)} bytes")

    def _entry(self, bundle: Bundle, payload: Payload) -> bytes | None:
        # Without the signers' keys there are no algorithm names to write into the entry; checks 4 and 5 say why.
        if tuple(s.keyid for s in bundle.envelope.signatures) != tuple(key.keyid for key in bundle.keys):
            self._skip(6, "needs the signers' keys: checks 4 and 5")
            return None
        try:
            for key in bundle.keys:
                load_public_key(key.spki)
        except ValueError:
            self._skip(6, "needs the signers' keys: checks 4 and 5")
            return None
        rebuilt = self._attempt(6, checks.check_entry, bundle.envelope, payload, bundle.received, bundle.keys)
        if rebuilt is None:
            return None
        self._record_id, leaf = rebuilt
        self._ok(6, f"record {self._record_id}, received {utc(bundle.received // 1000)}")
        return leaf

    def _disclosures(self, bundle: Bundle, payload: Payload) -> None:
        not_shown = self._attempt(11, checks.check_disclosures, bundle.disclosures, payload)
        if not_shown is None:
            return
        self._digests = (not_shown, len(payload.sd))
        if payload.sd:
            self._ok(11, f"{not_shown} of {len(payload.sd)} digests not shown")
        else:
            self._ok(11, "the record discloses nothing")

    # --- what the chain says: 4, 9 and 10 ------------------------------------------------------------------------

    def _chain_state(
        self,
        bundle: Bundle,
        signing: tuple[SigningKey, ...] | None,
        checkpoint: Checkpoint | None,
        rpc: ChainView | None,
    ) -> None:
        header = self._attempt(10, checks.read_header, bundle.header)
        chain = self._chain
        if header is None or chain is None:
            self._skip(10, "needs check 2")
            return
        own = self._own_answer(bundle, header, chain, signing, checkpoint)
        newest = None
        if rpc is not None:
            newest = self._ask(header, chain, rpc, signing, checkpoint)
        if newest is None:
            self._header_by_pin(header, chain)
            if own is not None:
                self._judge_own(own, bundle)
        else:
            self._judge_newest(newest, own, bundle)

    def _own_answer(
        self,
        bundle: Bundle,
        header: Header,
        chain: TrustedChain,
        signing: tuple[SigningKey, ...] | None,
        checkpoint: Checkpoint | None,
    ) -> _Answer | None:
        state = self._attempt(4, open_state, header, bundle.nodes, chain, log_id(self._trust.origin))
        if state is None:
            return None
        answer = self._answer(state, chain, signing, checkpoint if bundle.anchored else None)
        if not bundle.anchored and answer.root_error is None:
            try:
                state.check_log()
            except VerificationError as error:
                answer.root_error = error
        asked_all = signing is not None and self._index is not None and (checkpoint is not None or not bundle.anchored)
        if asked_all and answer.walked():
            self._attempt(1, _returning(state.check_all_used))
        return answer

    def _answer(
        self,
        state: ChainState,
        chain: TrustedChain,
        signing: tuple[SigningKey, ...] | None,
        checkpoint: Checkpoint | None,
    ) -> _Answer:
        answer = _Answer(state.header)
        if signing is not None and self._index is not None:
            try:
                answer.spans = checks.check_grants(state, signing, self._index, chain)
            except VerificationError as error:
                answer.grants_error = error
        if checkpoint is not None:
            try:
                found: AnchoredRoot = state.anchored_root(checkpoint.size)
                answer.meta = checks.check_root_stored(found, checkpoint, state.header)
            except VerificationError as error:
                answer.root_error = error
        return answer

    def _ask(
        self,
        header: Header,
        chain: TrustedChain,
        rpc: ChainView,
        signing: tuple[SigningKey, ...] | None,
        checkpoint: Checkpoint | None,
    ) -> _Answer | None:
        """The newest final block's answer, with check 10 settled; None when the endpoint does not answer."""
        try:
            if not self._attempt(2, _returning(check_endpoint), rpc, chain):
                self._skip(10, "needs check 2: the endpoint serves another chain")
                return None
            log = log_id(self._trust.origin)
            gs = [key.g for key in signing or ()]
            sizes = () if checkpoint is None else (checkpoint.size,)
            proof = rpc.state_proof(wanted_slots(chain, log=log, gs=gs, sizes=sizes))
            at_number = rpc.block_hash(header.number)
        except ChainError as error:
            self._unreachable = error.detail
            return None
        state = self._attempt(10, open_proof, proof, chain, log)
        if state is None:
            return None
        answer = self._answer(state, chain, signing, checkpoint)
        self._header_by_rpc(header, chain, at_number, state.header)
        return answer

    def _header_by_pin(self, header: Header, chain: TrustedChain) -> None:
        pinned = self._attempt(10, checks.check_pinned, header, chain)
        if pinned:
            self._ok(10, f"block {header.number}, {utc(header.timestamp_s)}, pinned in the trust file")
        elif pinned is False:
            lift = checks.lift_for_header(header, chain)
            if self._unreachable:
                lift = f"the endpoint did not answer ({self._unreachable}); try again or another one"
            self._skip(10, lift)

    def _header_by_rpc(self, header: Header, chain: TrustedChain, at_number: bytes | None, newest: Header) -> None:
        pinned = self._attempt(10, checks.check_pinned, header, chain)
        if pinned is None:
            return
        where = f"newest final block {newest.number}, {utc(newest.timestamp_s)}"
        if at_number in checks.header_names(header, chain.kind):
            self._ok(10, f"block {header.number} is on the endpoint's chain; {where}")
        elif pinned:
            # A re-made development chain has other blocks; the authority vouched for this one by hand.
            self._re_made = True
            self._ok(10, f"block {header.number} is pinned in the trust file, though not on this chain; {where}")
        else:
            there = "has no such block" if at_number is None else f"has 0x{at_number.hex()} there"
            self._fail(
                VerificationError(
                    f"the bundle's header claims to be block {header.number} with hash 0x{header.hash.hex()}; the "
                    f"endpoint's chain {there}. Either the bundle was altered or the chain was made anew: ask for a "
                    f"fresh bundle",
                    check=10,
                    code="not-canonical",
                )
            )

    def _judge_own(self, own: _Answer, bundle: Bundle) -> None:
        """Checks 4 and 9 by the bundle's own header: failures count at once, successes only once check 10 holds."""
        authentic = self._passed(10)
        unconfirmed = f"holds under the bundle's block {own.header.number}, which check 10 does not confirm"
        if own.grants_error is not None:
            self._fail(own.grants_error)
        elif own.spans is not None:
            if authentic:
                self._ok(4, self._grants_line(own, bundle))
            else:
                self._skip(4, unconfirmed)
        if own.root_error is not None:
            self._fail(own.root_error)
        elif own.meta is not None:
            if authentic:
                self._root_line(own.meta, own.header)
            else:
                self._skip(9, unconfirmed)
        elif not bundle.anchored:
            self._skip(9, "the bundle was made before its checkpoint was anchored; ask for it again, or name --rpc URL")

    def _judge_newest(self, newest: _Answer, own: _Answer | None, bundle: Bundle) -> None:
        """Checks 4 and 9 by the newest final block: that answer counts, but a broken proof stays broken."""
        for error in [] if own is None else own.structural():
            self._fail(error)
        if newest.grants_error is not None:
            self._fail(newest.grants_error)
        elif newest.spans is not None:
            self._ok(4, self._grants_line(newest, bundle))
        if newest.root_error is None:
            if newest.meta is not None:
                self._root_line(newest.meta, newest.header)
            return
        # No root there is no contradiction, only not yet (or, on a chain made anew, no longer) anchored: unless this
        # very chain held it in the block that the bundle shows.
        held_before = own is not None and own.meta is not None and newest.header.number >= own.header.number
        if newest.root_error.code == "not-anchored" and not (held_before and self._passed(10) and not self._re_made):
            self._skip(9, f"{newest.root_error.detail} at block {newest.header.number}; wait until it is anchored")
        else:
            self._fail(newest.root_error)

    def _grants_line(self, answer: _Answer, bundle: Bundle) -> str:
        spans = answer.spans or ()
        self._keys_as_of = KeysAsOf(answer.header.number, answer.header.timestamp_s)
        return checks.describe_grants(bundle.keys, spans)

    def _root_line(self, meta: Meta, header: Header) -> None:
        self._meta = meta
        # A development chain's clock is whoever runs it, so its time is not even shown here.
        when = f", {utc(meta.timestamp_s)}" if self._chain is not None and self._chain.kind == QBFT else ""
        self._ok(9, f"stored in block {meta.block}{when}; read at block {header.number}")

    # --- what stands beside --------------------------------------------------------------------------------------

    def _receipt(self, bundle: Bundle, leaf: bytes | None) -> None:
        if bundle.receipt is None:
            self._skip(12, "the bundle holds no receipt")
            return
        if leaf is None or self._index is None:
            self._skip(12, "needs check 7")
            return
        receipt = self._attempt(
            12,
            checks.check_receipt,
            bundle.receipt,
            self._trust,
            record_id=self._record_id,
            leaf=leaf,
            index=self._index,
            received=bundle.received,
        )
        if receipt is None:
            return
        self._ok(12, f"signed for index {receipt.index}, promised by {utc(receipt.merge_by // 1000)}")
        if self._meta is not None and self._meta.timestamp_s * 1000 > receipt.merge_by:
            self._warnings.append(
                f"late: anchored {utc(self._meta.timestamp_s)}, promised by {utc(receipt.merge_by // 1000)}"
            )

    def _seen(self, payload: Payload | None) -> None:
        if payload is not None and "seen" not in payload.document:
            self._skip(13, "the record names no checkpoint that its signer had seen")
        elif payload is not None:
            self._skip(13, "needs the log's tiles or an endpoint; reserved, not yet checked by this version")

    # --- the verdict ---------------------------------------------------------------------------------------------

    def verdict(self, require: Level, keys_within_days: int | None, now: UnixMs | None) -> Verdict:
        failed = [line for line in self._lines.values() if line.status == FAIL]
        for number in CHECK_NAMES:
            self._skip(number, f"needs check {min(failed, key=lambda c: c.number).number}" if failed else "not reached")
        passed = {number for number, line in self._lines.items() if line.status == OK}
        kind = None if self._chain is None else self._chain.kind
        level = Level.NOTHING if failed else level_of(passed, kind)
        lift = None
        if not failed:
            lift = self._lifting(level, require) or self._stale_keys(keys_within_days, now)
        return Verdict(
            checks=tuple(self._lines[number] for number in sorted(self._lines)),
            level=level,
            required=require,
            trust_digest=self._trust.digest,
            lift=lift,
            keys_as_of=self._keys_as_of,
            existed_by_s=self._meta.timestamp_s if self._meta is not None and kind == QBFT and not failed else None,
            digests_not_shown=self._digests[0],
            digests=self._digests[1],
            chain_kind=kind,
            record_id=self._record_id,
            index=self._index,
            unreachable=self._unreachable,
            warnings=tuple(self._warnings),
        )

    def _lifting(self, level: Level, require: Level) -> Check | None:
        if level >= require:
            return None
        for number in (10, 4, 9):
            if self._lines[number].status == SKIP:
                return self._lines[number]
        return Check(9, SKIP, "ANCHORED needs a chain of kind qbft; this trust file names a development chain")

    def _stale_keys(self, days: int | None, now: UnixMs | None) -> Check | None:
        if days is None or now is None or self._keys_as_of is None:
            return None
        age_s = now // 1000 - self._keys_as_of.timestamp_s
        if age_s <= days * _DAY_S:
            return None
        return Check(
            4,
            SKIP,
            f"the keys are as of {utc(self._keys_as_of.timestamp_s)}, more than {days} days ago; ask for a fresh "
            f"bundle, or name an endpoint with --rpc URL",
        )


def _returning(function: Callable[P, None]) -> Callable[P, bool]:
    """A check that returns nothing, as one that returns True: `_attempt` says None for failure."""

    def wrapped(*args: P.args, **kwargs: P.kwargs) -> bool:
        function(*args, **kwargs)
        return True

    return wrapped
