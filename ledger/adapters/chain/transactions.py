"""Sending: try it by eth_call, journal it, send it, see it mined. One turn at a time per account.

A transaction is journalled before it leaves, so that what reached the chain can always be sent again byte for byte;
and since signing is deterministic and the nonce explicit, sending anything twice is harmless.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ledger.adapters.chain.accounts import TransactionSigner
from ledger.adapters.chain.blocks import Blocks
from ledger.adapters.chain.contracts import CheckpointLog, KeyRegistry
from ledger.adapters.chain.rpc import Rpc, RpcError, from_hex, number
from ledger.core.trie import keccak256
from ledger.errors import ChainError, ChainReorgError, ChainRevertedError, ChainTimeoutError
from ledger.faults import fault
from ledger.model import BlockRef
from ledger.ports import AnchorStore

# A node accepts a replacement from +10 % (geth) or +12.5 % on (some Parity descendants).
_BUMP_DIVISOR = 8

# From the estimate at the newest state to the block that mines it another anchor may have come between.
_GAS_MARGIN_PERCENT = 125

# +12.5 % this often is a factor of 17: a stuck transaction that asks more than that is for a person to look at.
_MAX_BUMPS = 24

_LOCK_POLL_S = 0.01


class DisplacedError(ChainError):
    """Another transaction of the same account, from an earlier try, took the nonce. Look at the chain and try again."""

    default_code = "chain-displaced"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a contract, or its creation when `to` is None."""

    kind: str
    """deploy, role, enrol, revoke or anchor: the journal's word."""
    contract: CheckpointLog | KeyRegistry
    to: bytes | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in a block; not final yet."""

    tx_hash: bytes
    block: BlockRef
    succeeded: bool


@dataclass(frozen=True, slots=True)
class _Fees:
    """Wei per gas. `legacy` where the chain has no base fee."""

    limit: int
    tip: int
    legacy: bool

    def bumped(self) -> _Fees:
        return _Fees(_raise(self.limit), _raise(self.tip), self.legacy)

    def fields(self) -> dict[str, Any]:
        if self.legacy:
            return {"gasPrice": self.limit}
        return {"type": 2, "maxFeePerGas": self.limit, "maxPriorityFeePerGas": self.tip, "accessList": []}


def _raise(fee: int) -> int:
    return fee + max(1, -(-fee // _BUMP_DIVISOR))


def read_call(rpc: Rpc, call: Call, *, sender: bytes | None = None, block: int | str = "latest") -> bytes:
    """eth_call: the returned bytes, nothing sent.

    Raises:
        ChainRevertedError: The contract refuses.
    """
    which = hex(block) if isinstance(block, int) else block
    try:
        return from_hex(rpc.call("eth_call", _fields(call, sender), which))
    except RpcError as error:
        raise call.contract.reverted(error) or error from error


class Sender:
    """Sends the calls of one account, in order."""

    def __init__(
        self,
        blocks: Blocks,
        account: TransactionSigner,
        journal: AnchorStore,
        chain_id: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rpc = blocks.rpc
        self._settings = blocks.settings
        self._blocks = blocks
        self._account = account
        self._journal = journal
        self._chain_id = chain_id
        self._monotonic = monotonic
        self._sleep = sleep

    @property
    def address(self) -> bytes:
        """The account's 20 bytes."""
        return self._account.address

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Take this account's turn: until it ends nobody else sends with it (embedded: nobody at all)."""
        lock = self._settings.lock
        if lock is None:
            yield
            return
        if not self._settings.program_mines:
            lock = lock.with_name(f"{lock.name}.{self.address.hex()}")
        with locked(lock):
            yield

    def send(self, calls: Sequence[Call]) -> list[Mined]:
        """Send `calls` with consecutive nonces and see each mined; call it inside `turn`.

        Raises:
            ChainRevertedError: A call reverts, on trial (then nothing was sent) or in its block.
            ChainTimeoutError: Not mined in time; may still be.
            ChainReorgError: The block that held it went away.
            DisplacedError: see there.
        """
        for call in calls:
            read_call(self.rpc, call, sender=self.address)
        fees = self._fees()
        nonce = self.rpc.transaction_count(self.address)
        pending = [_Pending(self, call, nonce + i, gas=self._gas(call), fees=fees) for i, call in enumerate(calls)]
        for transaction in pending:
            transaction.submit()
        fault("chain.after-send")
        self._blocks.mine()
        fault("chain.after-mine")
        mined = [self._wait(transaction) for transaction in pending]
        for call, result in zip(calls, mined, strict=True):
            if not result.succeeded:
                raise self._why(call, result)
        return mined

    def wait_final(self, mined: Mined) -> None:
        """Return once `mined` is final.

        Raises:
            ChainReorgError: It left its block meanwhile; what was concluded from it falls back.
            ChainTimeoutError: It did not become final in time.
        """
        deadline = self._monotonic() + self._settings.give_up_s
        while self._blocks.final_number() < mined.block.number:
            if self._monotonic() > deadline:
                raise ChainTimeoutError(f"block {mined.block.number} did not become final in time")
            self._sleep(self._settings.poll_s)
        receipt = self.rpc.receipt(mined.tx_hash)
        if receipt is None or from_hex(receipt["blockHash"]) != mined.block.hash:
            raise ChainReorgError(f"transaction 0x{mined.tx_hash.hex()} left block {mined.block.number}")
        self._journal.journal_mined(mined.tx_hash, mined.block)

    # --- one transaction -------------------------------------------------------------------------------------------

    def sign(self, call: Call, nonce: int, gas: int, fees: _Fees) -> tuple[bytes, bytes]:
        """Sign and journal; (raw transaction, hash). Durable in the journal when it returns."""
        fields: dict[str, Any] = {"chainId": self._chain_id, "nonce": nonce, "gas": gas, "value": 0, **fees.fields()}
        fields["data"] = "0x" + call.data.hex()
        if call.to is not None:
            fields["to"] = _address(call.to)
        raw = self._account.sign_transaction(fields)
        tx_hash = keccak256(raw)
        self._journal.journal_append(call.kind, raw, tx_hash)
        return raw, tx_hash

    def submit(self, raw: bytes) -> bool:
        """Hand a signed transaction to the node; False when the pool wants a higher fee for this nonce."""
        return submit(self.rpc, raw)

    def _wait(self, transaction: _Pending) -> Mined:
        started = resent = self._monotonic()
        resent_at = number(self._blocks.newest()["number"])
        while True:
            found = transaction.mined(self._blocks)
            if found is not None:
                return found
            if self.rpc.transaction_count(self.address) > transaction.nonce:
                # Looked up again, since it may have been mined between the two questions.
                found = transaction.mined(self._blocks)
                if found is None:
                    raise DisplacedError(f"nonce {transaction.nonce} was taken by another transaction")
                return found
            now, newest = self._monotonic(), number(self._blocks.newest()["number"])
            if now - started > self._settings.give_up_s:
                raise ChainTimeoutError(f"{transaction.call.kind}: not mined in {self._settings.give_up_s:.0f} s")
            waited = newest - resent_at
            if now - resent > self._settings.resend_after_s or waited >= self._settings.resend_after_blocks:
                transaction.resend()
                # Only now: a node that was started again meanwhile holds nothing to mine, and must not get empty blocks.
                self._blocks.mine()
                resent, resent_at = now, newest
            self._sleep(self._settings.poll_s)

    def _why(self, call: Call, result: Mined) -> ChainRevertedError:
        """A failed transaction's reason: the same call on what its block left, which most nodes can still do. On the block
        before it the call may well succeed: what stood in its way came in the same block.
        """
        try:
            read_call(self.rpc, call, sender=self.address, block=result.block.number)
        except ChainRevertedError as error:
            return error
        except ChainError:
            pass  # The state is gone; the bare fact remains.
        return ChainRevertedError(f"{call.kind}: transaction 0x{result.tx_hash.hex()} failed in its block")

    def _gas(self, call: Call) -> int:
        try:
            # "latest" by name: the default takes the pool into account, and after an older try of the same anchor that
            # waits there this one would be estimated as the repeat that does nothing.
            estimate = number(self.rpc.call("eth_estimateGas", _fields(call, self.address), "latest"))
        except RpcError as error:
            raise call.contract.reverted(error) or error from error
        return estimate * _GAS_MARGIN_PERCENT // 100

    def _fees(self) -> _Fees:
        base = self._blocks.newest().get("baseFeePerGas")
        if self._settings.free_gas:
            return _Fees(0, 0, legacy=base is None)
        if base is None:
            return _Fees(number(self.rpc.call("eth_gasPrice")), 0, legacy=True)
        try:
            tip = number(self.rpc.call("eth_maxPriorityFeePerGas"))
        except RpcError:  # Not every client has the method; the base fee is what is asked then.
            tip = 0
        return _Fees(2 * number(base) + tip, tip, legacy=False)


