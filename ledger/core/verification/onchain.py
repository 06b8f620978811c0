"""Checks 4, 9 and 10 of a bundle: what its own header says, what a named endpoint says, and which of the two counts.

Failures under the bundle's own header count at once; successes only once check 10 holds. With an endpoint its newest
final block answers instead, and that answer counts, but a proof that is broken in itself stays broken.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.core.bundle import Bundle
from ledger.core.checkpoint import Checkpoint
from ledger.core.grants import log_id
from ledger.core.slots import Meta
from ledger.core.trie import Header
from ledger.core.trust import QBFT, TrustedChain, TrustFile
from ledger.core.verification import checks
from ledger.core.verification.checks import SigningKey
from ledger.core.verification.lines import Lines
from ledger.core.verification.state import (
    ChainState,
    ChainView,
    ContractError,
    OtherChainError,
    StateProofError,
    check_endpoint,
    open_proof,
    open_state,
    wanted_slots,
)
from ledger.core.verification.verdict import KeysAsOf, utc
from ledger.errors import ChainError, VerificationError


@dataclass(frozen=True, slots=True)
class Claims:
    """What is asked of the chain: only what other checks have established. None where they have not."""

    signing: tuple[SigningKey, ...] | None
    index: int | None
    checkpoint: Checkpoint | None


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


class OnChain:
    """Judges one bundle's chain state into `lines`. The public members say what the verdict prints of it."""

    def __init__(self, lines: Lines, trust: TrustFile, chain: TrustedChain, bundle: Bundle, claims: Claims) -> None:
        self._lines = lines
        self._chain = chain
        self._bundle = bundle
        self._claims = claims
        self._log = log_id(trust.origin)
        self._re_made = False
        self.keys_as_of: KeysAsOf | None = None
        self.meta: Meta | None = None
        self.unreachable = ""
        self.wrong_endpoint = ""

    def judge(self, rpc: ChainView | None) -> None:
        """Write the lines of checks 4, 9 and 10."""
        header = self._lines.attempt(10, checks.read_header, self._bundle.header)
        if header is None:
            return
        own = self._own_answer(header)
        newest = None if rpc is None else self._ask(header, rpc)
        if newest is not None:
            self._judge_newest(newest, own)
        else:
            self._header_by_pin(header)
            if own is not None:
                self._judge_own(own)

    # --- asking --------------------------------------------------------------------------------------------------

    def _own_answer(self, header: Header) -> _Answer | None:
        bundle, claims = self._bundle, self._claims
        state = self._lines.attempt(4, open_state, header, bundle.nodes, self._chain, self._log)
        if state is None:
            return None
        answer = self._answer(state, claims.checkpoint if bundle.anchored else None)
        if not bundle.anchored:
            try:
                state.check_log()
            except VerificationError as error:
                answer.root_error = error
        asked_grants = claims.signing is not None and claims.index is not None
        if asked_grants and (claims.checkpoint is not None or not bundle.anchored) and answer.walked():
            self._lines.holds(1, state.check_all_used)
        return answer

    def _answer(self, state: ChainState, checkpoint: Checkpoint | None) -> _Answer:
        answer, claims = _Answer(state.header), self._claims
        if claims.signing is not None and claims.index is not None:
            try:
                answer.spans = checks.check_grants(state, claims.signing, claims.index, self._chain)
            except VerificationError as error:
                answer.grants_error = error
        if checkpoint is not None:
            try:
                found = state.anchored_root(checkpoint.size)
                answer.meta = checks.check_root_stored(found, checkpoint, state.header)
            except VerificationError as error:
                answer.root_error = error
        return answer

    def _ask(self, header: Header, rpc: ChainView) -> _Answer | None:
        """The newest final block's answer, with check 10 settled; None when there is none."""
        checkpoint = self._claims.checkpoint
        try:
            check_endpoint(rpc, self._chain)
            gs = [key.g for key in self._claims.signing or ()]
            sizes = () if checkpoint is None else (checkpoint.size,)
            proof = rpc.state_proof(wanted_slots(self._chain, log=self._log, gs=gs, sizes=sizes))
            at_number = rpc.block_hash(header.number)
        except ChainError as error:
            self.unreachable = error.detail
            return None
        except OtherChainError as error:
            self.wrong_endpoint = error.detail
            return None
        state = self._lines.attempt(10, open_proof, proof, self._chain, self._log)
        if state is None:
            return None
        try:
            state.check_chain()
        except OtherChainError as error:
            self.wrong_endpoint = error.detail
            return None
        self._header_by_rpc(header, at_number, state.header)
        return self._answer(state, checkpoint)

    # --- check 10 ------------------------------------------------------------------------------------------------

    def _header_by_pin(self, header: Header) -> None:
        pinned = self._lines.attempt(10, checks.check_pinned, header, self._chain)
        if pinned:
            self._lines.ok(10, f"block {header.number}, {utc(header.timestamp_s)}, pinned in the trust file")
        elif pinned is False:
            lift = checks.lift_for_header(header, self._chain)
            if self.unreachable:
                lift = f"the endpoint did not answer ({self.unreachable}); try again or another one"
            elif self.wrong_endpoint:
                lift = "needs an endpoint of the trust file's chain; the one you named is of another"
            self._lines.skip(10, lift)

    def _header_by_rpc(self, header: Header, at_number: bytes | None, newest: Header) -> None:
        pinned = self._lines.attempt(10, checks.check_pinned, header, self._chain)
        if pinned is None:
            return
        where = f"newest final block {newest.number}, {utc(newest.timestamp_s)}"
        if at_number in checks.header_names(header, self._chain.kind):
            self._lines.ok(10, f"block {header.number} is on the endpoint's chain; {where}")
        elif pinned:
            # A re-made development chain has other blocks; the authority vouched for this one by hand.
            self._re_made = True
            self._lines.ok(10, f"block {header.number} is pinned in the trust file, though not on this chain; {where}")
        else:
            there = "has no such block" if at_number is None else f"has 0x{at_number.hex()} there"
            self._lines.fail(
                VerificationError(
                    f"the bundle's header claims to be block {header.number} with hash 0x{header.hash.hex()}; the "
                    f"endpoint's chain {there}. Either the bundle was altered, or the chain was made anew, or "
                    f"this endpoint is not of the trust file's chain: ask for a fresh bundle, or name another endpoint",
                    check=10,
                    code="not-canonical",
                )
            )

    # --- checks 4 and 9 ------------------------------------------------------------------------------------------

    def _judge_own(self, own: _Answer) -> None:
        authentic = self._lines.passed(10)
        unconfirmed = f"holds under the bundle's block {own.header.number}, which check 10 does not confirm"
        if own.grants_error is not None:
            self._lines.fail(own.grants_error)
        elif own.spans is not None and authentic:
            self._grants_hold(own)
        elif own.spans is not None:
            self._lines.skip(4, unconfirmed)
        if own.root_error is not None:
            self._lines.fail(own.root_error)
        elif own.meta is not None and authentic:
            self._root_holds(own)
        elif own.meta is not None:
            self._lines.skip(9, unconfirmed)
        elif not self._bundle.anchored:
            self._lines.skip(
                9, "the bundle was made before its checkpoint was anchored; ask for it again, or name --rpc URL"
            )

    def _judge_newest(self, newest: _Answer, own: _Answer | None) -> None:
        for error in [] if own is None else own.structural():
            self._lines.fail(error)
        if newest.grants_error is not None:
            self._lines.fail(newest.grants_error)
        elif newest.spans is not None:
            self._grants_hold(newest)
        if newest.root_error is None:
            if newest.meta is not None:
                self._root_holds(newest)
            return
        # No root there is no contradiction, only not yet (or, on a chain made anew, no longer) anchored: unless this
        # very chain held it in the block that the bundle shows.
        held_before = own is not None and own.meta is not None and newest.header.number >= own.header.number
        on_this_chain = self._lines.passed(10) and not self._re_made
        if newest.root_error.code == "not-anchored" and not (held_before and on_this_chain):
            self._lines.skip(
                9,
                f"{newest.root_error.detail} at block {newest.header.number}; wait until it is anchored, "
                "and ask for the bundle again",
            )
        else:
            self._lines.fail(newest.root_error)

    def _grants_hold(self, answer: _Answer) -> None:
        self.keys_as_of = KeysAsOf(answer.header.number, answer.header.timestamp_s)
        self._lines.ok(4, checks.describe_grants(self._bundle.keys, answer.spans or ()))

    def _root_holds(self, answer: _Answer) -> None:
        meta = self.meta = answer.meta
        if meta is None:
            return
        # A development chain's clock is whoever runs it, so its time is not even shown here.
        when = f", {utc(meta.timestamp_s)}" if self._chain.kind == QBFT else ""
        self._lines.ok(9, f"stored in block {meta.block}{when}; read at block {answer.header.number}")
