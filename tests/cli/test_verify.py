"""`hazledger verify …` as an auditor types it: exit codes, output, files, and the two kinds of source over HTTP.

The chain endpoint and the mirror are small servers on the loopback over tests/world.py; the real Anvil stands in
tests/adapters and tests/e2e.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from ledger.cli.verify import verify
from ledger.core import rlp
from ledger.core.encoding import sha256
from ledger.core.trie import keccak256
from ledger.core.verification.evidence import check_evidence
from tests.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world():
    world = World().open()
    world.fill(298)
    world.checkpoint(size=100)
    world.checkpoint()
    world.anchor()
    world.pin()
    world.mirror_cache = world.mirror()
    return world


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    """trust.json, unpinned.json, a bundle, a receipt with its envelope and key, and a mirror."""
    folder = tmp_path_factory.mktemp("evidence")
    files = {
        "trust.json": world.trust_bytes(),
        "unpinned.json": world.trust_bytes(pinned=()),
        "record.hzb.json": world.bundle_bytes(7),
        "record.receipt": world.logged[7].receipt,
        "record.envelope": world.logged[7].envelope,
        "token": b"secret-token\n",
        "old.checkpoint": world.checkpoints[0][2],
        "mirror/checkpoints/000000000000100": world.checkpoints[0][2],
        **{f"mirror/{path}": data for path, data in world.mirror_cache.items()},
    }
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Run `verify` with file names relative to the folder; evidence files land in tmp_path."""
    monkeypatch.chdir(tmp_path)
    names = {path.name for path in folder.iterdir()}

    def run_(*words):
        args = [str(folder / word) if word in names else word for word in words]
        return CliRunner().invoke(verify, args, catch_exceptions=False)

    return run_


# --- servers -------------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = self.path.lstrip("/")
        if path.startswith(("tile/entries", "tile/records")) and self.headers["Authorization"] != "Bearer secret-token":
            self.reply(401, b"")
            return
        data = self.server.world.mirror_cache.get(path)
        self.reply(404 if data is None else 200, data or b"")

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answers(request["method"], request["params"])
        self.reply(200, json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode())


class Endpoint:
    """JSON-RPC over a World: just the calls that the verifier makes."""

    def __init__(self, world):
        self.world = world
        self.override = {}

    def __call__(self, method, params):
        if method in self.override:
            return self.override[method]
        return {"result": getattr(self, method)(*params)}

    def eth_chainId(self):
        return hex(self.world.chain_id)

    def eth_blockNumber(self):
        return hex(self.world.block)

    def block(self, number):
        header = self.world.state()[3] if number == self.world.block else self.world.headers.get(number)
        if header is None:
            return None
        items = rlp.decode(header)
        text = lambda n: "0x" + items[n].hex()  # noqa: E731
        quantity = lambda n: hex(int.from_bytes(items[n], "big"))  # noqa: E731
        return {
            "hash": "0x" + keccak256(header).hex(),
            "parentHash": text(0), "sha3Uncles": text(1), "miner": text(2), "stateRoot": text(3),
            "transactionsRoot": text(4), "receiptsRoot": text(5), "logsBloom": text(6), "difficulty": quantity(7),
            "number": quantity(8), "gasLimit": quantity(9), "gasUsed": quantity(10), "timestamp": quantity(11),
            "extraData": text(12), "mixHash": text(13), "nonce": text(14), "baseFeePerGas": quantity(15),
            "withdrawalsRoot": text(16),
        }  # fmt: skip

    def eth_getBlockByNumber(self, which, _full):
        if which == "0x0":
            return {"hash": "0x" + sha256(b"genesis").hex()}
        return self.block(self.world.block if which in ("latest", "finalized") else int(which, 16))

    def eth_getProof(self, address, slots, _number):
        state, log_trie, registry_trie, _ = self.world.state()
        raw = bytes.fromhex(address[2:])
        trie = log_trie if raw == self.world.addresses["log"] else registry_trie
        hexed = lambda nodes: ["0x" + node.hex() for node in nodes]  # noqa: E731
        assert all(len(slot) == 66 for slot in slots)
        return {
            "accountProof": hexed(state.prove(raw)),
            "storageProof": [{"key": s, "proof": hexed(trie.prove(bytes.fromhex(s[2:])))} for s in slots],
        }


