"""One bundle, thirteen checks, one verdict: what `hazledger verify bundle` and the portal both call.

The order of work is not the order of numbers: the index counts only after check 7, which needs the root of check 8;
grants need the index; nothing under a header counts before check 10. The lines are printed by number all the same.
"""

from __future__ import annotations

from ledger.core.bundle import MEDIA_TYPE, Bundle, parse_bundle
from ledger.core.checkpoint import Checkpoint
from ledger.core.keys import load_public_key
from ledger.core.trust import QBFT, TrustedChain, TrustFile
from ledger.core.verification import checks
from ledger.core.verification.lines import Lines
from ledger.core.verification.onchain import Claims, OnChain
from ledger.core.verification.state import ChainView
from ledger.core.verification.verdict import CHECK_NAMES, OK, SKIP, Check, Level, Verdict, level_of, utc
from ledger.errors import VerificationError
from ledger.model import Payload, UnixMs

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
    bundle = run.lines.attempt(1, parse_bundle, data)
    if bundle is not None:
        run.lines.ok(1, f"{MEDIA_TYPE}, {len(data)} bytes")
        run.check(bundle, rpc)
    return run.verdict(require, keys_within_days, now)


class _Run:
    def __init__(self, trust: TrustFile) -> None:
        self.lines = Lines()
        self._trust = trust
        self._chain: TrustedChain | None = None
        self._onchain: OnChain | None = None
        self._digests = (0, 0)
        self._record_id = ""
        self._index: int | None = None
        self._warnings: list[str] = []

    def check(self, bundle: Bundle, rpc: ChainView | None) -> None:
        """All checks after the first, in the order in which each has what it needs."""
        lines = self.lines
        payload = lines.attempt(3, checks.check_payload, bundle.envelope.payload)
        checkpoint = self._checkpoint(bundle, payload)
        leaf, signing = None, None
        if payload is not None:
            lines.ok(3, f"{payload.kind} of {payload.holder}, {payload.site}/{payload.book} no. {payload.seq}")
            signing = lines.attempt(4, checks.check_keys, bundle.keys, payload, self._trust.origin)
            self._signatures(bundle, payload)
            leaf = self._entry(bundle, payload)
            self._disclosures(bundle, payload)
        if leaf is not None and checkpoint is not None:
            self._index = lines.attempt(7, checks.check_inclusion, bundle, leaf, checkpoint)
            lines.ok(7, f"index {bundle.index} of {checkpoint.size}")
        if self._chain is not None:
            claims = Claims(signing, self._index, checkpoint)
            self._onchain = OnChain(lines, self._trust, self._chain, bundle, claims)
            self._onchain.judge(rpc)
        self._receipt(bundle, leaf)
        self._seen(payload)

    def _checkpoint(self, bundle: Bundle, payload: Payload | None) -> Checkpoint | None:
        lines = self.lines
        try:
            claimed = checks.claimed_checkpoint(bundle.checkpoint)
        except VerificationError:
            # Check 8 reads the same bytes next and says what is wrong with them.
            claimed = None
        self._chain = lines.attempt(2, checks.check_trust_applies, self._trust, claimed, payload)
        if self._chain is not None:
            lines.ok(2, f"log {self._trust.origin}, {self._chain.kind} chain {self._chain.chain_id}")
        checkpoint = lines.attempt(8, checks.check_checkpoint, bundle.checkpoint, self._trust)
        if checkpoint is not None:
            lines.ok(8, f"size {checkpoint.size}, root {checkpoint.root.hex()[:16]}…")
        return checkpoint

    def _signatures(self, bundle: Bundle, payload: Payload) -> None:
        if self.lines.holds(5, checks.check_signatures, bundle.envelope, payload, bundle.keys):
            count = len(bundle.envelope.signatures)
            self.lines.ok(5, f"{count} of {count} over the exact {len(bundle.envelope.payload)} bytes")

    def _entry(self, bundle: Bundle, payload: Payload) -> bytes | None:
        # Without the signers' keys there are no algorithm names to write into the entry; checks 4 and 5 say why.
        needs_keys = "needs the signers' keys: checks 4 and 5"
        if tuple(s.keyid for s in bundle.envelope.signatures) != tuple(key.keyid for key in bundle.keys):
            self.lines.skip(6, needs_keys)
            return None
        try:
            for key in bundle.keys:
                load_public_key(key.spki)
        except ValueError:
            self.lines.skip(6, needs_keys)
            return None
        rebuilt = self.lines.attempt(6, checks.check_entry, bundle.envelope, payload, bundle.received, bundle.keys)
        if rebuilt is None:
            return None
        self._record_id, leaf = rebuilt
        self.lines.ok(6, f"record {self._record_id}, received {utc(bundle.received // 1000)}")
        return leaf

    def _disclosures(self, bundle: Bundle, payload: Payload) -> None:
        not_shown = self.lines.attempt(11, checks.check_disclosures, bundle.disclosures, payload)
        if not_shown is None:
            return
        self._digests = (not_shown, len(payload.sd))
        if payload.sd:
            self.lines.ok(11, f"{not_shown} of {len(payload.sd)} digests not shown")
        else:
            self.lines.ok(11, "the record discloses nothing")

    def _receipt(self, bundle: Bundle, leaf: bytes | None) -> None:
        if bundle.receipt is None:
            self.lines.skip(12, "the bundle holds no receipt")
            return
        if leaf is None or self._index is None:
            self.lines.skip(12, "needs check 7")
            return
        receipt = self.lines.attempt(
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
        promised = utc(receipt.merge_by // 1000)
        self.lines.ok(12, f"signed for index {receipt.index}, promised by {promised}")
        meta = None if self._onchain is None else self._onchain.meta
        if meta is not None and meta.timestamp_s * 1000 > receipt.merge_by:
            self._warnings.append(f"late: anchored {utc(meta.timestamp_s)}, promised by {promised}")

    def _seen(self, payload: Payload | None) -> None:
        if payload is not None and "seen" not in payload.document:
            self.lines.skip(13, "the record names no checkpoint that its signer had seen")
        elif payload is not None:
            self.lines.skip(13, "needs the log's tiles or an endpoint; reserved, not yet checked by this version")

    def verdict(self, require: Level, keys_within_days: int | None, now: UnixMs | None) -> Verdict:
        """The lines, completed, and what they amount to."""
        failed = self.lines.failed()
        for number in CHECK_NAMES:
            self.lines.skip(number, f"needs check {failed[0].number}" if failed else "not reached")
        kind = None if self._chain is None else self._chain.kind
        passed = {line.number for line in self.lines.all() if line.status == OK}
        level = Level.NOTHING if failed else level_of(passed, kind)
        onchain = self._onchain
        meta = None if onchain is None else onchain.meta
        lift = None if failed else self._lifting(level, require) or self._stale_keys(keys_within_days, now)
        return Verdict(
            checks=tuple(self.lines.all()),
            level=level,
            required=require,
            trust_digest=self._trust.digest,
            lift=lift,
            keys_as_of=None if onchain is None else onchain.keys_as_of,
            existed_by_s=meta.timestamp_s if meta is not None and kind == QBFT and not failed else None,
            digests_not_shown=self._digests[0],
            digests=self._digests[1],
            chain_kind=kind,
            record_id=self._record_id,
            index=self._index,
            unreachable="" if onchain is None else onchain.unreachable,
            wrong_endpoint="" if onchain is None else onchain.wrong_endpoint,
            warnings=tuple(self._warnings),
        )

    def _lifting(self, level: Level, require: Level) -> Check | None:
        if level >= require:
            return None
        for number in (10, 4, 9):
            if self.lines.of(number).status == SKIP:
                return self.lines.of(number)
        return Check(9, SKIP, "ANCHORED needs a chain of kind qbft; this trust file names a development chain")

    def _stale_keys(self, days: int | None, now: UnixMs | None) -> Check | None:
        as_of = None if self._onchain is None else self._onchain.keys_as_of
        if days is None or now is None or as_of is None or now // 1000 - as_of.timestamp_s <= days * _DAY_S:
            return None
        return Check(
            4,
            SKIP,
            f"the keys are as of {utc(as_of.timestamp_s)}, more than {days} days ago; ask for a fresh bundle, or name "
            f"an endpoint with --rpc URL",
        )
