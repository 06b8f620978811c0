"""The numbered checks of formats.md section 9. Each raises VerificationError with its own number, or returns what it
established; none believes what another has not established yet.

Trusted side: the trust file. Size and root come from the checkpoint after check 8, the index after check 7, keys and
grants after check 4, and nothing under a header counts before check 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.core import dsse, record
from ledger.core.bundle import Bundle, BundleKey
from ledger.core.checkpoint import Checkpoint, open_checkpoint
from ledger.core.disclosure import match_disclosures, parse_disclosure
from ledger.core.entry import entry_of
from ledger.core.grants import grant_id, scope_covers, unpack_word
from ledger.core.keys import load_public_key
from ledger.core.merkle import leaf_hash, verify_inclusion
from ledger.core.note import split_note
from ledger.core.receipt import ReceiptNote, parse_receipt
from ledger.core.slots import Meta, unpack_meta
from ledger.core.trie import Header, parse_header
from ledger.core.trust import QBFT, TrustedChain, TrustFile
from ledger.core.verification.state import AnchoredRoot, ChainState
from ledger.errors import GrantError, LedgerError, SignatureError, VerificationError
from ledger.model import NEVER, Envelope, Payload


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signer's key with the grant that is claimed for it. `g` is the grant's key in the registry."""

    claim: BundleKey
    algorithm: str
    g: bytes


def claimed_checkpoint(note: bytes) -> Checkpoint:
    """What the note's text says, before any signature is checked; VerificationError(check=8) when it is no checkpoint.

    Only for finding which chain and keys to ask: check 8 opens the note.
    """
    text, _ = split_note(note)
    return Checkpoint.parse(text)


def check_log_of(note: bytes, trust: TrustFile) -> None:
    """Check 2 for a note alone: it is of the trust file's log. What is no checkpoint is left to check 8."""
    try:
        claimed = claimed_checkpoint(note)
    except VerificationError:
        return
    _check_origin(claimed, trust)


def _check_origin(claimed: Checkpoint, trust: TrustFile) -> None:
    if claimed.origin != trust.origin:
        raise VerificationError(
            f"the checkpoint is of log {claimed.origin}, the trust file of {trust.origin}; take that log's trust file",
            check=2,
            code="wrong-log",
        )


def check_trust_applies(trust: TrustFile, claimed: Checkpoint | None, payload: Payload | None) -> TrustedChain | None:
    """Check 2: checkpoint and payload are of the trust file's log, and it names a chain for the checkpoint's size.

    An argument is None when it could not be read; its own check says so.
    """
    if claimed is not None:
        _check_origin(claimed, trust)
    if payload is not None and payload.log != trust.origin:
        raise VerificationError(
            f"the record was signed for log {payload.log}, the trust file is of {trust.origin}",
            check=2,
            code="wrong-log",
        )
    if claimed is None:
        return None
    chain = trust.chain_for(claimed.size)
    if chain is None:
        raise VerificationError(
            f"the trust file names no chain for checkpoints of size {claimed.size}; ask the authority for a newer one",
            check=2,
            code="no-chain",
        )
    return chain


def check_payload(payload: bytes) -> Payload:
    """Check 3: strict JSON, the schema of its kind, identifiers, quantities, times."""
    try:
        return record.parse_payload(payload)
    except VerificationError as error:
        raise _as_check(3, error) from error


def check_keys(keys: Sequence[BundleKey], payload: Payload, origin: str) -> tuple[SigningKey, ...]:
    """Check 4, what needs no chain: the keys are the signers', and each claimed grant would allow this record."""
    if tuple(key.keyid for key in keys) != payload.signers:
        raise GrantError("the bundle's keys are not those of the payload's signers, in their order", code="wrong-keys")
    return tuple(_signing_key(key, payload, origin) for key in keys)


def _signing_key(key: BundleKey, payload: Payload, origin: str) -> SigningKey:
    try:
        public = load_public_key(key.spki)
    except ValueError as error:
        raise GrantError(f"key {key.keyid[:16]}…: {error}", code="bad-key") from error
    if public.keyid != key.keyid:
        raise GrantError(f"SHA-256 of the SPKI is {public.keyid[:16]}…, not keyid {key.keyid[:16]}…", code="bad-key")
    if not record.may_sign(key.role, payload.kind, is_authority=payload.is_authority):
        raise GrantError(f"role {key.role.value} ({key.role.name.lower()}) may not sign a {payload.kind}", code="role")
    if not scope_covers(key.scope, payload.site, payload.book):
        raise GrantError(f'scope "{key.scope}" does not cover {payload.site}/{payload.book}', code="scope")
    return SigningKey(key, public.algorithm, grant_id(origin, key.keyid, payload.holder, key.scope, key.role))


