"""Which block is newest, which is final, and mining where the program mines."""

from __future__ import annotations

from typing import Any

from ledger.adapters.chain.rpc import Rpc, RpcError, block_ref, number
from ledger.adapters.chain.settings import ChainSettings
from ledger.errors import ChainError, ChainReorgError
from ledger.model import BlockRef

_NO_TAG = "the node knows no `finalized` block; name a number of confirmations instead: 1 where blocks are final at once (QBFT)"


class Blocks:
    """Blocks of one chain as raw JSON or as BlockRef."""

    def __init__(self, rpc: Rpc, settings: ChainSettings) -> None:
        self.rpc = rpc
        self.settings = settings

    def newest(self) -> dict[str, Any]:
        """The newest block, raw."""
        return self._require("latest")

    def final(self) -> dict[str, Any]:
        """The newest final block, raw."""
        confirmations = self.settings.confirmations
        if confirmations is None:
            return self._finalized()
        newest = self.newest()
        if confirmations <= 1:
            return newest
        return self._require(max(0, number(newest["number"]) - confirmations + 1))

    def final_number(self) -> int:
        """Number of the newest final block."""
        return number(self.final()["number"])

    def ref(self, at: int) -> BlockRef:
        """Block `at`; ChainReorgError when the chain does not reach that far (any more)."""
        found = self.rpc.block(at)
        if found is None:
            raise ChainReorgError(f"block {at} is not on the chain")
        return block_ref(found)

    def stands(self, block: BlockRef) -> bool:
        """Whether this very block is still on the chain."""
        found = self.rpc.block(block.number)
        return found is not None and block_ref(found).hash == block.hash

    def mine(self) -> None:
        """Mine what is pending and make it final, where the program mines; elsewhere nothing."""
        if self.settings.program_mines:
            for _ in range(max(1, self.settings.confirmations or 1)):
                self.rpc.call("evm_mine")

    def clock_s(self) -> int:
        """Unix seconds by the chain: of the block that would be mined now where the program mines, else the newest's.

        A block that only the program mines is as old as the last transaction, which says nothing about its clock.
        """
        which = self._require("pending") if self.settings.program_mines else self.newest()
        return number(which["timestamp"])

    def _finalized(self) -> dict[str, Any]:
        """Only proof-of-stake networks resolve the tag: Besu answers -39001 on QBFT, others null (execution-apis 879)."""
        try:
            found = self.rpc.block("finalized")
        except RpcError as error:
            raise ChainError(f"{_NO_TAG} ({error.detail})", code="chain-finality") from error
        if found is None:
            raise ChainError(_NO_TAG, code="chain-finality")
        return found

    def _require(self, which: int | str) -> dict[str, Any]:
        found = self.rpc.block(which)
        if found is None:
            raise ChainError(f"the endpoint has no block {which!r}")
        return found
