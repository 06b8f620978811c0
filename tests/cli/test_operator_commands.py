"""init, authority, token, trust, bundle, tiles, erase: as an operator types them, against a served installation."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from ledger.adapters.chain.embedded import EmbeddedNode
from ledger.adapters.chain.rpc import Rpc
from ledger.adapters.children import free_port
from ledger.catalogue import Catalogue
from ledger.cli import erase
from ledger.cli.compose import find_configured_anvil
from ledger.core.bundle import parse_bundle
from ledger.core.disclosure import make_disclosure, make_sd
from ledger.core.ids import credit_code_for
from ledger.core.trie import parse_header
from tests.kit import Book
from tests.served import ORIGIN, Served

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    state = tmp_path_factory.mktemp("operator") / "state"
    with Served(state, names=("sequencer", "anchor", "web")) as served:
        yield served


@pytest.fixture
def run(served, tmp_path):
    """Run `hazledger …` in a directory of its own, with the installation's present chain endpoint."""
    environment = {**os.environ, "HAZLEDGER_STATE": str(served.state), "HAZLEDGER_CHAIN_ENDPOINTS": served.service.rpc_url}

    def run(*words: str, status: int = 0, stdin: str = "") -> str:
        command = [sys.executable, "-m", "ledger.cli.main", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, input=stdin)
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return run


def test_init__again_on_the_same_directory__changes_nothing(run, served):
    before = (served.state / "trust.json").read_bytes()
    text = run("init", str(served.state), "--origin", ORIGIN)
    assert (served.state / "trust.json").read_bytes() == before
    assert "one-time code" not in text and "it was there already" in text


def test_init__another_origin__refused_by_name(run, served):
    assert ORIGIN in run("init", str(served.state), "--origin", "other.example/log", status=2)


def test_init__origin_out_of_form__says_so(run, tmp_path):
    assert "--origin" in run("init", str(tmp_path / "new"), "--origin", "hazledger/log", status=2)
    assert "as police.county.example/haz" in run("init", str(tmp_path / "new"), "--origin", "Police County", status=2)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--issuer", "Police Bureau"), ("--port", "99999"), ("--anchor-every", "-1"), ("--database", "mysql://x")],
)
def test_init__value_that_could_never_work__nothing_is_made(run, tmp_path, option, value):
    assert option in run("init", str(tmp_path / "new"), "--origin", ORIGIN, option, value, status=2)
    assert not (tmp_path / "new").exists()