class _Pending:
    """One nonce, and every version of its transaction that was sent."""

    def __init__(self, sender: Sender, call: Call, nonce: int, *, gas: int, fees: _Fees) -> None:
        self.call = call
        self.nonce = nonce
        self._sender = sender
        self._gas = gas
        self._fees = fees
        self._versions: list[tuple[bytes, bytes]] = []

    def submit(self) -> None:
        """Send; when an older transaction of ours waits at this nonce, outbid it."""
        for _ in range(_MAX_BUMPS):
            version = self._sender.sign(self.call, self.nonce, self._gas, self._fees)
            self._versions.append(version)
            fault("chain.before-send")
            if self._sender.submit(version[0]):
                return
            if self._fees.limit == 0:
                return  # Free gas: the older one cannot be outbid, it will be mined, and `_wait` sees that.
            self._fees = self._fees.bumped()
        raise ChainError(f"{self.call.kind}: the pool wants ever higher fees for nonce {self.nonce}")

    def resend(self) -> None:
        """The same call and nonce at a higher fee, at least +12.5 % on both parts."""
        if self._fees.limit == 0:
            self._sender.submit(self._versions[-1][0])
            return
        self._fees = self._fees.bumped()
        self.submit()

    def mined(self, blocks: Blocks) -> Mined | None:
        """The version that was mined, if any."""
        for _, tx_hash in self._versions:
            found = mined(blocks, tx_hash)
            if found is not None:
                return found
        return None