@pytest.fixture
def served(world):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.world = world
    server.answers = server.endpoint = Endpoint(world)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


# --- bundle --------------------------------------------------------------------------------------------------------------


def test_bundle__offline_and_pinned__0(run):
    result = run("bundle", "record.hzb.json", "--trust", "trust.json", "--offline", "--require", "ANCHORED-DEV")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith("ANCHORED-DEV; keys as of block ")
    assert result.output.count("[ok]") == 12


def test_bundle__default_requires_anchored__3(run):
    result = run("bundle", "record.hzb.json", "--trust", "trust.json", "--offline")
    assert result.exit_code == 3
    assert "PENDING: ANCHORED required" in result.output


def test_bundle__offline_and_not_pinned__3_and_names_check_10(run):
    result = run("bundle", "record.hzb.json", "--trust", "unpinned.json", "--offline", "--require", "ANCHORED-DEV")
    assert result.exit_code == 3
    assert "check 10 would lift it" in result.output


def test_bundle__rpc__0(run, served):
    words = ("--trust", "unpinned.json", "--rpc", served.url, "--require", "ANCHORED-DEV")
    result = run("bundle", "record.hzb.json", *words)
    assert result.exit_code == 0, result.output


def test_bundle__rpc_with_depth__an_older_block_answers(run, served, world):
    words = ("--trust", "unpinned.json", "--rpc", served.url, "--depth", "0", "--require", "ANCHORED-DEV")
    assert run("bundle", "record.hzb.json", *words).exit_code == 0


def test_bundle__rpc_silent__4(run):
    result = run("bundle", "record.hzb.json", "--trust", "unpinned.json", "--rpc", "http://127.0.0.1:9")
    assert result.exit_code == 4
    assert "did not answer" in result.output


@pytest.mark.parametrize(
    ("method", "answer", "code"),
    [
        ("eth_chainId", {"result": "0x1"}, 2),
        ("eth_getProof", {"error": {"code": -32601, "message": "method not found"}}, 4),
        ("eth_getProof", {"result": {}}, 4),
        ("eth_getBlockByNumber", {"result": None}, 4),
        ("eth_getBlockByNumber", {"result": {"hash": "0x12"}}, 2),
        ("eth_chainId", {"result": "many"}, 4),
    ],
)
def test_bundle__rpc_answers_nonsense__no_traceback(run, served, method, answer, code):
    served.endpoint.override[method] = answer
    result = run("bundle", "record.hzb.json", "--trust", "unpinned.json", "--rpc", served.url)
    assert result.exit_code == code, result.output


def test_bundle__altered__1_and_names_the_check(run, folder, tmp_path):
    bad = tmp_path / "bad.hzb.json"
    bad.write_bytes((folder / "record.hzb.json").read_bytes().replace(b'"index":7', b'"index":8'))
    result = run("bundle", str(bad), "--trust", "trust.json", "--offline")
    assert result.exit_code == 1
    assert "[FAIL]  7 inclusion" in result.output
    assert "FAILED: check 7" in result.output


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("no.json", b"not json", 1),
        ("v2.json", b'{"mediaType":"application/vnd.hazledger.bundle.v2+json"}', 2),
    ],
)
def test_bundle__other_files__their_exit_code(run, tmp_path, name, data, code):
    (tmp_path / name).write_bytes(data)
    assert run("bundle", str(tmp_path / name), "--trust", "trust.json").exit_code == code


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("bundle", "saved"), "bundle"),
        (("bundle", "saved", "--json"), "bundle"),
        (("receipt", "saved"), "receipt"),
        (("consistency", "old.checkpoint", "saved"), "checkpoint"),
    ],
)
def test_error_answer_saved_in_place_of_evidence__says_so_and_is_no_failed_check(run, tmp_path, words, what):
    answer = {"type": "urn:hazledger:not-yet-logged", "status": 404, "title": "尚无检查点覆盖", "detail": "Ask again."}
    (tmp_path / "saved").write_text(json.dumps(answer))
    result = run(*(str(tmp_path / word) if word == "saved" else word for word in words), "--trust", "trust.json")
    assert result.exit_code == 2
    assert "FAILED" not in result.output
    assert f"is not a {what} but an error answer: '尚无检查点覆盖' (status 404). Fetch the {what} again." in result.output


