"""The embedded node's process and its dumps."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.adapters.chain.dumps import Dumps
from ledger.adapters.chain.embedded import ARGUMENTS, CHAIN_ID, EmbeddedNode, find_anvil
from ledger.adapters.chain.rpc import Rpc, block_ref, number
from ledger.adapters.chain.transactions import locked
from ledger.errors import ChainMismatchError, ChainTimeoutError, ChainUnreachableError, ConfigError
from tests.adapters.chain.conftest import CONTRACTS, HOLDER, TREE, Anvil, grow, keyid

chain = pytest.mark.chain

# The genesis that every installation has: changing it orphans their trust files.
GENESIS = "0x40ee30322eb9303a51a413cb369cb400dc4debc18f1e87f37c1382d36a691b72"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return status != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


@chain
def test_start__fresh__fixed_genesis_own_chain_id_right_clock_no_accounts(node: EmbeddedNode) -> None:
    rpc = Rpc([node.url], chain_id=CHAIN_ID, genesis=bytes.fromhex(GENESIS[2:]))
    assert rpc.call("eth_accounts") == []
    rpc.call("evm_mine")
    block = rpc.block("latest")
    assert block is not None
    assert abs(number(block["timestamp"]) - time.time()) < 5
    assert node.url.startswith("http://127.0.0.1:")


@chain
def test_start__running__only_loopback_listens(node: EmbeddedNode) -> None:
    port = int(node.url.rpartition(":")[2])
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert listening == [f"0100007F:{port:04X}"]


@chain
def test_start__twice__same_process(node: EmbeddedNode) -> None:
    pid = node.pid
    node.start()
    assert node.pid == pid


@chain
def test_start__another_node_has_the_directory__refused(node: EmbeddedNode) -> None:
    with pytest.raises(ConfigError, match="another process runs"):
        EmbeddedNode(find_anvil(CONTRACTS), node.directory).start()
    node.kill()
    other = EmbeddedNode(find_anvil(CONTRACTS), node.directory)
    other.start()
    other.kill()


@chain
def test_start__port_is_somebody_elses__refused_and_he_is_not_asked(
    node: EmbeddedNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.adapters.chain.embedded._PORT_S", 0.1)
    port = int(node.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"port {port} is taken"):
        EmbeddedNode(find_anvil(CONTRACTS), tmp_path / "other", port=port).start()


@chain
def test_start__anvil_refuses_its_arguments__unreachable_and_startable_again(tmp_path: Path) -> None:
    node = EmbeddedNode(find_anvil(CONTRACTS), tmp_path, arguments=("--no-such-thing",))
    with pytest.raises(ChainUnreachableError, match="anvil.log"):
        node.start()
    assert "--no-such-thing" in (tmp_path / "anvil.log").read_text()
    good = EmbeddedNode(find_anvil(CONTRACTS), tmp_path)
    good.start()
    good.kill()


@chain
def test_stop__and_start__same_chain_to_the_block(anvil: Anvil) -> None:
    grow(anvil.chain(), 0, 3)
    block = anvil.chain().final_block()
    anvil.node.stop()
    assert anvil.node.pid is None
    anvil.node.start()
    again = EmbeddedNode(find_anvil(CONTRACTS), anvil.node.directory)
    assert anvil.chain().final_block() == block
    assert anvil.chain().head() == TREE.head(3)
    del again


@chain
def test_start__dump_of_another_genesis__refused(anvil: Anvil) -> None:
    anvil.node.stop()
    other = [argument if argument != "shanghai" else "london" for argument in ARGUMENTS]
    node = EmbeddedNode(find_anvil(CONTRACTS), anvil.node.directory, arguments=tuple(other))
    with pytest.raises(ChainMismatchError, match="another genesis"):
        node.start()
    assert node.pid is None


@chain
def test_maintain__node_killed__started_again_at_the_same_address(anvil: Anvil) -> None:
    chain = anvil.chain()
    grow(chain, 0, 3)
    anvil.node.dump()
    url, pid = anvil.node.url, anvil.node.pid
    assert pid is not None
    assert anvil.node.maintain() is False
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5  # Its threads end one by one; until then it cannot be waited for.
    while not anvil.node.maintain():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (anvil.node.url, anvil.node.pid != pid) == (url, True)
    assert chain.head() == TREE.head(3)


@chain
@chain
@pytest.mark.parametrize("moment", ["before the dump", "before the clock"])
def test_start__somebody_recovers_while_the_dump_is_loaded__waits_and_mines_nothing_again(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Anvil answers before it has its state: taken for an empty chain, the whole journal would come a second time."""
    grow(anvil.chain(), 0, 3)
    anvil.authority().enrol(keyid(1), HOLDER, "", 3)
    grow(anvil.chain(), 3, 8)
    anvil.node.dump()
    grow(anvil.chain(), 8, 9)
    newest, blocks = number(anvil.rpc().call("eth_blockNumber")), [entry[4] for entry in anvil.journal.entries]
    anvil.node.kill()
    real, recovering = EmbeddedNode._load, threading.Event()

    def slow(node: EmbeddedNode, rpc: Rpc) -> None:
        if moment == "before the clock":
            real(node, rpc)
        recovering.set()
        time.sleep(0.5)
        if moment == "before the dump":
            real(node, rpc)

    monkeypatch.setattr(EmbeddedNode, "_load", slow)
    with ThreadPoolExecutor(1) as pool:
        recovered = pool.submit(lambda: recovering.wait(10) and anvil.chain().recover())
        anvil.node.start()
        assert recovered.result(10) is True
    assert anvil.chain().head() == TREE.head(9)
    assert number(anvil.rpc().call("eth_blockNumber")) == newest
    assert [entry[4] for entry in anvil.journal.entries] == blocks
    assert abs(block_ref(anvil.chain().blocks.newest()).timestamp_s - time.time()) < 30


