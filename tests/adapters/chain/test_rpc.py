"""Endpoints that misbehave in every way but being down."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ledger.adapters.chain.contracts import CheckpointLog
from ledger.adapters.chain.rpc import Rpc, RpcError, StateGoneError, Timeouts
from ledger.errors import ChainError, ChainUnreachableError, ConfigError

DRIP = b"a byte now and then"
FAST = Timeouts(connect_s=0.5, answer_s=0.3)


class Node:
    """A JSON-RPC server whose answers the test names: (status, body) by method; None is silence."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(asked["method"])
                status, body = outer.answers.get(asked["method"], (200, {"result": "0x1"}))
                if body is None:
                    time.sleep(0.8)
                    self.close_connection = True
                    return
                if body is DRIP:
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    with suppress(OSError):
                        for _ in range(100):
                            self.wfile.write(b" ")
                            time.sleep(0.05)
                    self.close_connection = True
                    return
                if isinstance(body, dict):
                    body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **body}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def nodes() -> Iterator[tuple[Node, Node]]:
    both = Node(), Node()
    yield both
    for node in both:
        node.close()


@pytest.mark.parametrize(
    "answer",
    [
        (200, None),
        (503, b"overloaded"),
        (429, b"slow down"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"\xff"),
        (200, b'{"id":0,"result":' + b"[" * 300_000),
    ],
    ids=["silent", "503", "429", "html", "list", "not text", "nested without end"],
)
def test_call__first_endpoint_misbehaves__second_answers(nodes: tuple[Node, Node], answer: Any) -> None:
    nodes[0].answers["eth_blockNumber"] = answer
    rpc = Rpc([nodes[0].url, nodes[1].url], timeouts=FAST)
    assert rpc.call("eth_blockNumber") == "0x1"
    assert rpc.call("eth_blockNumber") == "0x1"
    assert nodes[0].asked.count("eth_blockNumber") == 1  # It stays with the one that answers.


HASH = "0x" + "ab" * 32


@pytest.mark.parametrize("method", ["eth_blockNumber", "eth_getBlockByNumber", "eth_getTransactionReceipt"])
@pytest.mark.parametrize(
    "result", [5, "zz", [], "0x" + "f" * 5000, {"number": 1, "hash": HASH, "timestamp": "0x1"}, True]
)
def test_call__first_endpoint_answers_something_else__second_is_asked(
    nodes: tuple[Node, Node], method: str, result: Any
) -> None:
    right: Any = {"number": "0x1", "hash": HASH, "timestamp": "0x1"} if method != "eth_blockNumber" else "0x1"
    if method == "eth_getTransactionReceipt" and isinstance(result, dict):
        return
    nodes[0].answers[method] = (200, {"result": result})
    nodes[1].answers[method] = (200, {"result": right})
    assert Rpc([nodes[0].url, nodes[1].url], timeouts=FAST).call(method, "0x1") == right


@pytest.mark.parametrize("error", [{"code": "x", "message": 7}, {"code": None}, {}, {"data": {"data": [1]}}])
def test_call__an_error_out_of_form__is_an_error_of_the_node(nodes: tuple[Node, Node], error: Any) -> None:
    nodes[0].answers["eth_call"] = (200, {"error": error})
    with pytest.raises(RpcError):
        Rpc([nodes[0].url], timeouts=FAST).call("eth_call")


def test_call__first_endpoint_drips_its_answer__second_answers(nodes: tuple[Node, Node]) -> None:
    nodes[0].answers["eth_blockNumber"] = (200, DRIP)
    rpc = Rpc([nodes[0].url, nodes[1].url], timeouts=FAST)
    assert rpc.call("eth_blockNumber") == "0x1"
    assert nodes[0].asked.count("eth_blockNumber") == 1


