"""Sending the journal again to a chain that lost its end, in the order in which it stood there before.

The order is the point: enrolledAt is the anchored size at that moment, so an enrolment must come again between the same
two anchors. One transaction a block, each seen mined before the next leaves.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ledger.adapters.chain.accounts import RawTransaction, read_transaction
from ledger.adapters.chain.blocks import Blocks
from ledger.adapters.chain.contracts import CheckpointLog, KeyRegistry
from ledger.adapters.chain.rpc import RpcError, block_ref
from ledger.adapters.chain.transactions import Call, Mined, locked, mined, read_call, submit
from ledger.errors import ChainError, ChainMismatchError, ChainRevertedError, ChainTimeoutError
from ledger.model import BlockRef
from ledger.ports import AnchorStore


@dataclass(frozen=True, slots=True)
class _Entry:
    seq: int
    kind: str
    raw: bytes
    tx_hash: bytes
    block: int | None
    transaction: RawTransaction

    @property
    def slot(self) -> tuple[bytes, int]:
        """What only one transaction can ever take: an account's nonce."""
        return self.transaction.sender, self.transaction.nonce


class Replay:
    """Finds out whether the chain went back, and makes good."""

    def __init__(self, blocks: Blocks, journal: AnchorStore, *, checkpoint_log: bytes) -> None:
        self._rpc = blocks.rpc
        self._settings = blocks.settings
        self._blocks = blocks
        self._journal = journal
        self._checkpoint_log = checkpoint_log
        self._standing: tuple[str, BlockRef] | None = None

    def recover(self) -> bool:
        """ports.Chain.recover: True if anything was sent again.

        Raises:
            ChainError: The journal has a hole, or what it holds cannot be sent again; a person must look.
        """
        instance = self._instance()
        if self._standing is not None:
            known, block = self._standing
            if known == instance and self._blocks.stands(block):
                return False
        newest = block_ref(self._blocks.final())
        if self._settings.lock is not None and self._settings.program_mines:
            with locked(self._settings.lock):
                sent = self._resend()
        else:
            sent = self._resend()
        self._standing = (instance, block_ref(self._blocks.final()) if sent else newest)
        return sent

    def _resend(self) -> bool:
        entries = self._note_mined(self._entries())
        counts = {sender: self._rpc.transaction_count(sender) for sender in {e.slot[0] for e in entries}}
        lacking = [e for e in self._in_order(entries) if e.transaction.nonce >= counts[e.transaction.sender]]
        # What was never seen in a block is the next round's to decide, unless something mined after it is gone too.
        if not any(e.block is not None for e in lacking):
            return False
        for entry in lacking:
            self._again(entry)
        return True

    def _entries(self) -> list[_Entry]:
        return [
            _Entry(seq, kind, raw, tx_hash, block, read_transaction(raw))
            for seq, kind, raw, tx_hash, block in self._journal.journal()
        ]

    def _note_mined(self, entries: Iterable[_Entry]) -> list[_Entry]:
        """A process may have died between sending and noting the block; the chain knows."""
        noted = []
        for entry in entries:
            found = mined(self._blocks, entry.tx_hash) if entry.block is None else None
            if found is not None:
                self._journal.journal_mined(entry.tx_hash, found.block)
            noted.append(entry if found is None else replace(entry, block=found.block.number))
        return noted

    def _in_order(self, entries: Iterable[_Entry]) -> list[_Entry]:
        """One entry for each nonce, the mined one or else the last, in the order of the chain.

        Where the program mines, a lock held from journalling to mining makes the journal's order the chain's, also
        for what died before its block was noted. Elsewhere blocks decide.
        """
        chosen: dict[tuple[bytes, int], _Entry] = {}
        for entry in sorted(entries, key=lambda e: e.seq):
            before = chosen.get(entry.slot)
            if before is None or before.block is None or entry.block is not None:
                chosen[entry.slot] = entry
        if self._settings.program_mines:
            return sorted(chosen.values(), key=lambda e: e.seq)
        return sorted(chosen.values(), key=lambda e: (e.block is None, e.block or 0, e.seq))

    def _again(self, entry: _Entry) -> None:
        sender, nonce = entry.slot
        count = self._rpc.transaction_count(sender)
        if nonce < count:
            return
        if nonce > count:
            raise ChainError(
                f"the journal lacks transaction {count} of 0x{sender.hex()}: the chain cannot be made good from it",
                code="journal-hole",
            )
        if entry.block is None and not self._would_succeed(entry):
            return
        if not submit(self._rpc, entry.raw):
            raise ChainError(
                f"the pool holds another transaction {nonce} of 0x{sender.hex()}; try again when it is mined"
            )
        self._blocks.mine()
        self._journal.journal_mined(entry.tx_hash, self._wait(entry).block)

    def _wait(self, entry: _Entry) -> Mined:
        deadline = time.monotonic() + self._settings.give_up_s
        while True:
            found = mined(self._blocks, entry.tx_hash)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise ChainTimeoutError(f"journal entry {entry.seq} ({entry.kind}) was sent again and is not mined")
            time.sleep(self._settings.poll_s)
            self._blocks.mine()

    def _would_succeed(self, entry: _Entry) -> bool:
        transaction = entry.transaction
        contract = CheckpointLog() if transaction.to == self._checkpoint_log else KeyRegistry()
        call = Call(entry.kind, contract, transaction.to or None, transaction.data)
        try:
            read_call(self._rpc, call, sender=transaction.sender)
        except ChainRevertedError:
            return False
        return True

    def _instance(self) -> str:
        """Anvil's own name for this start of it; "" elsewhere. A restart may have lost what is younger than a dump."""
        if not self._settings.program_mines:
            return ""
        try:
            return str(self._rpc.call("anvil_metadata")["instanceId"])
        except RpcError as error:
            raise ChainMismatchError(f"the embedded node is no Anvil: {error.detail}") from error