@pytest.mark.parametrize("type_", ["urn:other:thing", "about:blank", 7, None])
def test_bundle__json_that_is_no_answer_of_ours__is_checked_as_a_bundle(run, tmp_path, type_):
    (tmp_path / "saved").write_text(json.dumps({"type": type_, "title": "x", "status": 404}))
    assert "bundle format" in run("bundle", str(tmp_path / "saved"), "--trust", "trust.json").output


def test_error_answer__words_that_move_the_cursor__are_not_printed_as_they_are(run, tmp_path):
    answer = {"type": "urn:hazledger:x", "status": 404, "title": "\x1b[2K\x1b[1AOK"}
    (tmp_path / "saved").write_text(json.dumps(answer))
    assert "\x1b" not in run("bundle", str(tmp_path / "saved"), "--trust", "trust.json").output


@pytest.mark.parametrize(
    "words",
    [
        ("bundle", "record.hzb.json"),
        ("bundle", "missing", "--trust", "trust.json"),
        ("bundle", "record.hzb.json", "--trust", "record.receipt"),
        ("bundle", "record.hzb.json", "--trust", "trust.json", "--rpc", "http://x", "--offline"),
        ("bundle", "record.hzb.json", "--trust", "trust.json", "--require", "PENDING"),
        ("bundle", "record.hzb.json", "--trust", "trust.json", "--rpc", "file:///etc/passwd"),
    ],
)
def test_bundle__wrong_usage__2(run, words):
    assert run(*words).exit_code == 2


def test_bundle__json__one_object(run):
    result = run("bundle", "record.hzb.json", "--trust", "trust.json", "--offline", "--json")
    document = json.loads(result.output)
    assert (document["exitCode"], document["verdict"], document["liftedBy"]["check"]) == (3, "PENDING", 9)
    assert len(document["checks"]) == 13


def test_bundle__keys_within__3_when_older(run):
    words = ("--trust", "trust.json", "--offline", "--require", "ANCHORED-DEV", "--keys-within", "0")
    result = run("bundle", "record.hzb.json", *words)
    assert result.exit_code in (0, 3)
    assert "check 4 would lift it" in result.output or time.time() < 1_790_001_224


# --- log and book --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_log__directory__0(run, folder, jobs):
    result = run("log", "--tiles", str(folder / "mirror"), "--trust", "trust.json", "--jobs", jobs)
    assert result.exit_code == 0, result.output
    assert "consistent with 1 older ones" in result.output