def test_call__single_endpoint_is_silent__asked_once_only(nodes: tuple[Node, Node]) -> None:
    nodes[0].answers["eth_blockNumber"] = (200, None)
    with pytest.raises(ChainUnreachableError, match="no answer in time"):
        Rpc([nodes[0].url], timeouts=FAST).call("eth_blockNumber")
    assert nodes[0].asked.count("eth_blockNumber") == 1


def test_call__both_silent__unreachable_names_both(nodes: tuple[Node, Node]) -> None:
    for node in nodes:
        node.answers["eth_blockNumber"] = (200, None)
    with pytest.raises(ChainUnreachableError) as caught:
        Rpc([node.url for node in nodes], timeouts=FAST).call("eth_blockNumber")
    assert all(node.url in caught.value.detail for node in nodes)


def test_call__node_answers_an_error__not_asked_elsewhere(nodes: tuple[Node, Node]) -> None:
    nodes[0].answers["eth_call"] = (200, {"error": {"code": -32000, "message": "no", "data": "0x01"}})
    with pytest.raises(RpcError) as caught:
        Rpc([node.url for node in nodes]).call("eth_call")
    assert (caught.value.number, caught.value.data, nodes[1].asked) == (-32000, b"\1", [])


@pytest.mark.parametrize(
    "message",
    [
        "BlockOutOfRangeError: block height is 8 but requested was 1",
        "missing trie node 0f (path )",
        "World state unavailable",
    ],
)
def test_call__pruned_state__its_own_error(nodes: tuple[Node, Node], message: str) -> None:
    nodes[0].answers["eth_call"] = (200, {"error": {"code": -32000, "message": message}})
    with pytest.raises(StateGoneError):
        Rpc([nodes[0].url]).call("eth_call")


def test_call__endpoint_came_back_as_another_chain__not_used(nodes: tuple[Node, Node]) -> None:
    rpc = Rpc([nodes[0].url], chain_id=1, timeouts=FAST)
    assert rpc.call("eth_blockNumber") == "0x1"
    nodes[0].answers["eth_blockNumber"] = (503, b"")
    with pytest.raises(ChainUnreachableError):
        rpc.call("eth_blockNumber")
    nodes[0].answers = {"eth_chainId": (200, {"result": "0x2"})}
    with pytest.raises(ChainError, match="is chain 2, the trust file names 1"):
        rpc.call("eth_blockNumber")


def test_rpc__no_endpoint__config_error() -> None:
    with pytest.raises(ConfigError):
        Rpc([])


# --- reverts -------------------------------------------------------------------------------------------------------

STALE = "0x" + CheckpointLog()._web3.keccak(text="StaleBase(uint64)")[:4].hex() + (7).to_bytes(32, "big").hex()


@pytest.mark.parametrize(
    "data",
    [STALE, {"data": STALE}, {"result": STALE, "message": "revert"}],
    ids=["plain", "wrapped", "ganache's result"],
)
def test_reverted__custom_error__named_with_its_values(nodes: tuple[Node, Node], data: Any) -> None:
    nodes[0].answers["eth_call"] = (200, {"error": {"code": 3, "message": "execution reverted", "data": data}})
    with pytest.raises(RpcError) as caught:
        Rpc([nodes[0].url]).call("eth_call")
    reverted = CheckpointLog().reverted(caught.value)
    assert reverted is not None
    assert (reverted.reason, "StaleBase(7)" in reverted.detail) == ("StaleBase", True)


@pytest.mark.parametrize("data", ["0x", "0x12345678", None, STALE[:30]], ids=["empty", "unknown", "none", "cut short"])
def test_reverted__no_reason_we_know__still_a_revert(data: str | None) -> None:
    error = RpcError("eth_call: execution reverted", number=3, data=None if data is None else bytes.fromhex(data[2:]))
    reverted = CheckpointLog().reverted(error)
    assert reverted is not None
    assert reverted.reason == ""


def test_reverted__some_other_error__none() -> None:
    assert CheckpointLog().reverted(RpcError("eth_call: out of memory", number=-32000, data=None)) is None
