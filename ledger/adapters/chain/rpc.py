"""JSON-RPC to several endpoints in turn, with time-outs.

Answers are taken raw: hex stays hex, no middleware reshapes a block. That is what a header's RLP is rebuilt from, and
it makes proof-of-authority extra-data, at which web3's own block formatter stops, no special case.
"""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError
from web3 import HTTPProvider
from web3.exceptions import BadResponseFormat
from web3.types import RPCEndpoint, RPCResponse

from ledger.adapters.recursion import restore_recursion_limit
from ledger.core.addresses import shown_address
from ledger.core.strictjson import check_nesting
from ledger.errors import ChainError, ChainMismatchError, ChainUnreachableError, ConfigError, MalformedRecordError
from ledger.model import BlockNumber, BlockRef

restore_recursion_limit()

# What nodes answer when the state of a block is pruned away: Anvil, geth, Besu, Erigon.
_STATE_GONE = (
    "blockoutofrange",
    "missing trie node",
    "world state unavailable",
    "historical state",
    "header not found",
)

# A load balancer or an overloaded node says so with these; the next endpoint may do better.
_BUSY_STATUS = frozenset({429, 500, 502, 503, 504})
_QUANTITY, _HASH = re.compile(r"0x[0-9a-fA-F]{1,64}"), re.compile(r"0x[0-9a-fA-F]{64}")
_QUANTITIES = frozenset(
    {"eth_chainId", "eth_blockNumber", "eth_getTransactionCount", "eth_gasPrice", "eth_estimateGas"}
)
_BLOCK = {"number": _QUANTITY, "hash": _HASH, "timestamp": _QUANTITY}
_OBJECTS = frozenset({"eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getProof"})
_PART_BYTES = 64 * 1024
_MOST_BYTES = 256 * 1024 * 1024
"""Far above the largest dump of the embedded chain's state."""


class RpcError(ChainError):
    """The node understood the request and answered with an error. `data` holds a revert's bytes, if any."""

    default_code = "chain-rpc"

    def __init__(self, detail: str, *, number: int, data: bytes | None) -> None:
        super().__init__(detail)
        self.number = number
        self.data = data


class StateGoneError(RpcError):
    """The node no longer keeps the state of that block: read the newest final block and ask again."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for the connection and for each answer."""

    connect_s: float = 2.0
    answer_s: float = 10.0