def test_init__directory_that_cannot_be_made__says_which(run, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in run("init", str(tmp_path / "file" / "new"), "--origin", ORIGIN, status=2)


def test_init__secrets__only_the_owner_reads_them(served):
    keys = [path for path in (served.state / "keys").rglob("*") if path.is_file()]
    private = [served.state / "secrets" / "passphrase", served.state / "secrets" / "web", *keys]
    assert served.state / "keys" / "desk" / "supervisor.key" in private and len(private) >= 9
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert b"PRIVATE" not in path.read_bytes()


def test_commands__no_installation__say_init(run, tmp_path):
    for words in (["serve"], ["token", "list"], ["authority", "list"], ["tiles", "t"], ["bundle", "00" * 32]):
        assert "hazledger init" in run(*words, "--state", str(tmp_path / "nothing"), status=2)


def test_authority__enrol_list_revoke__the_platform_follows_the_chain(run, served, tmp_path):
    run("key", "new", "--out", str(tmp_path / "acme.key"), "--passphrase-file", str(served.config.passphrase_file))
    holder = credit_code_for("91320100MA1P77777")
    g = re.search(r"granted ([0-9a-f]{64})", run("authority", "enrol", "--key", str(tmp_path / "acme.key"), "--holder", holder))[1]
    log = served.installation().stores.log
    served.wait_for(lambda: g in {grant.g for grant in log.grants()}, 20, "the grant")
    assert holder in run("authority", "list")
    assert "already" in run("authority", "enrol", "--key", str(tmp_path / "acme.key"), "--holder", holder, status=1)
    assert f"revoked {g} at size" in run("authority", "revoke", g[:12].upper())
    served.wait_for(lambda: {x.g: x for x in log.grants()}[g].revoked_at < 2**48 - 1, 20, "the revocation")
    assert re.search(rf"{g}.*index 0 to \d+|{g}.*index \d+ to \d+", run("authority", "list"))


def test_authority__bad_input__says_what_to_do(run, served):
    assert "--key" in run("authority", "enrol", "--key", "x", "--holder", "91320100MA1P77777A", status=2)
    assert "--key" in run("authority", "enrol", "--key", "AAAA", "--holder", credit_code_for("91320100MA1P77777"), status=2)
    holder = credit_code_for("91320100MA1P77777")
    run("key", "new", "--out", "b.key", "--passphrase-file", str(served.config.passphrase_file))
    before = sorted(served.config.enrolments_dir.iterdir())
    for scope in ("S1", "S1 acid", "/acid", "S1/acid/"):
        said = run("authority", "enrol", "--key", "b.key", "--holder", holder, "--scope", scope, status=2)
        assert "--scope" in said and '"site/book"' in said
    assert "--holder" in run("authority", "enrol", "--key", "b.key", "--holder", "Wang", "--role", "supervisor", status=2)
    assert sorted(served.config.enrolments_dir.iterdir()) == before
    assert "64 hex" in run("authority", "revoke", "xyz", status=2)
    assert "no grant begins with 00112233" in run("authority", "revoke", "00112233", status=2)
    assert "range" in run("authority", "revoke", "ab" * 32, "--at", "-1", status=2)
    assert "contract refuses" in run("authority", "revoke", "00" * 32, status=2)


def test_token__new_list_revoke__reads_until_revoked(run, served):
    token = run("token", "new", "--role", "auditor", "--days", "1").strip()
    assert served.get("/tile/entries/000.p/1", token)[0] == 200
    listed = run("token", "list")
    assert token not in listed
    ids = re.findall(r"^([0-9a-f]{12,})  auditor .*until", listed, re.MULTILINE)
    for token_id in ids:
        run("token", "revoke", token_id)
    assert served.get("/tile/entries/000.p/1", token)[0] == 401
    assert "no such token" in run("token", "revoke", "ffff", status=2)
    assert "--holder" in run("token", "new", "--role", "enterprise", status=2)
    assert "--holder" in run("token", "new", "--role", "auditor", "--holder", "x", status=2)
    assert "credit code" in run("token", "new", "--role", "enterprise", "--holder", "91320100MA1P77777A", status=2)
    assert "--days" in run("token", "new", "--role", "auditor", "--days", "-3", status=2)


def test_bundle_trust_pin_tiles__one_record__verifies_three_ways(run, served, tmp_path):
    (book,) = served.enterprises(1)
    for kind in ("stocktake", "movement", "movement"):
        assert served.post("/api/v1/records", book.next(kind), "application/json")[0] == 201
    here = served.installation()
    index = here.stores.log.record_by_id(book.prev).index
    served.wait_for(lambda: here.stores.anchor.anchor_covering(index), 20, "an anchor")
    assert "ANCHORED-DEV" in run("bundle", book.prev, "--out", "r.json")
    parse_bundle((tmp_path / "r.json").read_bytes())
    trust = tmp_path / "trust.json"
    trust.write_bytes((served.state / "trust.json").read_bytes())
    shown = run("trust", "show", "trust.json")
    assert "a development chain" in shown
    assert ORIGIN in shown
    verify = ("verify", "bundle", "r.json", "--trust", "trust.json", "--require", "ANCHORED-DEV")
    run(*verify, "--rpc", served.service.rpc_url)
    run(*verify, "--offline", status=3)
    run("trust", "pin", "trust.json", "--rpc", served.service.rpc_url, "--bundle", "r.json")
    run(*verify, "--offline")
    pinned = trust.read_bytes()
    node = EmbeddedNode(find_configured_anvil(served.config), tmp_path / "other", port=free_port("127.0.0.1"))
    node.start()
    try:
        Rpc([node.url]).call("evm_mine")
        other = ("trust", "pin", "trust.json", "--rpc", node.url, "--bundle", "r.json")
        for _ in range(parse_header(parse_bundle((tmp_path / "r.json").read_bytes()).header).number):
            Rpc([node.url]).call("evm_mine")
        assert "another block" in run(*other, status=2)
    finally:
        node.stop()
    assert trust.read_bytes() == pinned
    run("tiles", "mirror")
    run("verify", "log", "--tiles", "mirror", "--trust", "trust.json", "--rpc", served.service.rpc_url)
    run("tiles", "mirror")
    assert "no record" in run("bundle", "00" * 32, status=2)
    assert "either --block" in run("trust", "pin", "trust.json", "--rpc", served.service.rpc_url, status=2)


@pytest.mark.parametrize(
    ("basis", "start", "end"),
    [
        ("cn591.retention.sales", date(2026, 11, 21), date(2027, 11, 21)),
        ("cn2026.retention.stock", date(2028, 2, 29), date(2031, 2, 28)),
        ("eu1148.retention", date(2026, 8, 31), date(2028, 2, 29)),
    ],
)
def test_erase__period_of_the_catalogue__ends_on_the_calendar_day(basis, start, end):
    assert erase._end(start, erase._period(basis)) == end


def test_erase__received_after_midnight_of_the_county__counted_from_that_day():
    late = int(datetime(2026, 11, 20, 16, 30, tzinfo=UTC).timestamp() * 1000)
    assert erase._day(late, ZoneInfo("Asia/Shanghai")) == date(2026, 11, 21)


def test_erase__every_period_of_the_catalogue__has_a_unit_that_is_counted():
    for parameter in Catalogue.load().parameters:
        if ".retention" in parameter.param_id:
            assert erase._end(date(2026, 1, 1), parameter) > date(2026, 1, 1)


def test_erase__a_record_with_disclosures__strings_go_and_the_bundle_still_verifies(run, served, tmp_path):
    (other,) = served.enterprises(1, book="office1")
    book = Book(other.key, other.holder, book="erasable", origin=ORIGIN)
    assert served.post("/api/v1/records", book.next("stocktake"), "application/json")[0] == 201
    shown = [make_disclosure("/body/handlers/0/name", "王小明", bytes(16))]
    payload = book.payload(_sd=make_sd(shown, os.urandom), _sd_alg="sha-256")
    book.took(payload)
    submission = b'{"envelope":%b,"disclosures":%b}' % (book.sign(payload), json.dumps([shown[0].text]).encode())
    status, answer = served.post("/api/v1/records", submission, "application/json")
    assert status == 201, answer
    log = served.installation().stores.log
    assert log.disclosures(book.prev) == (shown[0].text,)
    sales = ("--basis", "cn591.retention.sales")
    assert "Erase 1" in run("erase", book.prev, *sales, "--early", stdin="n\n", status=1)
    assert "cn591.retention.sales" in run("erase", book.prev, "--basis", "cn591.retension.sales", "--yes", status=2)
    assert "is to be kept until" in run("erase", book.prev, *sales, "--yes", status=1)
    assert log.disclosures(book.prev) == (shown[0].text,)
    run("erase", book.prev, *sales, "--early", "--yes")
    assert log.disclosures(book.prev) == ()
    assert "nothing to erase" in run("erase", book.prev, *sales, "--yes")
    assert "no record" in run("erase", "00" * 32, *sales, "--yes", status=2)
    again, answer = served.post("/api/v1/records", submission, "application/json")
    assert again == 200
    assert log.disclosures(book.prev) == ()
    files = b"".join(p.read_bytes() for p in served.state.glob("log.db*"))
    assert shown[0].text.encode() not in files
    here = served.installation()
    served.wait_for(lambda: here.stores.anchor.anchor_covering(answer["index"]), 20, "an anchor")
    run("bundle", book.prev, "--out", "e.json", "--disclosures")
    text = run("verify", "bundle", "e.json", "--trust", str(served.state / "trust.json"), "--require", "ANCHORED-DEV", "--rpc", served.service.rpc_url)
    assert "8 of 8 digests not shown" in text