def check_grant_word(word: bytes, keyid: str, index: int, authorities: Sequence[bytes]) -> None:
    """Check 4, what the registry says: enrolled by an authority of the trust file, in force at `index`."""
    enroller, enrolled_at, revoked_at = unpack_word(word)
    name = f"key {keyid[:16]}…"
    if not any(word):
        raise GrantError(f"{name}: the registry holds no grant for this log, holder, scope and role", code="no-grant")
    if bytes.fromhex(enroller[2:]) not in authorities:
        raise GrantError(f"{name} was enrolled by {enroller}, no authority of the trust file", code="enroller")
    if index < enrolled_at:
        raise GrantError(
            f"{name} was enrolled when the log had {enrolled_at} entries, after this record (index {index})",
            code="not-yet-enrolled",
        )
    if index >= revoked_at:
        raise GrantError(f"{name} is revoked from index {revoked_at} on; this record has index {index}", code="revoked")


def check_grants(
    state: ChainState, signing: Sequence[SigningKey], index: int, chain: TrustedChain
) -> tuple[tuple[int, int], ...]:
    """Check 4 under one header. Returns (enrolledAt, revokedAt) of each signer."""
    state.check_registry()
    # All words are read before any is judged, so that a refusal never depends on the order of the signers and every
    # node that a bundle carries for them counts as used.
    words = [state.grant_word(key.g) for key in signing]
    for key, word in zip(signing, words, strict=True):
        check_grant_word(word, key.claim.keyid, index, chain.authorities)
    return tuple(unpack_word(word)[1:] for word in words)


def describe_grants(keys: Sequence[BundleKey], spans: Sequence[tuple[int, int]]) -> str:
    """One clause a signer, for check 4's line."""
    return "; ".join(
        f'{key.keyid[:16]}… {key.role.name.lower()}, scope "{key.scope}", from index {start}'
        + ("" if end == NEVER else f" to {end}")
        for key, (start, end) in zip(keys, spans, strict=True)
    )


def check_signatures(envelope: Envelope, payload: Payload, keys: Sequence[BundleKey]) -> None:
    """Check 5: exactly the payload's signers, in their order, each over the exact payload bytes."""
    if tuple(signature.keyid for signature in envelope.signatures) != payload.signers:
        raise SignatureError("the signatures are not those of the payload's signers, in their order", code="signers")
    message = dsse.pae(envelope.payload_type, envelope.payload)
    spki = {key.keyid: key.spki for key in keys}
    for signature in envelope.signatures:
        if signature.keyid not in spki:
            raise SignatureError(f"no key for signature {signature.keyid[:16]}…", code="unknown-key")
        try:
            key = load_public_key(spki[signature.keyid])
        except ValueError as error:
            raise SignatureError(f"key {signature.keyid[:16]}…: {error}", code="bad-key") from error
        if key.keyid != signature.keyid:
            raise SignatureError(f"the key given for {signature.keyid[:16]}… is another key", code="unknown-key")
        key.verify(signature.sig, message)


def check_entry(envelope: Envelope, payload: Payload, received: int, keys: Sequence[BundleKey]) -> tuple[str, bytes]:
    """Check 6: the entry, rebuilt from the envelope and `received`. Returns record_id and leaf hash.

    There is nothing to compare with in a bundle: that these bytes are the log's is what check 7 then shows.
    """
    record_id = record.record_id_of(envelope.payload)
    try:
        algorithms = [load_public_key(key.spki).algorithm for key in keys]
        entry = entry_of(envelope, payload, record_id, received, algorithms)
    except ValueError as error:
        raise VerificationError(f"the entry cannot be rebuilt: {error}", check=6, code="entry") from error
    return record_id, leaf_hash(entry)


def check_inclusion(bundle: Bundle, leaf: bytes, checkpoint: Checkpoint) -> int:
    """Check 7: the leaf stands at the proof's index under the verified root. Returns that index, from now on a fact."""
    verify_inclusion(bundle.index, checkpoint.size, leaf, bundle.hashes, checkpoint.root)
    return bundle.index