def test_log__over_http_with_token_and_rpc__0(run, served):
    words = ("--tiles", served.url, "--token-file", "token", "--trust", "trust.json", "--rpc", served.url)
    result = run("log", *words, "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert "[ok]    9" in result.output


def test_log__over_http_without_token__4_and_says_so(run, served):
    result = run("log", "--tiles", served.url, "--trust", "trust.json", "--jobs", "1")
    assert result.exit_code == 4
    assert "--token-file" in result.output + result.stderr


@pytest.mark.parametrize("where", ["http://127.0.0.1:9", "/nowhere"])
def test_log__mirror_silent__4(run, where):
    assert run("log", "--tiles", where, "--trust", "trust.json").exit_code == 4


def test_log__altered_tile__1_with_index_and_check(run, folder, tmp_path):
    import shutil

    mirror = tmp_path / "mirror"
    shutil.copytree(folder / "mirror", mirror)
    path = mirror / "tile/records/000"
    data = path.read_bytes()
    at = data.index(b'"sig":"', len(data) // 2) + 10
    path.write_bytes(data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :])
    result = run("log", "--tiles", str(mirror), "--trust", "trust.json", "--json")
    assert result.exit_code == 1
    document = json.loads(result.output)
    assert [finding["check"] for finding in document["findings"]] == [5]
    assert document["findings"][0]["recordId"]


def test_log__missing_tile__1(run, folder, tmp_path):
    import shutil

    mirror = tmp_path / "mirror"
    shutil.copytree(folder / "mirror", mirror)
    (mirror / "tile/entries/000").unlink()
    assert run("log", "--tiles", str(mirror), "--trust", "trust.json").exit_code == 1


def test_log__two_histories__5_and_evidence_written(run, folder, world, tmp_path):
    import shutil

    mirror = tmp_path / "mirror"
    shutil.copytree(folder / "mirror", mirror)
    note = world.checkpoint(size=50, root=sha256(b"another history"))
    world.checkpoints.pop()
    (mirror / "checkpoints" / "50").write_bytes(note)
    result = run("log", "--tiles", str(mirror), "--trust", "trust.json", "--jobs", "1")
    assert result.exit_code == 5, result.output
    (path,) = tmp_path.glob("checkpoint-fork-*.json")
    assert path.name in result.output
    check_evidence(path.read_bytes(), world.trust())


def test_book__directory__0_and_balanced(run, folder, world):
    words = ("--enterprise", world.enterprise.holder, "--site", "S1", "--book", "acid")
    result = run("book", *words, "--tiles", str(folder / "mirror"), "--trust", "trust.json")
    assert result.exit_code == 0, result.output
    assert "complete up to checkpoint 300" in result.output
    assert "balanced yes" in result.output


def test_book__mistyped__2(run, folder, world):
    words = ("--enterprise", world.enterprise.holder, "--site", "S1", "--book", "acdi")
    result = run("book", *words, "--tiles", str(folder / "mirror"), "--trust", "trust.json")
    assert result.exit_code == 2
    assert "NOT-VERIFIED" in result.output and "OK: book" not in result.output


# --- receipt and consistency ---------------------------------------------------------------------------------------------


def test_receipt__with_everything__0(run, folder, served, world):
    words = ("--trust", "trust.json", "--envelope", "record.envelope")
    result = run("receipt", "record.receipt", *words, "--tiles", str(folder / "mirror"), "--rpc", served.url)
    assert result.exit_code == 0, result.output


def test_receipt__broken__5_and_evidence_written(run, folder, world, tmp_path):
    from tests.core.verification.test_promise import lying_receipt

    path = tmp_path / "lie.receipt"
    path.write_bytes(lying_receipt(world, 9))
    result = run("receipt", str(path), "--trust", "trust.json", "--tiles", str(folder / "mirror"))
    assert result.exit_code == 5, result.output
    (written,) = tmp_path.glob("receipt-broken-*.json")
    check_evidence(written.read_bytes(), world.trust())


def test_receipt__broken_in_a_folder_that_cannot_be_written__5_all_the_same(run, folder, world, tmp_path, monkeypatch):
    from tests.core.verification.test_promise import lying_receipt

    path = tmp_path / "lie.receipt"
    path.write_bytes(lying_receipt(world, 9))

    def refused(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr("ledger.adapters.files.tempfile.mkstemp", refused)
    result = run("receipt", str(path), "--trust", "trust.json", "--tiles", str(folder / "mirror"))
    assert result.exit_code == 5
    assert "could not be written" in result.output


def test_consistency__directory__0(run, folder):
    words = ("--trust", "trust.json", "--tiles", str(folder / "mirror"))
    assert run("consistency", "old.checkpoint", str(folder / "mirror/checkpoint"), *words).exit_code == 0


def test_consistency__fork__5_and_evidence_written(run, folder, world, tmp_path):
    note = tmp_path / "fork.checkpoint"
    note.write_bytes(world.checkpoint(size=100, root=sha256(b"another history")))
    world.checkpoints.pop()
    result = run("consistency", str(note), "old.checkpoint", "--trust", "trust.json")
    assert result.exit_code == 5
    assert list(tmp_path.glob("checkpoint-fork-*.json"))


# --- help, speed, leanness -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["bundle", "log", "book", "receipt", "consistency"])
def test_help__each_command__teaches_by_an_example(command):
    result = CliRunner().invoke(verify, [command, "--help"])
    assert result.exit_code == 0
    assert f"hazledger verify {command}" in result.output
    assert "--trust" in result.output


def test_help__group__lists_commands_and_exit_codes():
    result = CliRunner().invoke(verify, ["--help"])
    for word in ("bundle", "log", "book", "receipt", "consistency", "pending", "evidence"):
        assert word in result.output


def test_bundle__imports__nothing_of_the_platform(folder):
    code = (
        "import sys\nsys.argv=['verify','bundle',sys.argv[1],'--trust',sys.argv[2],'--offline']\n"
        "from ledger.cli.verify import verify\n"
        "try:\n    verify(standalone_mode=False)\nexcept SystemExit:\n    pass\n"
        "heavy={'sqlalchemy','web3','flask','requests','urllib.request','yaml','cel','ledger.adapters','ledger.engine'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    words = [sys.executable, "-c", code, str(folder / "record.hzb.json"), str(folder / "trust.json")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "[]"


def test_bundle__process__starts_and_verifies_in_0_3_s(folder):
    # Processor time of the child, the best of a few: what else runs on this machine is not our cost.
    words = [sys.executable, "-m", "ledger.cli.main", "verify", "bundle", str(folder / "record.hzb.json")]
    words += ["--trust", str(folder / "trust.json"), "--offline", "--require", "ANCHORED-DEV"]

    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    best = 9.0
    for _ in range(5):
        before = spent()
        subprocess.run(words, cwd=ROOT, capture_output=True, check=True, timeout=30)
        best = min(best, spent() - before)
    assert best < 0.3


def test_verify_bundle__6_000_slots__at_most_13_kb_and_5_ms(world):
    from ledger.core.verification import Level, verify_bundle

    large = World(es256=True)
    large.fill(40)
    large.checkpoint()
    large.anchor()
    large.extra_storage = 3000
    large.pin()
    data, trust = large.bundle_bytes(7), large.trust()
    assert len(data) <= 13_000
    best = 9.0
    for _ in range(30):
        started = time.process_time()
        verdict = verify_bundle(data, trust, require=Level.ANCHORED_DEV)
        best = min(best, time.process_time() - started)
    assert verdict.exit_code == 0
    assert best <= 0.005


def test_bundle__qbft_endpoint_without_the_finalized_tag__newest_block_is_final(tmp_path, served):
    """Besu answers that tag with an error on QBFT, where each block is final when it is there."""
    world = World(kind="qbft")
    world.fill(2)
    world.checkpoint()
    world.anchor()
    (tmp_path / "b.json").write_bytes(world.bundle_bytes(0))
    (tmp_path / "t.json").write_bytes(world.trust_bytes())
    endpoint = Endpoint(world)
    served.answers = endpoint
    words = ["bundle", str(tmp_path / "b.json"), "--trust", str(tmp_path / "t.json"), "--rpc", served.url]
    real = endpoint.eth_getBlockByNumber
    endpoint.eth_getBlockByNumber = lambda which, full: None if which == "finalized" else real(which, full)
    assert CliRunner().invoke(verify, words).exit_code == 0


def test_bundle__file_far_too_large__check_1(run, tmp_path):
    (tmp_path / "large.json").write_bytes(b" " * 3_000_000)
    result = run("bundle", str(tmp_path / "large.json"), "--trust", "trust.json")
    assert result.exit_code == 1
    assert "at most" in result.output
