"""A chain endpoint as the verifier sees it: JSON-RPC over HTTP with the standard library alone.

web3 would cost a second at start and brings nothing here: what the endpoint says about state is proven against the
block's hash by `ledger.core.verification`, so all that is believed is which block is final.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from ledger.cli.common import WITHIN_S
from ledger.cli.fetching import fetch
from ledger.core import rlp, strictjson
from ledger.core.addresses import shown_address
from ledger.core.headers import header_rlp
from ledger.core.trie import parse_header
from ledger.core.verification.state import Wanted
from ledger.errors import ChainError, ChainUnreachableError, MalformedRecordError
from ledger.model import BlockNumber, BlockRef, StateProof

_MAX_ANSWER_BYTES = 16 * 1024 * 1024


class RpcChainView:
    """ChainView over one endpoint.

    Final is the newest block: on QBFT every block is final when it is there, and Besu refuses the tag `finalized` on such
    a network; on a development chain that tag stays at genesis. `depth` takes the newest block minus so many.
    """

    def __init__(self, url: str, *, depth: int = 0, within_s: float = WITHIN_S) -> None:
        """`within_s` seconds for each whole answer."""
        if not url.startswith(("http://", "https://")):
            raise ChainError(f"{url!r} is no http or https address")
        self._url = url
        self._shown = shown_address(url)
        self._depth = depth
        self._within_s = within_s
        self._identity: tuple[int, bytes] | None = None

    def chain_id(self) -> int:
        return self._who()[0]

    def genesis_hash(self) -> bytes:
        return self._who()[1]

    def block_hash(self, number: int) -> bytes | None:
        with _well_formed(self._shown):
            block = self._call("eth_getBlockByNumber", hex(number), False)
            return None if block is None else _hex(block["hash"])

    def state_proof(self, wanted: Wanted) -> StateProof:
        with _well_formed(self._shown):
            return self._state_proof(wanted)

    def _state_proof(self, wanted: Wanted) -> StateProof:
        block = self._final_block()
        header = header_rlp(block)
        number = parse_header(header).number
        nodes: dict[bytes, None] = {}
        for address, slots in wanted:
            # A slot as a bare 0 is refused by some nodes: 32 bytes always.
            keys = ["0x" + slot.hex() for slot in slots]
            proof = self._call("eth_getProof", "0x" + address.hex(), keys, hex(number))
            for node in proof["accountProof"] + [n for item in proof["storageProof"] for n in item["proof"]]:
                nodes[_hex(node)] = None
        # Some nodes send the empty trie's node, which no walk needs; a walk that does need a node says so.
        nodes.pop(rlp.encode(b""), None)
        ref = BlockRef(BlockNumber(number), _hex(block["hash"]), int(block["timestamp"], 16))
        return StateProof(block=ref, header=header, nodes=tuple(nodes))

    def _who(self) -> tuple[int, bytes]:
        if self._identity is None:
            genesis = self.block_hash(0)
            if genesis is None:
                raise ChainError(f"{self._shown} has no genesis block")
            with _well_formed(self._shown):
                self._identity = (int(self._call("eth_chainId"), 16), genesis)
        return self._identity

    def _final_block(self) -> dict[str, Any]:
        which = "latest"
        if self._depth:
            which = hex(max(0, int(self._call("eth_blockNumber"), 16) - self._depth))
        block: dict[str, Any] | None = self._call("eth_getBlockByNumber", which, False)
        if block is None:
            raise ChainError(f"{self._shown} has no block {which!r}")
        return block

    def _call(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was tested above
            self._url, data=body, headers={"Content-Type": "application/json"}
        )
        try:
            raw = fetch(request, most=_MAX_ANSWER_BYTES, within_s=self._within_s)
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ChainUnreachableError(f"{self._shown} does not answer {method}: {reason}") from error
        if len(raw) > _MAX_ANSWER_BYTES:
            raise ChainError(f"{self._shown} answers {method} with more than {_MAX_ANSWER_BYTES} bytes")
        try:
            # The strict reader, because an endpoint may answer anything: the standard one recurses as deep as it is told.
            answer = strictjson.loads(raw)
        except MalformedRecordError as error:
            raise ChainUnreachableError(f"{self._shown} does not answer {method}: {error.detail}") from error
        if not isinstance(answer, dict) or "result" not in answer:
            said = answer.get("error", answer) if isinstance(answer, dict) else answer
            raise ChainError(f"{self._shown} refuses {method}: {json.dumps(said)[:300]}")
        return answer["result"]


@contextmanager
def _well_formed(shown: str) -> Iterator[None]:
    """What an endpoint answers is anything at all: whatever cannot be read is one kind of error."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ChainError(f"{shown} gives a malformed answer: {type(error).__name__}: {error}") from error


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
