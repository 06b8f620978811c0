"""Evidence against the operator: files that prove a contradiction to anybody who holds the trust file (formats.md 9).

`application/vnd.hazledger.evidence.v1+json`. Each maker checks its own product with `check_evidence` before it is
handed out, because an accusation that does not stand up is worse than none. book-fork is reserved for the platform's
own door (two envelopes at one seq); it is named and not made here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ledger.core import strictjson
from ledger.core.bundle import MAX_HEADER_BYTES, MAX_NODE_BYTES
from ledger.core.encoding import b64_encode
from ledger.core.grants import log_id
from ledger.core.members import MemberError, base64_bytes, exact_object, items, text
from ledger.core.merkle import MAX_PROOF_HASHES, verify_consistency, verify_inclusion
from ledger.core.receipt import parse_receipt
from ledger.core.trie import MAX_NODES, Header, NodeSet, parse_header
from ledger.core.trust import TrustedChain, TrustFile
from ledger.core.verification.checks import check_checkpoint, check_pinned, header_names
from ledger.core.verification.state import ChainState, ChainView
from ledger.errors import MalformedRecordError, VerificationError

MEDIA_TYPE = "application/vnd.hazledger.evidence.v1+json"
CHECKPOINT_FORK = "checkpoint-fork"
RECEIPT_BROKEN = "receipt-broken"
BOOK_FORK = "book-fork"


def checkpoint_fork(first: bytes, second: bytes, trust: TrustFile, proof: dict[str, Any]) -> bytes:
    """Two signed checkpoints that no one log can have.

    Args:
        first: the note of the smaller tree (or of either, when the sizes are equal).
        second: the note of the larger.
        trust: the trust file.
        proof: empty for equal sizes, else what `prefix_proof` gives: another root at the first one's size.
    """
    return _made(CHECKPOINT_FORK, [first, second], proof, trust)


def prefix_proof(root: bytes, hashes: Sequence[bytes]) -> dict[str, Any]:
    """The root that the larger tree has at the smaller size, with its RFC 9162 consistency proof."""
    return {"root": b64_encode(root), "hashes": [b64_encode(item) for item in hashes]}


def broken_by_leaf(receipt: bytes, note: bytes, trust: TrustFile, *, leaf: bytes, hashes: Sequence[bytes]) -> bytes:
    """A receipt, and a signed checkpoint under which another leaf stands at its index."""
    proof = {"leaf": b64_encode(leaf), "hashes": [b64_encode(item) for item in hashes]}
    return _made(RECEIPT_BROKEN, [receipt, note], proof, trust)


def broken_by_head(receipt: bytes, trust: TrustFile, state: ChainState) -> bytes:
    """A receipt, and a final header later than its merge-by under which the contract's head is not past its index."""
    proof = {
        "header": b64_encode(state.header.raw),
        "nodes": [b64_encode(node) for node in state.nodes.used()],
    }
    return _made(RECEIPT_BROKEN, [receipt], proof, trust)


def check_evidence(data: bytes, trust: TrustFile, *, rpc: ChainView | None = None) -> str:
    """What the evidence proves, as a sentence.

    A header in it counts when the trust file pins it or `rpc` has it on its chain; otherwise the sentence says that this
    remains to be shown.

    Raises:
        VerificationError: it proves nothing; the number of the check that fails.
    """
    try:
        document = strictjson.loads(data)
        if not isinstance(document, dict) or document.get("mediaType") != MEDIA_TYPE:
            raise MalformedRecordError(f"not {MEDIA_TYPE}", code="unknown-format")
        exact_object(document, "", frozenset({"mediaType", "kind", "items", "proof"}))
        notes = [item.encode() for item in items(document["items"], "/items", text, least=1, most=4)]
        kind = text(document["kind"], "/kind")
        if kind == CHECKPOINT_FORK and len(notes) == 2:
            return _check_fork(notes[0], notes[1], document["proof"], trust)
        if kind == RECEIPT_BROKEN and len(notes) == 2:
            return _check_other_leaf(notes[0], notes[1], document["proof"], trust)
        if kind == RECEIPT_BROKEN and len(notes) == 1:
            return _check_late_head(notes[0], document["proof"], trust, rpc)
    except MemberError as error:
        raise MalformedRecordError(str(error), code="evidence", pointer=error.pointer) from error
    raise MalformedRecordError(f"evidence of kind {kind[:40]!r} is not read by this version", code="unknown-format")


