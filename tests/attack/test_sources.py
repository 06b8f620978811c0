"""What an auditor reads comes from whoever is being checked: files without end, endpoints and mirrors that answer anything."""

import os
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from click.testing import CliRunner

from ledger.cli.mirror import DirectorySource, HttpSource, SourceError
from ledger.cli.rpc import RpcChainView
from ledger.cli.verify import verify
from ledger.errors import ChainError, ChainUnreachableError
from tests.world import World

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def answering(raw):
    """A server that answers every request with these bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(raw)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def whole(body):
    return OK % len(body) + body


NEGATIVE = {
    name: "0x00" for name in "parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom".split()
}
NEGATIVE |= {name: "-0x5" for name in "difficulty number gasLimit gasUsed timestamp".split()}
NEGATIVE |= {name: "0x00" for name in "extraData mixHash nonce hash".split()}


@pytest.mark.parametrize(
    "raw",
    [
        whole(b"[" * 200_000),
        whole(b'{"result":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        whole(b'{"result":' + b"9" * 10_000 + b"}"),
        whole(('{"result":' + str(NEGATIVE).replace("'", '"') + "}").encode()),
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK % 100 + b"{",
    ],
    ids=["deep", "deep result", "long number", "negative", "no HTTP", "bad chunk", "cut"],
)
def test_endpoint__any_answer__is_a_chain_error(raw):
    with answering(raw) as url:
        view = RpcChainView(url)
        for ask in (lambda: view.state_proof([]), view.chain_id):
            with pytest.raises(ChainError):
                ask()


@contextmanager
def dripping(head):
    """A server that answers `head`, then a byte now and then for as long as the test runs."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip(connection):
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(head)
                while not stop.wait(0.05):
                    connection.sendall(b" ")

        def serve():
            with suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            for thread in [t for t in threading.enumerate() if t.name == "fetch"]:
                thread.join(10)
            server.shutdown(socket.SHUT_RDWR)


DRIPS = pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX:", OK % 10**7], ids=["in its headers", "in its body"])


@DRIPS
def test_endpoint__that_drips_for_ever__is_given_up_at_the_deadline(head):
    with dripping(head) as url, pytest.raises(ChainUnreachableError, match="within 0.3 s"):
        RpcChainView(url, within_s=0.3).chain_id()


@DRIPS
def test_verify_bundle__endpoint_that_drips__exit_4_and_one_clear_line(head, tmp_path):
    (tmp_path / "trust.json").write_bytes(World().trust_bytes())
    world = World()
    world.append()
    world.anchor()
    (tmp_path / "record.hzb.json").write_bytes(world.bundle_bytes())
    with dripping(head) as url:
        words = ["bundle", str(tmp_path / "record.hzb.json"), "--trust", str(tmp_path / "trust.json"), "--rpc", url]
        words += ["--timeout", "0.3"]
        done = CliRunner().invoke(verify, words)
    assert done.exit_code == 4, done.output
    assert "does not answer" in done.output and "within 0.3 s" in done.output


@DRIPS
def test_mirror__that_drips_for_ever__is_given_up_at_the_deadline(head):
    with dripping(head) as url, pytest.raises(SourceError, match="does not answer: no whole answer within 0.3 s"):
        HttpSource(url, None, 0.3).read("checkpoint")


@DRIPS
def test_verify_log__mirror_that_drips__exit_4_and_one_clear_line(head, tmp_path):
    (tmp_path / "trust.json").write_bytes(World().trust_bytes())
    with dripping(head) as url:
        words = ["log", "--tiles", url, "--trust", str(tmp_path / "trust.json"), "--timeout", "0.3"]
        done = CliRunner().invoke(verify, words)
    assert done.exit_code == 4, done.output
    assert "does not answer: no whole answer within 0.3 s" in done.output


def test_mirror__file_that_ends_too_early__is_a_source_error_and_no_finding():
    with answering(OK % 100 + b"half a tile") as url, pytest.raises(SourceError, match="does not answer"):
        HttpSource(url, None).read("tile/0/000")


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_mirror__what_is_no_http__is_a_source_error(raw):
    with answering(raw) as url, pytest.raises(SourceError):
        HttpSource(url, None).read("checkpoint")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_files__without_end__are_refused_and_not_read_into_memory(tmp_path):
    zero = tmp_path / "zero"
    zero.symlink_to("/dev/zero")
    (tmp_path / "file").write_text("{}")
    run = CliRunner().invoke
    assert run(verify, ["bundle", str(tmp_path / "file"), "--trust", str(zero), "--offline"]).exit_code == 2
    with pytest.raises(SourceError, match="larger"):
        DirectorySource(tmp_path).read("zero")
