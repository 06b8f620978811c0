"""Sending the journal again to a chain that lost its end, in the order in which it stood there before.

The order is the point: enrolledAt is the anchored size at that moment, so an enrolment must come again between the same
two anchors. Where the program mines, even the block numbers come out as before; times and hashes do not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import groupby

from ledger.adapters.chain.accounts import RawTransaction, read_transaction
from ledger.adapters.chain.blocks import Blocks
from ledger.adapters.chain.contracts import CheckpointLog, KeyRegistry
from ledger.adapters.chain.rpc import RpcError, block_ref, number
from ledger.adapters.chain.transactions import Call, locked, mined, read_call, submit
from ledger.errors import ChainError, ChainMismatchError, ChainRevertedError, ChainTimeoutError
from ledger.faults import fault
from ledger.model import BlockRef
from ledger.ports import AnchorStore


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the journal. `block` is None for what nobody ever saw in a block."""

    seq: int
    kind: str
    raw: bytes
    tx_hash: bytes
    block: int | None
    transaction: RawTransaction

    @property
    def place(self) -> tuple[int, int]:
        return (self.block or 0, self.seq)

    @property
    def account_nonce(self) -> tuple[bytes, int]:
        return (self.transaction.sender, self.transaction.nonce)


class Replay:
    """Finds out whether the chain went back, and makes good."""

    def __init__(self, blocks: Blocks, journal: AnchorStore, *, checkpoint_log: bytes) -> None:
        self._rpc = blocks.rpc
        self._settings = blocks.settings
        self._blocks = blocks
        self._journal = journal
        self._checkpoint_log = checkpoint_log
        self._standing: tuple[str, BlockRef] | None = None

    def recover(self, *, in_turn: bool = False) -> bool:
        """ports.Chain.recover: True if anything was sent again.

        Args:
            in_turn: The caller holds its account's turn. On an embedded chain the node cannot be started again until
                the turn ends, so what is sent next comes on top of all that the journal holds.

        Raises:
            ChainError: `journal-hole`: the journal lacks a transaction that came before others; a person must look.
            ChainTimeoutError: What was sent again is not mined yet; call again.
        """
        if self._standing is not None:
            instance = self._instance()
            known, block = self._standing
            if known == instance and self._blocks.stands(block):
                self._standing = (instance, block_ref(self._blocks.final()))
                return False
        lock = self._settings.lock if self._settings.program_mines and not in_turn else None
        with locked(lock) if lock is not None else nullcontext():
            # Asked in the turn: a node that answers now has loaded its state and stays until the turn ends or it dies.
            instance = self._instance()
            sent = self._make_good()
            self._standing = (instance, block_ref(self._blocks.final()))
        return sent

    def saw(self, block: BlockRef) -> None:
        """Remember that this process has a transaction in `block`; the next `recover` asks whether it still stands."""
        if self._standing is not None:
            self._standing = (self._standing[0], block)

    def look_again(self) -> None:
        """The next `recover` goes through the whole journal: something was mined that nobody noted."""
        self._standing = None

    def _make_good(self) -> bool:
        lacking = list(self._lacking())
        # What nobody saw in a block is the next round's to decide; only what stood on the chain is put back. A nonce has
        # several lines where a process died between its line and the block, or outbid itself: the one last seen stood.
        by_nonce = {e.account_nonce: e for e in sorted(lacking, key=lambda e: e.place) if e.block is not None}
        stood = sorted(by_nonce.values(), key=lambda e: e.place)
        if self._settings.program_mines:
            self._in_their_blocks(stood, [e for e in lacking if e.block is None and e.account_nonce not in by_nonce])
        else:
            for entry in stood:
                self._again([entry])
        return bool(stood)

    def _lacking(self) -> Iterator[_Entry]:
        """What the chain does not have. One at a time: a journal of years has a line a minute, and most of them stand."""
        counts: dict[bytes, int] = {}
        for seq, kind, raw, tx_hash, block in self._journal.journal():
            entry = self._noted(_Entry(seq, kind, raw, tx_hash, block, read_transaction(raw)))
            sender = entry.transaction.sender
            if sender not in counts:
                counts[sender] = self._rpc.transaction_count(sender)
            if entry.transaction.nonce >= counts[sender]:
                yield entry

    def _noted(self, entry: _Entry) -> _Entry:
        """A process may have died between sending and noting the block; the chain knows."""
        found = mined(self._blocks, entry.tx_hash) if entry.block is None else None
        if found is None:
            return entry
        self._journal.journal_mined(entry.tx_hash, found.block)
        return replace(entry, block=found.block.number)

    def _in_their_blocks(self, stood: Sequence[_Entry], unseen: Sequence[_Entry]) -> None:
        """Mine again the very blocks that are gone, by number, on a chain that only we mine.

        Its blocks hold transactions of one turn each and are never empty. So a number that no journalled block has
        belonged to a transaction whose process died before noting it: it is put back there, where it stood.
        """
        for block, group in groupby(stood, key=lambda e: e.block or 0):
            entries = list(group)
            while (newest := number(self._blocks.newest()["number"])) + 1 < block:
                unnoted = next((e for e in unseen if e.seq < entries[0].seq and self._fits(e)), None)
                if unnoted is not None:
                    self._again([unnoted])
                if number(self._blocks.newest()["number"]) == newest:
                    self._blocks.mine()
            self._again(entries)

    def _again(self, entries: Sequence[_Entry]) -> None:
        """Send, mine together, and note the block that each is in now."""
        for entry in entries:
            sender, nonce = entry.account_nonce
            count = self._rpc.transaction_count(sender, "pending")
            if nonce > count:
                raise ChainError(
                    f"the journal lacks transaction {count} of 0x{sender.hex()}: the chain cannot be made good from it",
                    code="journal-hole",
                )
            if not submit(self._rpc, entry.raw):
                raise ChainError(f"another transaction {nonce} of 0x{sender.hex()} waits in the pool; try again later")
        fault("chain.replaying")
        self._blocks.mine()
        for entry in entries:
            self._journal.journal_mined(entry.tx_hash, self._wait(entry))

    def _wait(self, entry: _Entry) -> BlockRef:
        deadline = time.monotonic() + self._settings.give_up_s
        while True:
            found = mined(self._blocks, entry.tx_hash)
            if found is not None:
                return found.block
            if time.monotonic() > deadline:
                raise ChainTimeoutError(f"journal entry {entry.seq} ({entry.kind}) was sent again and is not mined")
            time.sleep(self._settings.poll_s)

    def _fits(self, entry: _Entry) -> bool:
        """Whether the transaction could be next: its nonce is due and the contract would take it."""
        transaction = entry.transaction
        if transaction.nonce != self._rpc.transaction_count(transaction.sender):
            return False
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