def _made(kind: str, notes: Sequence[bytes], proof: dict[str, Any], trust: TrustFile) -> bytes:
    document = {"mediaType": MEDIA_TYPE, "kind": kind, "items": [note.decode() for note in notes], "proof": proof}
    data = (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
    check_evidence(data, trust)
    return data


def _check_fork(first: bytes, second: bytes, proof: Any, trust: TrustFile) -> str:
    old, new = check_checkpoint(first, trust), check_checkpoint(second, trust)
    if old.size == new.size:
        exact_object(proof, "/proof", frozenset())
        if old.root == new.root:
            raise _nothing("both checkpoints name the same root", 8)
        return f"the log signed two roots for size {old.size}"
    exact_object(proof, "/proof", frozenset({"root", "hashes"}))
    root = base64_bytes(proof["root"], "/proof/root", length=32)
    if old.size == 0 or root == old.root:
        raise _nothing("the roots do not contradict each other", 8)
    verify_consistency(old.size, new.size, root, new.root, _hashes(proof["hashes"]))
    return f"the log signed a root for size {old.size} that is not that of the tree it signed at size {new.size}"


def _check_other_leaf(receipt_note: bytes, note: bytes, proof: Any, trust: TrustFile) -> str:
    receipt = parse_receipt(receipt_note, trust.receipt_keys)
    checkpoint = check_checkpoint(note, trust)
    exact_object(proof, "/proof", frozenset({"leaf", "hashes"}))
    leaf = base64_bytes(proof["leaf"], "/proof/leaf", length=32)
    if leaf == receipt.leaf_hash:
        raise _nothing("the leaf is the receipt's", 12)
    verify_inclusion(receipt.index, checkpoint.size, leaf, _hashes(proof["hashes"]), checkpoint.root)
    return f"the log signed a receipt for index {receipt.index} and a tree with another leaf there"


def _check_late_head(receipt_note: bytes, proof: Any, trust: TrustFile, rpc: ChainView | None) -> str:
    receipt = parse_receipt(receipt_note, trust.receipt_keys)
    exact_object(proof, "/proof", frozenset({"header", "nodes"}))
    nodes = items(proof["nodes"], "/proof/nodes", lambda v, p: base64_bytes(v, p, most=MAX_NODE_BYTES), most=MAX_NODES)
    chain = trust.chain_for(receipt.index + 1)
    if chain is None:
        raise _nothing(f"the trust file names no chain for size {receipt.index + 1}", 2)
    try:
        header = parse_header(base64_bytes(proof["header"], "/proof/header", most=MAX_HEADER_BYTES))
        state = ChainState(header, NodeSet(nodes), chain, log_id(trust.origin))
    except MemberError:
        raise
    except ValueError as error:
        raise _nothing(str(error), 10) from error
    size = state.head()[0]
    if size > receipt.index:
        raise _nothing(f"the contract's head has size {size}, past index {receipt.index}", 12)
    if header.timestamp_s * 1000 <= receipt.merge_by:
        raise _nothing("the header is not later than merge-by", 12)
    return (
        f"the log promised index {receipt.index} by {receipt.merge_by}, and at block {header.number} the contract's head "
        f"had size {size}" + _header_standing(header, chain, rpc)
    )


def _header_standing(header: Header, chain: TrustedChain, rpc: ChainView | None) -> str:
    if check_pinned(header, chain):
        return ""
    if rpc is not None:
        if rpc.block_hash(header.number) not in header_names(header, chain.kind):
            raise _nothing(f"the header is not block {header.number} of the endpoint's chain", 10)
        return ""
    return f"; that 0x{header.hash.hex()} is block {header.number} remains to be shown by the chain"


def _hashes(value: Any) -> tuple[bytes, ...]:
    return items(value, "/proof/hashes", lambda v, p: base64_bytes(v, p, length=32), most=MAX_PROOF_HASHES)


def _nothing(detail: str, check: int) -> VerificationError:
    return VerificationError(f"the evidence proves nothing: {detail}", check=check, code="no-evidence")
