"""The chain in memory: the contracts' rules without an EVM. The same test cases run against it and against Anvil."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.core.grants import grant_id, pack_word, unpack_word
from ledger.core.merkle import verify_consistency
from ledger.core.trie import keccak256
from ledger.errors import ChainError, ChainMismatchError, ChainRevertedError, ChainUnreachableError, VerificationError
from ledger.model import NEVER, Anchor, BlockNumber, BlockRef, LeafIndex, StateProof, TreeHead, TreeSize

NOTHING = TreeHead(TreeSize(0), bytes(32))


@dataclass
class FakeContracts:
    """What both contracts hold, and the blocks it came in. `faults` are raised by the next calls, one each."""

    submitters: set[str] = field(default_factory=lambda: {"submitter"})
    authorities: set[str] = field(default_factory=lambda: {"0x" + "a1" * 20})
    head: TreeHead = NOTHING
    roots: dict[int, tuple[bytes, int, int]] = field(default_factory=dict)
    words: dict[bytes, bytes] = field(default_factory=dict)
    blocks: list[BlockRef] = field(default_factory=list)
    transactions: dict[int, bytes] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    clock_off_s: int = 0

    def mine(self) -> BlockRef:
        number = len(self.blocks)
        parent = self.blocks[-1].hash if self.blocks else b""
        block = BlockRef(
            BlockNumber(number), keccak256(parent + number.to_bytes(8, "big")), int(self.clock()) + self.clock_off_s
        )
        self.blocks.append(block)
        return block

    def fault(self) -> None:
        if self.faults:
            raise self.faults.pop(0)


class FakeChain:
    """ports.Chain over FakeContracts. `state_proof` is no proof: its nodes are empty."""

    def __init__(self, contracts: FakeContracts | None = None, account: str | None = "submitter") -> None:
        self.contracts = contracts or FakeContracts()
        self._account = account
        if not self.contracts.blocks:
            self.contracts.mine()

    def check_identity(self) -> None:
        self.contracts.fault()

    def final_block(self) -> BlockRef:
        self.contracts.fault()
        return self.contracts.blocks[-1]

    def head(self) -> TreeHead:
        self.contracts.fault()
        return self.contracts.head

    def root_at(self, size: TreeSize) -> tuple[bytes, int, int] | None:
        self.contracts.fault()
        return self.contracts.roots.get(size)

    def anchored(self, size: TreeSize) -> Anchor | None:
        found = self.root_at(size)
        return None if found is None else self._anchor(TreeHead(size, found[0]))

    def anchor(self, old: TreeSize, new: TreeHead, note_hash: bytes, proof: Sequence[bytes]) -> Anchor:
        on = self.contracts
        on.fault()
        known = on.roots.get(new.size)
        if known is not None:
            if known[0] != new.root:
                raise ChainRevertedError(f"the chain holds another root for size {new.size}", reason="Fork")
            return self._anchor(new)
        if self._account is None:
            raise ChainError("this process has no account to send with")
        if abs(on.clock_off_s) > 60:
            raise ChainError("the chain's clock is off", code="chain-clock")
        if self._account not in on.submitters:
            raise _reverted("AccessControlUnauthorizedAccount")
        if not 0 < new.size < 2**48:
            raise _reverted("BadSize")
        if old != on.head.size:
            raise _reverted("StaleBase")
        if not _grows(on.head, new, proof):
            raise _reverted("BadProof")
        block = on.mine()
        on.head = new
        on.roots[new.size] = (new.root, block.timestamp_s, block.number)
        on.transactions[new.size] = keccak256(new.root + note_hash)
        return self._anchor(new)

    def grant_words(self, gs: Sequence[bytes]) -> list[bytes]:
        self.contracts.fault()
        return [self.contracts.words.get(g, bytes(32)) for g in gs]

    def state_proof(self, *, sizes: Sequence[TreeSize], gs: Sequence[bytes]) -> StateProof:
        self.contracts.fault()
        return StateProof(self.contracts.blocks[-1], b"", ())

    def recover(self) -> bool:
        self.contracts.fault()
        return False

    def status(self) -> dict[str, Any]:
        on = self.contracts
        status: dict[str, Any] = {"endpoint": "fake", "kind": "development", "chain_id": 1, "error": None}
        status |= {"submitter": self._account, "block": on.blocks[-1].number, "final_block": on.blocks[-1].number}
        status |= {"block_time_s": on.blocks[-1].timestamp_s, "lag_s": -on.clock_off_s, "head_size": on.head.size}
        if self._account is not None:
            status |= {"balance_wei": 0, "has_role": self._account in on.submitters}
        return status

    def _anchor(self, new: TreeHead) -> Anchor:
        _, timestamp_s, number = self.contracts.roots[new.size]
        block = self.contracts.blocks[number]
        return Anchor(new.size, new.root, block, self.contracts.transactions.get(new.size, bytes(32)), timestamp_s)


class FakeAuthority:
    """ports.Authority over the same FakeContracts."""

    def __init__(self, contracts: FakeContracts, origin: str, address: str = "0x" + "a1" * 20) -> None:
        self._on = contracts
        self._origin = origin
        self._address = address

    def enrol(self, keyid: str, holder: str, scope: str, role: int) -> tuple[bytes, TreeSize]:
        self._check()
        g = grant_id(self._origin, keyid, holder, scope, role)
        if g in self._on.words:
            raise _reverted("GrantExists")
        self._on.mine()
        self._on.words[g] = pack_word(self._address, self._on.head.size, NEVER)
        return g, self._on.head.size

    def revoke(self, g: bytes, at: TreeSize) -> None:
        self._check()
        enroller, enrolled_at, revoked_at = unpack_word(self._on.words.get(g, bytes(32)))
        if at >= revoked_at:
            raise _reverted("NotEarlier")
        self._on.mine()
        self._on.words[g] = pack_word(enroller, enrolled_at, at)

    def _check(self) -> None:
        self._on.fault()
        if self._address not in self._on.authorities:
            raise _reverted("AccessControlUnauthorizedAccount")


class MemoryAnchorStore:
    """ports.AnchorStore without a disk: anchors, proofs, and the journal in block order."""

    def __init__(self) -> None:
        self._anchors: dict[int, tuple[Anchor, StateProof]] = {}
        self.entries: list[tuple[int, str, bytes, bytes, int | None]] = []

    def save_anchor(self, anchor: Anchor, proof: StateProof) -> None:
        self._anchors[anchor.size] = (anchor, proof)

    def anchors(self, *, after: TreeSize = TreeSize(0), limit: int) -> list[Anchor]:
        return [self._anchors[size][0] for size in sorted(self._anchors) if size > after][:limit]

    def latest_anchor(self) -> Anchor | None:
        return self._anchors[max(self._anchors)][0] if self._anchors else None

    def anchor_covering(self, index: LeafIndex) -> Anchor | None:
        return next(iter(self.anchors(after=TreeSize(index), limit=1)), None)

    def anchors_after_block(self, number: int) -> list[Anchor]:
        return [anchor for anchor in self.anchors(limit=1000) if anchor.block.number > number]

    def drop_anchor(self, size: TreeSize) -> None:
        self._anchors.pop(size, None)

    def stored_proof(self, size: TreeSize) -> StateProof | None:
        found = self._anchors.get(size)
        return found[1] if found else None

    def journal_append(self, kind: str, raw_tx: bytes, tx_hash: bytes) -> int:
        for seq, _, _, known, _ in self.entries:
            if known == tx_hash:
                return seq
        self.entries.append((len(self.entries) + 1, kind, raw_tx, tx_hash, None))
        return len(self.entries)

    def journal_mined(self, tx_hash: bytes, block: BlockRef) -> None:
        (at,) = (i for i, entry in enumerate(self.entries) if entry[3] == tx_hash)
        self.entries[at] = (*self.entries[at][:4], block.number)

    def journal(self) -> Iterator[tuple[int, str, bytes, bytes, int | None]]:
        return iter(sorted(self.entries, key=lambda e: (e[4] is None, e[4] or 0, e[0])))


def unreachable() -> ChainUnreachableError:
    return ChainUnreachableError("no chain endpoint answered: fake: no connection")


def mismatch() -> ChainMismatchError:
    return ChainMismatchError("fake is chain 2, the trust file names 1")


def _grows(head: TreeHead, new: TreeHead, proof: Sequence[bytes]) -> bool:
    if head.size == 0:
        return not proof
    try:
        verify_consistency(head.size, new.size, head.root, new.root, proof)
    except VerificationError:
        return False
    return True


def _reverted(reason: str) -> ChainRevertedError:
    return ChainRevertedError(f"refuses: {reason}", reason=reason)