class Rpc:
    """The endpoints of one chain, used one at a time; a silent one makes room for the next.

    An endpoint is used only after it showed the expected chain id and genesis, and again after each failure: behind
    the same address there may be another node now.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        chain_id: int | None = None,
        genesis: bytes | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        if not urls:
            raise ConfigError("no chain endpoint is named")
        self._urls = tuple(urls)
        self._expected = (chain_id, genesis)
        self._timeouts = timeouts or Timeouts()
        self._current = 0
        self._admitted: set[str] = set()
        self._local = threading.local()

    @property
    def endpoint(self) -> str:
        """The endpoint that is asked first now."""
        return self._urls[self._current]

    @property
    def shown_endpoint(self) -> str:
        """The same for people: scheme, host and port."""
        return shown_address(self.endpoint)

    def call(self, method: str, *params: Any) -> Any:
        """The `result` of one request.

        Raises:
            RpcError: The node answered with an error.
            ChainMismatchError: An endpoint is on another chain.
            ChainUnreachableError: No endpoint answered, each asked once (a single one twice: a kept-alive connection
                may have died with the node's last restart).
        """
        failures: list[str] = []
        for _ in range(max(2, len(self._urls))):
            url = self.endpoint
            try:
                if url not in self._admitted:
                    self._admit(url)
                return self._request(url, method, params)
            except _TransportError as error:
                failures.append(f"{shown_address(url)}: {error}")
                self._admitted.discard(url)
                self._current = (self._current + 1) % len(self._urls)
                if error.timed_out and len(self._urls) == 1:
                    break
        raise ChainUnreachableError("no chain endpoint answered: " + "; ".join(dict.fromkeys(failures)))

    def block(self, which: int | str) -> dict[str, Any] | None:
        """A block's raw JSON without transactions, by number or tag, or None when there is none."""
        name = hex(which) if isinstance(which, int) else which
        found = self.call("eth_getBlockByNumber", name, False)
        return dict(found) if found is not None else None

    def transaction_count(self, address: bytes, tag: str = "latest") -> int:
        """The account's next nonce."""
        return number(self.call("eth_getTransactionCount", "0x" + address.hex(), tag))

    def receipt(self, tx_hash: bytes) -> dict[str, Any] | None:
        """The receipt of a mined transaction, or None."""
        found = self.call("eth_getTransactionReceipt", "0x" + tx_hash.hex())
        return dict(found) if found is not None else None

    def _admit(self, url: str) -> None:
        chain_id, genesis = self._expected
        if chain_id is not None:
            found = number(self._request(url, "eth_chainId", ()))
            if found != chain_id:
                raise ChainMismatchError(f"{shown_address(url)} is chain {found}, the trust file names {chain_id}")
        if genesis is not None:
            block = self._request(url, "eth_getBlockByNumber", ("0x0", False))
            if block is None or from_hex(block["hash"]) != genesis:
                shown = block["hash"] if block else "none"
                raise ChainMismatchError(
                    f"{shown_address(url)}: genesis {shown}, the trust file names 0x{genesis.hex()}"
                )
        self._admitted.add(url)

    def _request(self, url: str, method: str, params: Sequence[Any]) -> Any:
        try:
            answer = self._provider(url).make_request(RPCEndpoint(method), list(params))
        except requests.Timeout as error:
            raise _TransportError("no answer in time", timed_out=True) from error
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status in _BUSY_STATUS:
                raise _TransportError(f"HTTP {status}") from error
            raise RpcError(f"{method}: HTTP {status}", number=0, data=None) from error
        except (requests.RequestException, OSError) as error:
            raise _TransportError("no connection") from error
        except (BadResponseFormat, ValueError) as error:
            raise _TransportError("the answer is not JSON-RPC") from error
        if not isinstance(answer, dict):
            raise _TransportError("the answer is not JSON-RPC")
        if answer.get("error") is not None:
            raise _rpc_error(method, answer["error"])
        result = answer.get("result")
        if not _is_of_its_kind(method, result):
            raise _TransportError(f"no answer to {method}")
        return result

    def _provider(self, url: str) -> HTTPProvider:
        # One connection per thread and process: a forked worker must not share its parent's socket.
        if getattr(self._local, "pid", None) != os.getpid():
            self._local.pid = os.getpid()
            self._local.providers = {}
        providers: dict[str, HTTPProvider] = self._local.providers
        if url not in providers:
            session = _Session(self._timeouts.answer_s)
            # The environment is read in config only; a proxy named there must not see chain traffic either.
            session.trust_env = False
            providers[url] = _Provider(
                url,
                request_kwargs={"timeout": (self._timeouts.connect_s, self._timeouts.answer_s)},
                session=session,
                exception_retry_configuration=None,
            )
        return providers[url]


class _Provider(HTTPProvider):
    """web3's, but nothing that an endpoint says can exhaust the C stack: the process would end, and no other be asked."""

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        try:
            check_nesting(raw_response)
        except MalformedRecordError as error:
            raise BadResponseFormat(error.detail) from None
        return HTTPProvider.decode_rpc_response(raw_response)


class _Session(requests.Session):
    """A socket's timeout begins anew with each byte; here an answer's body has so long for all of it."""

    def __init__(self, within_s: float) -> None:
        super().__init__()
        self._within_s = within_s

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        until = time.monotonic() + self._within_s
        response = super().send(request, **{**kwargs, "stream": True})
        try:
            body = _body(response.raw, until)
        except HTTPError as error:
            response.close()
            kind = requests.ReadTimeout if isinstance(error, ReadTimeoutError) else requests.ConnectionError
            raise kind(error) from error
        except requests.RequestException:
            response.close()
            raise
        response.raw.release_conn()
        response.raw = io.BytesIO(body)
        return response


def _body(raw: Any, until: float) -> bytes:
    body = bytearray()
    while part := raw.read1(_PART_BYTES, decode_content=True):
        body += part
        if time.monotonic() > until:
            raise requests.ReadTimeout("no whole answer in time")
        if len(body) > _MOST_BYTES:
            raise requests.RequestException("the answer does not end")
    return bytes(body)


class _TransportError(Exception):
    """No usable answer from this endpoint."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


def _is_of_its_kind(method: str, result: Any) -> bool:
    """Whether the answer can be one to this method; what is not is no reason to end, but to ask another endpoint."""
    if method in _QUANTITIES:
        return isinstance(result, str) and _QUANTITY.fullmatch(result) is not None
    if method == "eth_getBlockByNumber" and result is not None:
        return isinstance(result, dict) and all(
            isinstance(text := result.get(name), str) and form.fullmatch(text) for name, form in _BLOCK.items()
        )
    return method not in _OBJECTS or result is None or isinstance(result, dict)


def from_hex(text: str) -> bytes:
    """The bytes of 0x-hex as JSON-RPC writes data; ValueError for anything else."""
    if not text.startswith("0x"):
        raise ValueError("not 0x-hex")
    return bytes.fromhex(text[2:])


def number(text: str) -> int:
    """The integer of 0x-hex as JSON-RPC writes quantities."""
    return int(text, 16)


def block_ref(block: dict[str, Any]) -> BlockRef:
    """Number, hash and time of a raw block."""
    return BlockRef(BlockNumber(number(block["number"])), from_hex(block["hash"]), number(block["timestamp"]))


def _rpc_error(method: str, error: Any) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(f"{method}: {error}", number=0, data=None)
    message = str(error.get("message", ""))
    kind = StateGoneError if any(words in message.lower() for words in _STATE_GONE) else RpcError
    code = error.get("code")
    return kind(f"{method}: {message}", number=code if type(code) is int else 0, data=_revert_data(error.get("data")))


def _revert_data(data: Any) -> bytes | None:
    """A revert's return data: geth, Besu and Anvil put hex there, Ganache sometimes an object around it."""
    if isinstance(data, dict):
        data = data.get("data", data.get("result"))
    if isinstance(data, str) and data.startswith("0x"):
        try:
            return bytes.fromhex(data[2:])
        except ValueError:
            return None
    return None
