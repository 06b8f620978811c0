"""The trust file: everything a verifier believes before it has read a single byte of evidence (formats.md section 8).

The authority prints it and hands it out. Origin, keys of the log, contract addresses, code hashes, storage slots, the
accounts that may enrol: all of it comes from here and never from a bundle. Ranges are half-open and count tree sizes
or block numbers, never dates, so a bundle does not expire.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger.core import strictjson
from ledger.core.checkpoint import LogKey, check_origin
from ledger.core.encoding import sha256
from ledger.core.members import (
    MemberError,
    exact_object,
    hex_bytes,
    integer,
    items,
    text,
)
from ledger.core.note import VerifierKey
from ledger.core.receipt import receipt_key_name
from ledger.errors import MalformedRecordError, VerificationError

MEDIA_TYPE = "application/vnd.hazledger.trust.v1+json"
MAX_TRUST_BYTES = 1024 * 1024
"""Room for ten thousand pinned blocks; what is larger is not a trust file."""

QBFT = "qbft"
DEVELOPMENT = "development"

_MAX_KEYS = 1_000
_MAX_CHAINS = 100
_MAX_PINNED = 10_000
_MAX_SLOT = 255


class TrustFileError(VerificationError):
    """The trust file itself cannot be used (check 2). Ask the authority for it again; code `unknown-format` names a
    version that this program does not read.
    """

    default_code = "trust-file"

    def __init__(self, detail: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(detail, check=2, code=code, pointer=pointer)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of tree sizes or block numbers; `end` None is open."""

    start: int
    end: int | None

    def __contains__(self, value: int) -> bool:
        return self.start <= value and (self.end is None or value < self.end)

    def overlaps(self, other: Span) -> bool:
        """True when some value is in both."""
        return (other.end is None or self.start < other.end) and (self.end is None or other.start < self.end)


@dataclass(frozen=True, slots=True)
class CheckpointLogContract:
    """Where CheckpointLog stands and how its storage is laid out. `address` 20 bytes, `code_hash` 32."""

    address: bytes
    code_hash: bytes
    head_slot: int
    root_at_slot: int
    meta_at_slot: int


