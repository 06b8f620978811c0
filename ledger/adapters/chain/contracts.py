"""One thin wrapper per contract: calldata out, values in. Nothing else knows the ABI; no network here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.exceptions import DecodingError
from web3 import Web3
from web3.contract import Contract

from ledger.adapters.chain.artefacts import Artefact, load_artefact
from ledger.adapters.chain.rpc import RpcError
from ledger.adapters.recursion import restore_recursion_limit
from ledger.core.trie import keccak256
from ledger.errors import ChainError, ChainRevertedError
from ledger.model import TreeHead, TreeSize

restore_recursion_limit()

# Error(string) and Panic(uint256) are the compiler's own; every contract may answer with them.
_BUILT_IN_ERRORS = (
    {"name": "Error", "inputs": [{"type": "string"}]},
    {"name": "Panic", "inputs": [{"type": "uint256"}]},
)


class _Contract:
    """Calldata by function name, errors by selector."""

    def __init__(self, name: str) -> None:
        self.artefact: Artefact = load_artefact(name)
        self._web3 = Web3()
        # web3 makes the class at run time; its stubs describe that badly.
        contract: type[Contract] = self._web3.eth.contract(abi=self.artefact.abi)
        self._contract = contract
        errors = [entry for entry in self.artefact.abi if entry["type"] == "error"]
        self._errors = {_selector(entry): entry for entry in (*errors, *_BUILT_IN_ERRORS)}

    def encode(self, function: str, *arguments: Any) -> bytes:
        """Calldata of one call."""
        return bytes.fromhex(self._contract.encode_abi(function, list(arguments))[2:])

    def decode(self, types: Sequence[str], data: bytes) -> tuple[Any, ...]:
        """Returned values, in order; ChainError when the bytes are not of these types: some other contract answered."""
        try:
            return tuple(self._web3.codec.decode(list(types), data))
        except (DecodingError, ValueError) as error:
            raise ChainError(f"what stands for {self.artefact.name} answers in another form: {error}") from error

    def init_code(self, types: Sequence[str], *arguments: Any) -> bytes:
        """What a deploying transaction carries: bytecode and the constructor's arguments."""
        return self.artefact.bytecode + self._web3.codec.encode(list(types), list(arguments))

    def reverted(self, error: RpcError) -> ChainRevertedError | None:
        """The contract's refusal that the node's error stands for; None when it is some other error."""
        data = error.data
        if data and data[:4] in self._errors:
            entry = self._errors[data[:4]]
            shown = self._shown([member["type"] for member in entry["inputs"]], data[4:])
            if shown is not None:
                detail = f"{self.artefact.name} refuses: {entry['name']}({shown})"
                return ChainRevertedError(detail, reason=entry["name"])
        if data is not None or "revert" in error.detail.lower():
            return ChainRevertedError(f"{self.artefact.name} refuses: {error.detail}")
        return None

    def _shown(self, types: Sequence[str], data: bytes) -> str | None:
        """An error's values for people; None when they are cut short."""
        try:
            return ", ".join("0x" + v.hex() if isinstance(v, bytes) else str(v) for v in self.decode(types, data))
        except ChainError:
            return None


class CheckpointLog(_Contract):
    """contracts/src/CheckpointLog.sol."""

    def __init__(self) -> None:
        super().__init__("CheckpointLog")

    def anchor(self, log: bytes, old: int, new: TreeHead, note_hash: bytes, proof: Sequence[bytes]) -> bytes:
        """Calldata to anchor `new` on top of the head of size `old`."""
        return self.encode("anchor", log, old, new.size, new.root, note_hash, list(proof))

    def head(self, log: bytes) -> bytes:
        """Calldata that asks for the head; `read_head` reads the answer."""
        return self.encode("head", log)

    def read_head(self, data: bytes) -> TreeHead:
        """The head in the answer."""
        size, root = self.decode(("uint64", "bytes32"), data)
        return TreeHead(TreeSize(size), root)

    @staticmethod
    def submitter_role(log: bytes) -> bytes:
        """The role that may anchor `log`: keccak256(abi.encode("hazledger/submitter", log))."""
        return keccak256(Web3().codec.encode(["string", "bytes32"], ["hazledger/submitter", log]))


class KeyRegistry(_Contract):
    """contracts/src/KeyRegistry.sol."""

    AUTHORITY_ROLE = keccak256(b"hazledger/authority")

    def __init__(self) -> None:
        super().__init__("KeyRegistry")

    def enrol(self, log: bytes, keyid: bytes, holder: bytes, scope: bytes, role: int) -> bytes:
        """Calldata to grant; every digest is 32 bytes (core.grants)."""
        return self.encode("enrol", log, keyid, holder, scope, role)

    def revoke(self, g: bytes, at: int) -> bytes:
        """Calldata to end grant `g` at log index `at`."""
        return self.encode("revoke", g, at)

    def words(self, gs: Sequence[bytes]) -> bytes:
        """Calldata that asks for many grants; `read_words` reads the answer."""
        return self.encode("words", list(gs))

    def read_words(self, data: bytes) -> list[bytes]:
        """The words in the answer, 32 bytes each."""
        (found,) = self.decode(("uint256[]",), data)
        return [int(word).to_bytes(32, "big") for word in found]


def _selector(entry: dict[str, Any]) -> bytes:
    types = ",".join(member["type"] for member in entry["inputs"])
    return keccak256(f"{entry['name']}({types})".encode())[:4]
