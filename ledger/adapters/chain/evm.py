"""EvmChain: the two contracts on an EVM chain, read at the final block (ports.Chain)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ledger.adapters.chain.accounts import TransactionSigner
from ledger.adapters.chain.blocks import Blocks
from ledger.adapters.chain.contracts import CheckpointLog, KeyRegistry
from ledger.adapters.chain.identity import check_identity
from ledger.adapters.chain.proofs import prove_state
from ledger.adapters.chain.replay import Replay
from ledger.adapters.chain.rpc import Rpc, RpcError, StateGoneError, Timeouts, block_ref, from_hex, number
from ledger.adapters.chain.settings import ChainSettings
from ledger.adapters.chain.transactions import Call, DisplacedError, Mined, Sender, read_call
from ledger.core.grants import log_id
from ledger.core.slots import Meta, unpack_meta, word
from ledger.core.trie import keccak256
from ledger.core.trust import TrustedChain
from ledger.errors import ChainError, ChainMismatchError, ChainReorgError, ChainRevertedError
from ledger.model import Anchor, BlockRef, StateProof, TreeHead, TreeSize
from ledger.ports import AnchorStore

T = TypeVar("T")

# Another process may mine between reading the newest block's number and its state, and a pruning node forgets fast.
_FRESH_TRIES = 6

# A first try, one after an older transaction of ours took the nonce, one to spare.
_SEND_TRIES = 3

_ANCHORED_TOPIC = keccak256(b"Anchored(bytes32,uint64,bytes32,bytes32)")


class EvmChain:
    """The chain of one trust file entry.

    Reading needs neither `account` nor `journal`; anchoring needs both. Call `recover` before `check_identity` and
    before the first `anchor` of a process: a development chain may have come back without the contracts.
    """

    def __init__(
        self,
        urls: Sequence[str],
        trusted: TrustedChain,
        origin: str,
        *,
        settings: ChainSettings,
        account: TransactionSigner | None = None,
        journal: AnchorStore | None = None,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rpc = Rpc(urls, chain_id=trusted.chain_id, genesis=trusted.genesis, timeouts=timeouts)
        self.blocks = Blocks(self.rpc, settings)
        self.trusted = trusted
        self.origin = origin
        self.settings = settings
        self._log = log_id(origin)
        self._clock = clock
        self._checkpoints = CheckpointLog()
        self._registry = KeyRegistry()
        self._account = account
        self._journal = journal
        self._replay = (
            Replay(self.blocks, journal, checkpoint_log=trusted.checkpoint_log.address) if journal is not None else None
        )

    # --- reading ---------------------------------------------------------------------------------------------------

    def check_identity(self) -> None:
        """ports.Chain.check_identity. Slots are compared with those of the artefacts this program was built with."""
        check_identity(self.rpc, self.trusted, (self._checkpoints.artefact, self._registry.artefact))

    def final_block(self) -> BlockRef:
        """The newest final block."""
        return block_ref(self.blocks.final())

    def head(self) -> TreeHead:
        """ports.Chain.head."""
        return self._at_final(lambda block: self._head(block.number))

    def root_at(self, size: TreeSize) -> tuple[bytes, int, int] | None:
        """ports.Chain.root_at."""
        found = self._at_final(lambda block: self._stored(size, block.number))
        return None if found is None else (found[0], found[1].timestamp_s, found[1].block)

    def anchored(self, size: TreeSize) -> Anchor | None:
        """ports.Chain.anchored."""
        found = self.root_at(size)
        if found is None:
            return None
        root, timestamp_s, block = found
        return Anchor(size, root, self.blocks.ref(block), self._anchoring_transaction(size, block), timestamp_s)

    def grant_words(self, gs: Sequence[bytes]) -> list[bytes]:
        """ports.Chain.grant_words."""
        address = self.trusted.key_registry.address
        call = Call("", self._registry, address, self._registry.words(gs))
        return self._registry.read_words(self._at_final(lambda block: self._read(call, block.number))) if gs else []

    def state_proof(self, *, sizes: Sequence[TreeSize], gs: Sequence[bytes]) -> StateProof:
        """ports.Chain.state_proof."""
        for left in reversed(range(_FRESH_TRIES)):
            try:
                return prove_state(self.rpc, self.trusted, self._log, self.blocks.final(), sizes=sizes, gs=gs)
            except (StateGoneError, ChainReorgError):
                if not left:
                    raise
        raise AssertionError("unreachable")

    def status(self) -> dict[str, Any]:
        """ports.Chain.status: `error` is None when all the rest could be read."""
        status: dict[str, Any] = {
            "endpoint": self.rpc.shown_endpoint,
            "kind": self.trusted.kind,
            "chain_id": self.trusted.chain_id,
            "submitter": None if self._account is None else "0x" + self._account.address.hex(),
            "error": None,
        }
        try:
            newest = block_ref(self.blocks.newest())
            clock_s = self.blocks.clock_s()
            status |= {
                "block": newest.number,
                "block_time_s": newest.timestamp_s,
                "lag_s": round(self._clock() - clock_s),
                "final_block": self.blocks.final_number(),
                "head_size": self.head().size,
            }
            status |= self._account_status()
        except Exception as error:  # noqa: BLE001 - a page that says what is wrong must not fail because of it
            status["error"] = error.detail if isinstance(error, ChainError) else type(error).__name__
        status["endpoint"] = self.rpc.shown_endpoint
        return status

    # --- writing ---------------------------------------------------------------------------------------------------

    def recover(self, *, in_turn: bool = False) -> bool:
        """ports.Chain.recover. A few requests when nothing went back since the last call.

        Args:
            in_turn: The caller has its account's turn (`Sender.turn`), and goes on to send in it.
        """
        if self._replay is None:
            raise ChainError("recover: this process keeps no journal")
        return self._replay.recover(in_turn=in_turn)

    def anchor(self, old: TreeSize, new: TreeHead, note_hash: bytes, proof: Sequence[bytes]) -> Anchor:
        """ports.Chain.anchor.

        Raises:
            ChainRevertedError: `reason` is StaleBase (read the head and prove again), Fork, BadProof, BadSize, or
                AccessControlUnauthorizedAccount (the owner must give the submitter its role).
            ChainTimeoutError, ChainReorgError: Try again; nothing is lost.
            ChainError: The chain's clock is wrong, or the account cannot pay.
        """
        done = self._anchored(new)
        if done is not None:
            return done
        sender = self.sender()
        call = Call(
            "anchor",
            self._checkpoints,
            self.trusted.checkpoint_log.address,
            self._checkpoints.anchor(self._log, old, new, note_hash, proof),
        )
        mined = None
        with sender.turn():
            self.recover(in_turn=True)
            self.refuse_wrong_time()
            if self._head("latest") != new:  # Else it is in a block already, and only not final yet.
                (mined,) = self.send_once_more(sender, [call], lambda: self._head("latest") == new) or (None,)
        self._settle(sender, mined, new.size)
        done = self._anchored(new)
        if done is None:
            raise ChainReorgError(f"size {new.size} was anchored and is not in the final state")
        if self._replay is not None:
            self._replay.saw(done.block)
        return done

    def sender(self) -> Sender:
        """What sends with this process's account; ChainError when it has none."""
        if self._account is None or self._journal is None:
            raise ChainError("this process has no account to send with")
        return Sender(self.blocks, self._account, self._journal, self.trusted.chain_id)

    def send_once_more(self, sender: Sender, calls: Sequence[Call], is_done: Callable[[], bool]) -> list[Mined] | None:
        """Send, and again when an older transaction of ours took the nonce; None when that one did the work."""
        for left in reversed(range(_SEND_TRIES)):
            try:
                return sender.send(calls)
            except DisplacedError:
                if self._replay is not None:
                    self._replay.look_again()
                if is_done():
                    return None
                if not left:
                    raise
        raise AssertionError("unreachable")

    def refuse_wrong_time(self) -> None:
        """ChainError when the chain's clock is off by more than `max_time_off_s`."""
        off = self.blocks.clock_s() - self._clock()
        if abs(off) > self.settings.max_time_off_s:
            raise ChainError(
                f"the chain's clock is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}; nothing is anchored until "
                f"it is within {self.settings.max_time_off_s} s. Check the clocks of this machine and of the nodes",
                code="chain-clock",
            )

    # --- parts -----------------------------------------------------------------------------------------------------

    def _settle(self, sender: Sender, mined: Mined | None, size: TreeSize) -> None:
        if mined is not None:
            sender.wait_final(mined)
            return
        stored = self._stored(size, "latest")
        if stored is not None:
            tx_hash = self._anchoring_transaction(size, stored[1].block)
            sender.wait_final(Mined(tx_hash, self.blocks.ref(stored[1].block), succeeded=True))

    def _anchored(self, new: TreeHead) -> Anchor | None:
        found = self.anchored(new.size)
        if found is not None and found.root != new.root:
            raise ChainRevertedError(f"the chain holds another root for size {new.size}", reason="Fork")
        return found

    def _anchoring_transaction(self, size: TreeSize, block: int) -> bytes:
        """Its hash by the contract's event; 32 zero bytes when the node no longer has the event."""
        query = {
            "address": "0x" + self.trusted.checkpoint_log.address.hex(),
            "fromBlock": hex(block),
            "toBlock": hex(block),
            "topics": ["0x" + topic.hex() for topic in (_ANCHORED_TOPIC, self._log, word(size))],
        }
        try:
            found = self.rpc.call("eth_getLogs", query)
        except RpcError:
            return bytes(32)
        return from_hex(found[0]["transactionHash"]) if found else bytes(32)

    def _head(self, block: int | str) -> TreeHead:
        address = self.trusted.checkpoint_log.address
        call = Call("", self._checkpoints, address, self._checkpoints.head(self._log))
        return self._checkpoints.read_head(self._read(call, block))

    def _stored(self, size: TreeSize, block: int | str) -> tuple[bytes, Meta] | None:
        address = self.trusted.checkpoint_log.address
        words = [
            self._read(Call("", self._checkpoints, address, self._checkpoints.encode(name, self._log, size)), block)
            for name in ("rootAt", "metaAt")
        ]
        return None if words[0] == bytes(32) else (words[0], unpack_meta(words[1]))

    def _read(self, call: Call, block: int | str) -> bytes:
        data = read_call(self.rpc, call, block=block)
        if not data and call.to is not None:
            raise ChainMismatchError(f"there is no contract at 0x{call.to.hex()}")
        return data

    def _at_final(self, read: Callable[[BlockRef], T]) -> T:
        for left in reversed(range(_FRESH_TRIES)):
            try:
                return read(self.final_block())
            except StateGoneError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def _account_status(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        address = "0x" + self._account.address.hex()
        role = self._checkpoints.submitter_role(self._log)
        data = self._checkpoints.encode("hasRole", role, self._account.address)
        has_role = self._read(Call("", self._checkpoints, self.trusted.checkpoint_log.address, data), "latest")
        return {
            "balance_wei": number(self.rpc.call("eth_getBalance", address, "latest")),
            "has_role": any(has_role),
        }