def check_checkpoint(note: bytes, trust: TrustFile) -> Checkpoint:
    """Check 8: signed by a log key in force for its size."""
    try:
        return open_checkpoint(note, trust.origin, trust.log_keys)
    except VerificationError as error:
        raise _as_check(8, error) from error


def check_root_stored(found: AnchoredRoot, checkpoint: Checkpoint, header: Header) -> Meta:
    """Check 9: the contract holds this root for this size. Returns when it took it."""
    if not found.present:
        raise VerificationError(f"the contract holds no root for size {checkpoint.size}", check=9, code="not-anchored")
    if found.root != checkpoint.root:
        raise VerificationError(
            f"the contract holds another root for size {checkpoint.size} than the checkpoint: the log has forked",
            check=9,
            code="other-root",
        )
    try:
        meta = unpack_meta(found.meta)
    except ValueError as error:
        raise VerificationError(str(error), check=9, code="bad-meta") from error
    if meta.block > header.number or meta.timestamp_s > header.timestamp_s or not meta.block:
        raise VerificationError(
            f"the root is said to be stored in block {meta.block}, after the header's block {header.number}",
            check=9,
            code="bad-meta",
        )
    return meta


def read_header(raw: bytes) -> Header:
    """Check 10's first half: the bytes are a block header."""
    try:
        return parse_header(raw)
    except ValueError as error:
        raise VerificationError(f"not a block header: {error}", check=10, code="bad-header") from error


def header_names(header: Header, kind: str) -> tuple[bytes, ...]:
    """The hashes by which a chain of this kind may know the block: the RLP's own, and on QBFT the one without seals."""
    if kind == QBFT and header.qbft_hash is not None:
        return (header.hash, header.qbft_hash)
    return (header.hash,)


def check_pinned(header: Header, chain: TrustedChain) -> bool:
    """Check 10 by the trust file: True when the header is pinned, False when nothing is pinned at its number.

    Raises:
        VerificationError: another block is pinned at this number.
    """
    pinned = chain.pinned_hashes(header.number)
    if any(name in pinned for name in header_names(header, chain.kind)):
        return True
    if pinned:
        raise VerificationError(
            f"block {header.number} is pinned as 0x{pinned[0].hex()}; the header's hash is 0x{header.hash.hex()}",
            check=10,
            code="not-pinned",
        )
    return False


def lift_for_header(header: Header, chain: TrustedChain) -> str:
    """What a person does when check 10 has nothing to stand on."""
    seals = " (QBFT seals are reserved and not yet checked)" if chain.kind == QBFT else ""
    return (
        f"block {header.number} is not pinned in the trust file{seals}; name an endpoint with --rpc URL, "
        f"or have the authority pin 0x{header_names(header, chain.kind)[-1].hex()}"
    )


def check_disclosures(disclosures: Sequence[str], payload: Payload) -> int:
    """Check 11: each string is one of `_sd`. Returns how many digests are not shown."""
    try:
        parsed = [parse_disclosure(text) for text in disclosures]
        match_disclosures(parsed, payload, record.disclosable_pointers(payload.kind))
    except VerificationError as error:
        raise _as_check(11, error) from error
    return len(payload.sd) - len(parsed)


def check_receipt(
    note: bytes, trust: TrustFile, *, record_id: str, leaf: bytes, index: int, received: int
) -> ReceiptNote:
    """Check 12: signed by a receipt key of the trust file, and of this very entry."""
    try:
        receipt = parse_receipt(note, trust.receipt_keys)
    except VerificationError as error:
        raise _as_check(12, error) from error
    expected = {
        "origin": (receipt.origin, trust.origin),
        "record_id": (receipt.record_id, record_id),
        "leaf hash": (receipt.leaf_hash, leaf),
        "index": (receipt.index, index),
        "received": (receipt.received, received),
    }
    differing = [name for name, (said, found) in expected.items() if said != found]
    if differing:
        raise VerificationError(
            f"the receipt says another {' and '.join(differing)} than the log", check=12, code="receipt-differs"
        )
    return receipt


def _as_check(number: int, error: LedgerError) -> VerificationError:
    """The same finding under the number of the check that was being made (a strict-JSON refusal says check 1)."""
    if isinstance(error, VerificationError) and error.check == number:
        return error
    return VerificationError(error.detail, check=number, code=error.code, pointer=error.pointer)