@chain
def test_start__somebody_keeps_his_turn__says_so_and_can_be_started_later(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.adapters.chain.embedded._TURN_S", 0.2)
    anvil.node.kill()
    with locked(anvil.node.directory / "turn.lock"):
        with pytest.raises(ChainTimeoutError) as caught:
            anvil.node.start()
        assert "turn.lock" in caught.value.detail
        assert anvil.node.maintain() is False
        assert anvil.node.pid is None
    assert anvil.node.maintain() is True


def test_maintain__port_taken_meanwhile__tried_again_later(
    anvil: Anvil, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ledger.adapters.chain.embedded._PORT_S", 0.1)
    anvil.node.dump()
    anvil.node.kill()
    with socket.create_server(("127.0.0.1", int(anvil.node.url.rpartition(":")[2]))):
        assert anvil.node.maintain() is False
    assert "is taken" in caplog.text
    assert anvil.node.maintain() is True
    anvil.chain().check_identity()


@chain
def test_maintain__new_blocks__dumped_once_a_while_and_two_kept(anvil: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.adapters.chain.embedded._DUMPING_SHARE", 1e9)
    chain = anvil.chain()
    for old, new in [(0, 1), (1, 2), (2, 3), (3, 4)]:
        grow(chain, old, new)
        anvil.node.maintain(dump_every_s=0)
        time.sleep(0.01)
    kept = [path.name for path in anvil.dumps()]
    anvil.node.maintain(dump_every_s=0)
    assert [path.name for path in anvil.dumps()] == kept
    assert len(kept) == 2
    anvil.node.maintain(dump_every_s=3600)
    assert [path.name for path in anvil.dumps()] == kept


@chain
def test_files__after_many_blocks__nothing_but_ours(anvil: Anvil) -> None:
    for _ in range(50):
        anvil.rpc().call("evm_mine")
    anvil.node.stop()
    found = {str(path.relative_to(anvil.node.directory)) for path in anvil.node.directory.rglob("*")}
    assert {name for name in found if not name.startswith("dumps/state-")} == {
        "anvil.log",
        "dumps",
        "home",
        "node.lock",
        "turn.lock",
    }


@chain
@pytest.mark.faults
def test_parent_killed__node_goes_with_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from ledger.adapters.chain.embedded import EmbeddedNode\n"
        "node = EmbeddedNode(Path(sys.argv[1]), Path(sys.argv[2])); node.start()\n"
        "print(node.pid, flush=True); time.sleep(60)\n"
    )
    arguments = [sys.executable, "-c", program, str(find_anvil(CONTRACTS)), str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert gone_within(pid, 5)
    node = EmbeddedNode(find_anvil(CONTRACTS), tmp_path)
    node.start()
    node.kill()


def test_find_anvil__not_there__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="npm ci"):
        find_anvil(tmp_path)
    with pytest.raises(ConfigError, match="HAZLEDGER_ANVIL"):
        find_anvil(tmp_path, tmp_path / "anvil")
    (tmp_path / "anvil").write_text("not executable")
    with pytest.raises(ConfigError, match="HAZLEDGER_ANVIL"):
        find_anvil(tmp_path, tmp_path / "anvil")


# --- dumps ---------------------------------------------------------------------------------------------------------


def dump(number: int) -> bytes:
    return gzip.compress(b'{"n":%d}' % number, mtime=0)  # the time of day would make two dumps of one state differ


def test_dumps__three_saved__newest_two_kept(tmp_path: Path) -> None:
    dumps = Dumps(tmp_path)
    for number in (1, 2, 3):
        dumps.save(dump(number), number)
    assert [dumps.read(path) for path in dumps.newest_first()] == [dump(3), dump(2)]


def test_dumps__chain_went_back__lower_block_is_still_the_newer(tmp_path: Path) -> None:
    dumps = Dumps(tmp_path)
    dumps.save(dump(1), 100)
    dumps.save(dump(2), 5)
    assert dumps.read(dumps.newest_first()[0]) == dump(2)


@pytest.mark.parametrize("cut", [0, 1, 10, -9, -4, -1])
def test_dumps__torn__seen(tmp_path: Path, cut: int) -> None:
    dumps = Dumps(tmp_path)
    path = dumps.save(dump(1), 1)
    path.write_bytes(path.read_bytes()[:cut])
    assert dumps.read(path) is None


def test_dumps__one_bit_flipped__seen(tmp_path: Path) -> None:
    dumps = Dumps(tmp_path)
    path = dumps.save(dump(1), 1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert dumps.read(path) is None


def test_dumps__torn_ones__do_not_push_out_the_whole(tmp_path: Path) -> None:
    dumps = Dumps(tmp_path)
    whole = dumps.save(dump(1), 1)
    for number in (2, 3):
        dumps.save(dump(number), number).write_bytes(b"\x1f\x8b")
    dumps.save(dump(4), 4)
    found = [dumps.read(path) for path in dumps.newest_first()]
    assert [data for data in found if data is not None] == [dump(4), dump(1)]
    assert whole.exists()


def test_dumps__died_while_writing__part_is_no_dump(tmp_path: Path) -> None:
    dumps = Dumps(tmp_path)
    dumps.save(dump(1), 1)
    (tmp_path / "state-000000000002-000002.json.part").write_bytes(b"half")
    assert [dumps.read(path) for path in dumps.newest_first()] == [dump(1)]
