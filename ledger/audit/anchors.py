"""The anchor worker's store, against its own proofs, the journal's bytes and, where one is named, the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ledger.audit.log import LogTables
from ledger.audit.report import Report, Row
from ledger.core.grants import log_id
from ledger.core.slots import unpack_meta
from ledger.core.trie import keccak256, parse_header
from ledger.core.trust import TrustedChain, TrustFile
from ledger.core.verification.chainside import ChainSide
from ledger.core.verification.state import ChainView, open_proof
from ledger.errors import LedgerError, VerificationError
from ledger.model import StateProof, TreeSize
from ledger.ports import TableReader

SIZES_A_CALL = 100
_SELECTORS = {
    keccak256(b"anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32[])")[:4]: "anchor",
    keccak256(b"enrol(bytes32,bytes32,bytes32,bytes32,uint256)")[:4]: "enrol",
    keccak256(b"revoke(bytes32,uint48)")[:4]: "revoke",
    keccak256(b"grantRole(bytes32,address)")[:4]: "role",
}
_WORD = 32


class Transaction(Protocol):
    """What can be read off a signed transaction."""

    @property
    def sender(self) -> bytes: ...
    @property
    def nonce(self) -> int: ...
    @property
    def to(self) -> bytes: ...
    @property
    def data(self) -> bytes: ...


ReadTransaction = Callable[[bytes], Transaction]
StoredProof = Callable[[TreeSize], StateProof | None]


class AnchorTables:
    """`expect` before the log is read, `run` whenever."""

    def __init__(
        self,
        tables: TableReader,
        trust: TrustFile,
        report: Report,
        *,
        stored_proof: StoredProof,
        read_transaction: ReadTransaction,
        chain: ChainView | None,
        side: ChainSide | None,
    ) -> None:
        self._tables = tables
        self._trust = trust
        self._report = report
        self._stored_proof = stored_proof
        self._read = read_transaction
        self._chain = chain
        self._side = side
        self._log = log_id(trust.origin)

    def expect(self, log: LogTables) -> None:
        """Every anchor's root, and what the contract holds for its size, as roots that the leaves must have."""
        sizes: list[int] = []
        for row in self._tables.rows("anchor", "anchor"):
            if row["size"] > log.size:
                self._name(row).differs(
                    "size", f"the log has only {log.size} entries: it was rolled back", code="size-missing"
                )
                continue
            log.expect(row["size"], row["root"], f"the anchor stored for size {row['size']}", 9)
            sizes.append(row["size"])
            if len(sizes) == SIZES_A_CALL:
                self._held(log, sizes)
                sizes = []
        self._held(log, sizes)

    def run(self) -> None:
        """Every row of the four tables."""
        for row in self._tables.rows("anchor", "anchor"):
            self._report.saw("anchor.anchor")
            self._anchor(row)
        self._proofs()
        for row in self._tables.rows("anchor", "node"):
            self._report.saw("anchor.node")
            name = Row(self._report, "anchor.node", row["hash"].hex(), 9)
            name.compare("rlp", keccak256(row["rlp"]), row["hash"])
        self._journal()

    def _name(self, row: dict[str, Any]) -> Row:
        return Row(self._report, "anchor.anchor", f"size {row['size']}", 9)

    def _held(self, log: LogTables, sizes: list[int]) -> None:
        if self._side is None or not sizes:
            return
        try:
            held = {stored.size: stored for stored in self._side.stored_roots(sizes)}
        except VerificationError as error:
            Row(self._report, "chain", "", error.check).differs("", error.detail, code=error.code)
            self._side = None
            return
        for size in sizes:
            if size in held:
                log.audit.expect(held[size])
            else:
                Row(self._report, "anchor.anchor", f"size {size}", 9).differs(
                    "size", "the contract holds no root for it", code="not-anchored"
                )

    # --- anchors -----------------------------------------------------------------------------------------------------

    def _anchor(self, row: dict[str, Any]) -> None:
        name = self._name(row)
        chain = self._trust.chain_for(row["size"])
        if chain is None:
            name.differs("size", "the trust file names no chain for it", check=2)
            return
        try:
            proof = self._stored_proof(TreeSize(row["size"]))
            if proof is None:
                name.differs("proof", "its proof is missing", code="row-missing")
                return
            stored = open_proof(proof, chain, self._log).anchored_root(row["size"])
            meta = unpack_meta(stored.meta)
        except LedgerError as error:
            name.differs("proof", error.detail, code=error.code, check=getattr(error, "check", None))
            return
        except (LookupError, ValueError) as error:
            name.differs("proof", f"cannot be put together: {type(error).__name__}")
            return
        if not stored.present:
            name.differs("proof", "it proves that the contract holds no root of this size")
            return
        name.compare("root", row["root"], stored.root)
        name.compare("anchored_at_s", row["anchored_at_s"], meta.timestamp_s)
        name.compare("block_timestamp_s", row["block_timestamp_s"], meta.timestamp_s)
        name.compare("block_number", row["block_number"], meta.block)
        self._block_hash(name, row, proof, chain)
        self._transaction(name, row)

    def _block_hash(self, name: Row, row: dict[str, Any], proof: StateProof, chain: TrustedChain) -> None:
        known: bytes | None = None
        if proof.block.number == row["block_number"]:
            known = proof.block.hash
        elif self._chain is not None:
            known = self._chain.block_hash(row["block_number"])
        if known is None or not row["block_hash"]:
            return
        if chain.kind != "qbft" and not self._same_chain(proof):
            # A development chain that was made again from the journal has other headers; the roots are compared above.
            self._report.notes.append(
                f"anchor of size {row['size']}: its block is gone, the chain was made again since"
            )
            return
        name.compare("block_hash", row["block_hash"], known, check=10)

    def _same_chain(self, proof: StateProof) -> bool:
        return self._chain is None or self._chain.block_hash(proof.block.number) == proof.block.hash

    def _transaction(self, name: Row, row: dict[str, Any]) -> None:
        """The journal holds the anchoring transaction's bytes; where it does, they anchor this very size."""
        if not any(row["tx_hash"]):
            return  # an anchor found standing on a node that keeps no events
        found = self._tables.rows("anchor", "journal", by="tx_hash", start=row["tx_hash"], end=row["tx_hash"] + b"\x00")
        journalled = next(found, None)
        if journalled is None:
            name.differs("tx_hash", "the journal holds no such transaction")
            return
        try:
            data = self._read(journalled["raw_tx"]).data
        except ValueError:
            return  # the journal's own check names it
        if _kind(False, data) != "anchor" or int.from_bytes(data[4 + 2 * _WORD : 4 + 3 * _WORD], "big") != row["size"]:
            name.differs("tx_hash", "this transaction anchors another size")

    # --- proofs ------------------------------------------------------------------------------------------------------

    def _proofs(self) -> None:
        """Headers are those of their blocks; each proof continues the one before it."""
        hashes: set[bytes] = set()
        before: dict[str, Any] | None = None
        for row in self._tables.rows("anchor", "proof"):
            self._report.saw("anchor.proof")
            name = Row(self._report, "anchor.proof", f"id {row['id']}", 10)
            name.compare("id", row["id"], 1 if before is None else before["id"] + 1)
            try:
                header = parse_header(row["header"])
            except ValueError as error:
                name.differs("header", str(error))
            else:
                names = (header.hash, header.qbft_hash)
                if row["block_hash"] not in names:
                    name.compare("block_hash", row["block_hash"], header.hash)
                name.compare("block_number", row["block_number"], header.number)
                name.compare("block_timestamp_s", row["block_timestamp_s"], header.timestamp_s)
            hashes = self._delta(name, row, before, hashes)
            before = row

    def _delta(self, name: Row, row: dict[str, Any], before: dict[str, Any] | None, hashes: set[bytes]) -> set[bytes]:
        whole = row["base"] is None
        if not whole and (before is None or row["base"] != before["id"]):
            name.differs("base", "a proof is told from the one just before it", check=9)
        depth = 0 if whole or before is None else before["depth"] + 1
        name.compare("depth", row["depth"], depth, check=9)
        base = set() if whole else hashes
        added, removed = set(_split(row["added"])), set(_split(row["removed"]))
        if not removed <= base:
            name.differs("removed", "names nodes that the proof before does not have", check=9)
        if added & base:
            name.differs("added", "names nodes that the proof before has already", check=9)
        if any(
            next(self._tables.rows("anchor", "node", by="hash", start=one, end=one + b"\x00"), None) is None
            for one in added
        ):
            name.differs("added", "names nodes that are not kept", check=9)
        return (base - removed) | added

    # --- journal -----------------------------------------------------------------------------------------------------

    def _journal(self) -> None:
        """Each line is the transaction that its hash names, of the kind it says, in its block and in its order."""
        for expected, row in enumerate(self._tables.rows("anchor", "journal"), 1):
            self._report.saw("anchor.journal")
            name = Row(self._report, "anchor.journal", f"seq {row['seq']}", 9)
            name.compare("seq", row["seq"], expected)
            name.compare("tx_hash", row["tx_hash"], keccak256(row["raw_tx"]))
            try:
                transaction = self._read(row["raw_tx"])
            except ValueError as error:
                name.differs("raw_tx", str(error))
                continue
            name.compare("kind", row["kind"], _kind(not transaction.to, transaction.data))
            if row["block_number"] is not None and self._chain is not None:
                name.compare("block_hash", row["block_hash"], self._chain.block_hash(row["block_number"]), check=10)
        self._order()

    def _order(self) -> None:
        """In the order of blocks each sender's nonces follow each other: in that order a lost chain is made again."""
        next_nonce: dict[bytes, int] = {}
        for row in _in_block_order(self._tables):
            name = Row(self._report, "anchor.journal", f"seq {row['seq']}", 9)
            try:
                transaction = self._read(row["raw_tx"])
            except ValueError:
                continue
            expected = next_nonce.get(transaction.sender, transaction.nonce)
            if transaction.nonce != expected:
                detail = f"block {row['block_number']} puts nonce {transaction.nonce} where {expected} is next"
                name.differs("block_number", detail, code="journal-order")
            next_nonce[transaction.sender] = transaction.nonce + 1


def _in_block_order(tables: TableReader) -> Iterator[dict[str, Any]]:
    return tables.rows("anchor", "journal", by="block_number", start=0)


def _kind(creates: bool, data: bytes) -> str:
    return "deploy" if creates else _SELECTORS.get(data[:4], "unknown")


def _split(packed: bytes) -> list[bytes]:
    return [packed[at : at + _WORD] for at in range(0, len(packed), _WORD)]


def side_of(chain: ChainView | None, trust: TrustFile, report: Report) -> ChainSide | None:
    """The named endpoint, its identity checked against the trust file (check 2)."""
    if chain is None:
        report.skipped.append("the chain: name an endpoint with --rpc to compare anchors and grants with the contracts")
        return None
    try:
        return ChainSide(chain, trust)
    except VerificationError as error:
        Row(report, "chain", "", error.check).differs("", error.detail, code=error.code)
        return None
