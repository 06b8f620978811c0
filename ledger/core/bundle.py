"""The bundle: one file that proves one record to somebody who trusts nobody (formats.md section 7).

Reading it proves nothing; `ledger.core.verification.verify_bundle` does. This module only says whether the bytes are a
bundle. Reserved and refused by name: `jws`, `timestamps`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ledger.core import dsse, strictjson
from ledger.core.disclosure import MAX_DISCLOSURES
from ledger.core.dsse import MAX_SIGNATURES
from ledger.core.encoding import b64_encode, is_hex_32
from ledger.core.members import MemberError, base64_bytes, boolean, exact_object, integer, items, text
from ledger.core.merkle import MAX_PROOF_HASHES
from ledger.core.trie import MAX_NODES
from ledger.errors import MalformedRecordError, TooLargeError
from ledger.model import Envelope, LeafIndex, Role, UnixMs

MEDIA_TYPE = "application/vnd.hazledger.bundle.v1+json"
FILE_SUFFIX = ".hzb.json"
MAX_BUNDLE_BYTES = 512 * 1024
"""Envelope 72 KiB, 64 disclosures of some 5 KiB at the very most, 64 trie nodes of 0.7 KiB, and room."""

# A branch of 17 hashes has 532 bytes, a leaf with an account 150; a header of the newest fork some 650.
MAX_NODE_BYTES = 1024
MAX_HEADER_BYTES = 8 * 1024
_MAX_INDEX = 2**48 - 2

_REQUIRED = frozenset({"mediaType", "disclosures", "received", "proof", "keys", "state"})
_ENTRANCES = ("envelope", "jws")
_OPTIONAL = frozenset({*_ENTRANCES, "receipt", "timestamps"})


@dataclass(frozen=True, slots=True)
class BundleKey:
    """A signer's key and the words of its grant; all claims until check 4 finds the grant in the registry."""

    keyid: str
    spki: bytes
    role: Role
    scope: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed bundle. `hashes` are 32 bytes each; `checkpoint` and `receipt` are exact notes; `nodes` are RLP."""

    envelope: Envelope
    disclosures: tuple[str, ...]
    received: UnixMs
    index: LeafIndex
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    keys: tuple[BundleKey, ...]
    header: bytes
    anchored: bool
    nodes: tuple[bytes, ...]
    receipt: bytes | None = None


def parse_bundle(data: bytes) -> Bundle:
    """Read a bundle strictly: check 1.

    Raises:
        TooLargeError: more than MAX_BUNDLE_BYTES.
        MalformedRecordError: code `unknown-format` for another media type or version, `jws-not-supported` and
            `timestamps-not-supported` for what is reserved, `bundle` or strictjson's codes for the rest.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise TooLargeError(f"the bundle has {len(data)} bytes; at most {MAX_BUNDLE_BYTES} are read")
    try:
        members = strictjson.loads_members(data)
        return _bundle({name: value for name, (value, _) in members.items()}, members.get("envelope", (None, b""))[1])
    except MemberError as error:
        raise MalformedRecordError(str(error), code="bundle", pointer=error.pointer) from error


def encode_bundle(bundle: Bundle) -> bytes:
    """The bundle's bytes: no white space, members in the order of formats.md, the envelope as it came."""
    document: dict[str, Any] = {
        "disclosures": list(bundle.disclosures),
        "received": bundle.received,
        "proof": {
            "index": bundle.index,
            "hashes": [b64_encode(item) for item in bundle.hashes],
            "checkpoint": bundle.checkpoint.decode(),
        },
        "keys": [
            {"keyid": key.keyid, "spki": b64_encode(key.spki), "role": int(key.role), "scope": key.scope}
            for key in bundle.keys
        ],
        "state": {
            "header": b64_encode(bundle.header),
            "anchored": bundle.anchored,
            "nodes": [b64_encode(node) for node in bundle.nodes],
        },
    }
    if bundle.receipt is not None:
        document["receipt"] = bundle.receipt.decode()
    rest = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    # The envelope is embedded as the bytes that came: whoever cuts it out again holds what the signer sent.
    return b'{"mediaType":"%b","envelope":%b,%b' % (MEDIA_TYPE.encode(), bundle.envelope.raw.strip(), rest[1:])


def _bundle(document: dict[str, Any], raw_envelope: bytes) -> Bundle:
    media_type = document.get("mediaType")
    if media_type != MEDIA_TYPE:
        named = repr(media_type[:100]) if isinstance(media_type, str) else "missing"
        raise MalformedRecordError(
            f"mediaType is {named}; this version reads {MEDIA_TYPE}", code="unknown-format", pointer="/mediaType"
        )
    exact_object(document, "", _REQUIRED, _OPTIONAL)
    if sum(name in document for name in _ENTRANCES) != 1:
        raise MemberError('exactly one of "envelope" and "jws" is expected', "")
    if "jws" in document:
        dsse.refuse_jws()
    if "timestamps" in document:
        raise MalformedRecordError(
            "RFC 3161 timestamps are reserved and not read by this version; ask for a bundle without them",
            code="timestamps-not-supported",
            pointer="/timestamps",
        )
    proof = exact_object(document["proof"], "/proof", frozenset({"index", "hashes", "checkpoint"}))
    state = exact_object(document["state"], "/state", frozenset({"header", "anchored", "nodes"}))
    return Bundle(
        envelope=dsse.envelope_from_object(document["envelope"], raw_envelope),
        disclosures=items(document["disclosures"], "/disclosures", text, most=MAX_DISCLOSURES),
        received=UnixMs(integer(document["received"], "/received", least=1)),
        index=LeafIndex(integer(proof["index"], "/proof/index", most=_MAX_INDEX)),
        hashes=items(proof["hashes"], "/proof/hashes", _hash, most=MAX_PROOF_HASHES),
        checkpoint=text(proof["checkpoint"], "/proof/checkpoint").encode(),
        keys=items(document["keys"], "/keys", _key, least=1, most=MAX_SIGNATURES),
        header=base64_bytes(state["header"], "/state/header", most=MAX_HEADER_BYTES),
        anchored=boolean(state["anchored"], "/state/anchored"),
        nodes=items(state["nodes"], "/state/nodes", _node, most=MAX_NODES),
        receipt=text(document["receipt"], "/receipt").encode() if "receipt" in document else None,
    )


def _hash(value: Any, pointer: str) -> bytes:
    return base64_bytes(value, pointer, length=32)


def _node(value: Any, pointer: str) -> bytes:
    return base64_bytes(value, pointer, most=MAX_NODE_BYTES)


def _key(value: Any, pointer: str) -> BundleKey:
    exact_object(value, pointer, frozenset({"keyid", "spki", "role", "scope"}))
    keyid = text(value["keyid"], f"{pointer}/keyid")
    if not is_hex_32(keyid):
        raise MemberError("keyid is 64 lower-case hex digits", f"{pointer}/keyid")
    role = integer(value["role"], f"{pointer}/role")
    if role not in set(Role):
        raise MemberError(f"{role} is no role", f"{pointer}/role")
    return BundleKey(
        keyid=keyid,
        spki=base64_bytes(value["spki"], f"{pointer}/spki", most=128),
        role=Role(role),
        scope=text(value["scope"], f"{pointer}/scope"),
    )