def mined(blocks: Blocks, tx_hash: bytes) -> Mined | None:
    """Where the transaction stands on the chain, or None."""
    receipt = blocks.rpc.receipt(tx_hash)
    if receipt is None:
        return None
    block = blocks.ref(number(receipt["blockNumber"]))
    if block.hash != from_hex(receipt["blockHash"]):
        return None
    return Mined(tx_hash, block, number(receipt["status"]) == 1)


def submit(rpc: Rpc, raw: bytes) -> bool:
    """eth_sendRawTransaction; True when the pool has it or its nonce is used up, False when it wants a higher fee.

    Raises:
        ChainError: The node refuses it; `code` is `chain-funds` when the account cannot pay.
    """
    try:
        rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
    except RpcError as error:
        said = error.detail.lower()
        if any(words in said for words in ("already known", "already imported", "known transaction", "nonce too low")):
            return True
        if "underpriced" in said or "replacement" in said:
            return False
        if "insufficient funds" in said or "upfront" in said:
            raise ChainError(f"the account cannot pay for a transaction: {error.detail}", code="chain-funds") from error
        raise
    return True


@contextmanager
def locked(path: Path, *, within_s: float | None = None) -> Iterator[None]:
    """Hold an exclusive lock on a file. Falls with the process.

    Args:
        path: The file; made when missing.
        within_s: Give up after so many seconds; None waits for ever.

    Raises:
        ChainTimeoutError: Somebody else held it all that time.
    """
    with path.open("a") as handle:
        if within_s is None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        else:
            _try_lock(handle, path, within_s)
        yield


def _try_lock(handle: IO[str], path: Path, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ChainTimeoutError(f"{path} is held by another process for {within_s:.0f} s already") from None
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _fields(call: Call, sender: bytes | None) -> dict[str, str]:
    fields = {"data": "0x" + call.data.hex()}
    if call.to is not None:
        fields["to"] = "0x" + call.to.hex()
    if sender is not None:
        fields["from"] = "0x" + sender.hex()
    return fields


def _address(address: bytes) -> str:
    """EIP-55 form, which eth_account insists on."""
    plain = address.hex()
    digest = keccak256(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(digest[i], 16) > 7 else c for i, c in enumerate(plain))