@dataclass(frozen=True, slots=True)
class KeyRegistryContract:
    """Where KeyRegistry stands and the base slot of `grants`."""

    address: bytes
    code_hash: bytes
    grants_slot: int


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """The QBFT validators of a range of blocks (20-byte addresses)."""

    blocks: Span
    addresses: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PinnedBlock:
    """A block that the authority vouches for by its hash."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class TrustedChain:
    """One chain, for checkpoints whose size is in `sizes`."""

    sizes: Span
    kind: str
    chain_id: int
    genesis: bytes
    checkpoint_log: CheckpointLogContract
    key_registry: KeyRegistryContract
    authorities: tuple[bytes, ...]
    validators: tuple[ValidatorSet, ...]
    pinned: tuple[PinnedBlock, ...]

    def pinned_hashes(self, number: int) -> tuple[bytes, ...]:
        """Hashes pinned for this block number: none, one, or several after a development chain was re-made."""
        return tuple(block.hash for block in self.pinned if block.number == number)


@dataclass(frozen=True, slots=True)
class TrustFile:
    """A parsed trust file. `digest` is the SHA-256 of the exact bytes it was read from, which every verdict prints."""

    origin: str
    log_keys: tuple[LogKey, ...]
    receipt_keys: tuple[VerifierKey, ...]
    chains: tuple[TrustedChain, ...]
    digest: bytes

    def chain_for(self, size: int) -> TrustedChain | None:
        """The chain on which a checkpoint of this size is anchored."""
        return next((chain for chain in self.chains if size in chain.sizes), None)

    def newest_chain(self) -> TrustedChain:
        """The chain that goes on: the one whose range ends last."""
        return max(self.chains, key=lambda chain: (chain.sizes.end is None, chain.sizes.start))

    def with_pinned(self, number: int, block_hash: bytes, *, size: int | None = None) -> TrustFile:
        """The trust file with one more pinned block, on the chain for `size` (the newest when None). A new digest."""
        target = self.newest_chain() if size is None else self.chain_for(size)
        if target is None:
            raise TrustFileError(f"no chain is named for checkpoints of size {size}", code="no-chain")
        block = PinnedBlock(number, block_hash)
        if block in target.pinned:
            return self
        pinned = (*target.pinned, block)
        chains = tuple(replace(chain, pinned=pinned) if chain is target else chain for chain in self.chains)
        return parse_trust(encode_trust(replace(self, chains=chains)))


def parse_trust(data: bytes) -> TrustFile:
    """Read a trust file strictly.

    Raises:
        TrustFileError: code `unknown-format` for another media type or version, `trust-file` for anything else, with
            the pointer of the member.
    """
    if len(data) > MAX_TRUST_BYTES:
        raise TrustFileError(f"the trust file has {len(data)} bytes; at most {MAX_TRUST_BYTES} are read")
    try:
        return _trust(strictjson.loads(data), sha256(data))
    except MemberError as error:
        raise TrustFileError(f"trust file, {error}", pointer=error.pointer) from error
    except MalformedRecordError as error:
        raise TrustFileError(f"trust file: {error.detail}", code=error.code) from error


def encode_trust(trust: TrustFile) -> bytes:
    """The file for this content: indented, because it is printed and read by people. Ignores `trust.digest`."""
    document = {
        "mediaType": MEDIA_TYPE,
        "origin": trust.origin,
        "logKeys": [
            {"vkey": key.verifier.to_vkey(), "fromSize": key.from_size, "toSize": key.to_size} for key in trust.log_keys
        ],
        "receiptKeys": [{"vkey": key.to_vkey()} for key in trust.receipt_keys],
        "chains": [_chain_document(chain) for chain in trust.chains],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def make_trust(
    *, origin: str, log_vkeys: Sequence[str], receipt_vkeys: Sequence[str], chains: Sequence[TrustedChain]
) -> bytes:
    """The bytes of a trust file whose log keys are in force for every size; read back before they are returned."""
    trust = TrustFile(
        origin=origin,
        log_keys=tuple(LogKey(VerifierKey.parse(vkey)) for vkey in log_vkeys),
        receipt_keys=tuple(VerifierKey.parse(vkey) for vkey in receipt_vkeys),
        chains=tuple(chains),
        digest=b"",
    )
    data = encode_trust(trust)
    parse_trust(data)
    return data


def _chain_document(chain: TrustedChain) -> dict[str, Any]:
    log, registry = chain.checkpoint_log, chain.key_registry
    return {
        "fromSize": chain.sizes.start,
        "toSize": chain.sizes.end,
        "kind": chain.kind,
        "chainId": chain.chain_id,
        "genesis": _hex(chain.genesis),
        "checkpointLog": {
            "address": _hex(log.address),
            "codeHash": _hex(log.code_hash),
            "headSlot": log.head_slot,
            "rootAtSlot": log.root_at_slot,
            "metaAtSlot": log.meta_at_slot,
        },
        "keyRegistry": {
            "address": _hex(registry.address),
            "codeHash": _hex(registry.code_hash),
            "grantsSlot": registry.grants_slot,
        },
        "authorities": [_hex(address) for address in chain.authorities],
        "validators": [
            {
                "fromBlock": entry.blocks.start,
                "toBlock": entry.blocks.end,
                "addresses": [_hex(address) for address in entry.addresses],
            }
            for entry in chain.validators
        ],
        "pinned": [{"number": block.number, "hash": _hex(block.hash)} for block in chain.pinned],
    }


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _trust(document: Any, digest: bytes) -> TrustFile:
    media_type = document.get("mediaType") if isinstance(document, dict) else None
    if media_type != MEDIA_TYPE:
        named = repr(media_type[:100]) if isinstance(media_type, str) else "missing"
        raise TrustFileError(
            f"the trust file's mediaType is {named}; this version reads {MEDIA_TYPE}",
            code="unknown-format",
            pointer="/mediaType",
        )
    exact_object(document, "", frozenset({"mediaType", "origin", "logKeys", "receiptKeys", "chains"}))
    chains = items(document["chains"], "/chains", _chain, least=1, most=_MAX_CHAINS)
    for at, chain in enumerate(chains):
        for other in chains[:at]:
            if chain.sizes.overlaps(other.sizes):
                raise MemberError("two chains are named for one checkpoint size", f"/chains/{at}")
    origin = _origin(document["origin"], "/origin")
    log_keys = items(document["logKeys"], "/logKeys", _log_key, least=1, most=_MAX_KEYS)
    receipt_keys = items(document["receiptKeys"], "/receiptKeys", _receipt_key, most=_MAX_KEYS)
    # A key under another name could never sign a note of this log: a slip of whoever made the file.
    for at, log_key in enumerate(log_keys):
        if log_key.verifier.name != origin:
            raise MemberError(f"a log key is named {origin}", f"/logKeys/{at}/vkey")
    for at, receipt_key in enumerate(receipt_keys):
        if receipt_key.name != receipt_key_name(origin):
            raise MemberError(f"a receipt key is named {receipt_key_name(origin)}", f"/receiptKeys/{at}/vkey")
    return TrustFile(origin=origin, log_keys=log_keys, receipt_keys=receipt_keys, chains=chains, digest=digest)


def _origin(value: Any, pointer: str) -> str:
    try:
        return check_origin(text(value, pointer))
    except MemberError:
        raise
    except ValueError as error:
        raise MemberError(str(error), pointer) from error


def _span(value: Any, pointer: str, start: str, end: str) -> Span:
    first = integer(value[start], f"{pointer}/{start}")
    if value[end] is None:
        return Span(first, None)
    last = integer(value[end], f"{pointer}/{end}")
    if last <= first:
        raise MemberError("an empty range", f"{pointer}/{end}")
    return Span(first, last)


def _vkey(value: Any, pointer: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text(value, pointer))
    except MemberError:
        raise
    except (ValueError, VerificationError) as error:
        raise MemberError(f"not a note verifier key: {error}", pointer) from error


def _log_key(value: Any, pointer: str) -> LogKey:
    exact_object(value, pointer, frozenset({"vkey", "fromSize", "toSize"}))
    sizes = _span(value, pointer, "fromSize", "toSize")
    return LogKey(_vkey(value["vkey"], f"{pointer}/vkey"), sizes.start, sizes.end)


def _receipt_key(value: Any, pointer: str) -> VerifierKey:
    exact_object(value, pointer, frozenset({"vkey"}))
    return _vkey(value["vkey"], f"{pointer}/vkey")


def _address(value: Any, pointer: str) -> bytes:
    return hex_bytes(value, pointer, length=20)


def _hash(value: Any, pointer: str) -> bytes:
    return hex_bytes(value, pointer, length=32)


def _slot(value: Any, pointer: str) -> int:
    return integer(value, pointer, most=_MAX_SLOT)


def _chain(value: Any, pointer: str) -> TrustedChain:
    names = "fromSize toSize kind chainId genesis checkpointLog keyRegistry authorities validators pinned"
    exact_object(value, pointer, frozenset(names.split()))
    kind = text(value["kind"], f"{pointer}/kind")
    if kind not in (QBFT, DEVELOPMENT):
        raise MemberError(f'kind is "{QBFT}" or "{DEVELOPMENT}"', f"{pointer}/kind")
    return TrustedChain(
        sizes=_span(value, pointer, "fromSize", "toSize"),
        kind=kind,
        chain_id=integer(value["chainId"], f"{pointer}/chainId", least=1),
        genesis=_hash(value["genesis"], f"{pointer}/genesis"),
        checkpoint_log=_checkpoint_log(value["checkpointLog"], f"{pointer}/checkpointLog"),
        key_registry=_key_registry(value["keyRegistry"], f"{pointer}/keyRegistry"),
        authorities=items(value["authorities"], f"{pointer}/authorities", _address, least=1, most=_MAX_KEYS),
        validators=items(value["validators"], f"{pointer}/validators", _validators, most=_MAX_KEYS),
        pinned=items(value["pinned"], f"{pointer}/pinned", _pinned, most=_MAX_PINNED),
    )


def _checkpoint_log(value: Any, pointer: str) -> CheckpointLogContract:
    exact_object(value, pointer, frozenset({"address", "codeHash", "headSlot", "rootAtSlot", "metaAtSlot"}))
    return CheckpointLogContract(
        address=_address(value["address"], f"{pointer}/address"),
        code_hash=_hash(value["codeHash"], f"{pointer}/codeHash"),
        head_slot=_slot(value["headSlot"], f"{pointer}/headSlot"),
        root_at_slot=_slot(value["rootAtSlot"], f"{pointer}/rootAtSlot"),
        meta_at_slot=_slot(value["metaAtSlot"], f"{pointer}/metaAtSlot"),
    )


def _key_registry(value: Any, pointer: str) -> KeyRegistryContract:
    exact_object(value, pointer, frozenset({"address", "codeHash", "grantsSlot"}))
    return KeyRegistryContract(
        address=_address(value["address"], f"{pointer}/address"),
        code_hash=_hash(value["codeHash"], f"{pointer}/codeHash"),
        grants_slot=_slot(value["grantsSlot"], f"{pointer}/grantsSlot"),
    )


def _validators(value: Any, pointer: str) -> ValidatorSet:
    exact_object(value, pointer, frozenset({"fromBlock", "toBlock", "addresses"}))
    addresses = items(value["addresses"], f"{pointer}/addresses", _address, least=1, most=_MAX_KEYS)
    if len(set(addresses)) != len(addresses):
        raise MemberError("a validator stands twice", f"{pointer}/addresses")
    return ValidatorSet(_span(value, pointer, "fromBlock", "toBlock"), addresses)


def _pinned(value: Any, pointer: str) -> PinnedBlock:
    exact_object(value, pointer, frozenset({"number", "hash"}))
    return PinnedBlock(integer(value["number"], f"{pointer}/number"), _hash(value["hash"], f"{pointer}/hash"))
