"""key, push, head as a person uses them: own processes' view of files, the real application behind a real socket."""

import json
import re
import threading

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from ledger.adapters.keystore.signing import load_signer
from ledger.cli.head import head
from ledger.cli.key import key
from ledger.cli.push import push
from ledger.client.http import AnswerError, Client, UnreachableError
from ledger.client.spool import Spool
from ledger.core.ids import credit_code_for
from ledger.core.record import parse_payload
from ledger.core.submission import parse_submission
from ledger.core.trust import CheckpointLogContract, KeyRegistryContract, Span, TrustedChain, make_trust, parse_trust
from tests import factories
from tests.kit import ORIGIN
from tests.webapp.desk import Desk

PASSPHRASE = "violet tram under seven bridges"
HOLDER = credit_code_for("91320100MA1P77777")
HEADINGS = "record,event_time,direction,reason,code,value,unit,store,packaging,complete\n"
COUNT = "stocktake,2026-03-01 18:00,,,7697-37-2,1000,KGM,R1,bulk,true\n"
USE = "movement,2026-03-02 09:30,out,consumption,7697-37-2,25.5,KGM,R1,bulk,\n"


class Place:
    """A platform on a port, and an enterprise's desk: trust file, key, token, spool."""

    def __init__(self, path):
        self.path = path
        self.desk = Desk(path / "log")
        self.server = make_server("127.0.0.1", 0, self.desk.app, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.trust = path / "trust.json"
        self.trust.write_bytes(trust_bytes(self.desk))
        self.passphrase = path / "pass"
        self.passphrase.write_text(PASSPHRASE + "\n")
        self.key_file = path / "acme.key"
        self.token = path / "token"
        bearer = self.desk.bearer("enterprise", HOLDER)
        self.token.write_text(
            (bearer["Authorization"] if isinstance(bearer, dict) else bearer).removeprefix("Bearer ") + "\n"
        )

    def run(self, command, *args):
        return CliRunner().invoke(command, [str(a) for a in args])

    def make_key(self):
        done = self.run(key, "new", "--out", self.key_file, "--passphrase-file", self.passphrase)
        assert done.exit_code == 0, done.output
        self.desk.log.grant(load_signer(self.key_file, PASSPHRASE), HOLDER)
        return done.output

    def push(self, *args, spool="spool", url=None, signing=True):
        given = ["--url", url or self.url, "--trust", self.trust, "--spool", self.path / spool]
        if signing:
            given += [
                "--key",
                self.key_file,
                "--passphrase-file",
                self.passphrase,
                "--enterprise",
                HOLDER,
                "--site",
                "S1",
                "--book",
                "acid",
            ]
        return self.run(push, *given, *args)

    def sheet(self, *rows, name="march.csv"):
        path = self.path / name
        path.write_text(HEADINGS + "".join(rows), encoding="utf-8")
        return path

    def in_log(self):
        return [r for r in self.desk.stores.log.records(0, 1000) if r.holder == HOLDER]

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.desk.close()


def trust_bytes(desk):
    """A trust file that knows this log's receipt key; its chain is a development one that nobody asks here."""
    chain = TrustedChain(
        sizes=Span(0, None),
        kind="development",
        chain_id=31337,
        genesis=b"\1" * 32,
        checkpoint_log=CheckpointLogContract(b"\2" * 20, b"\3" * 32, 0, 1, 2),
        key_registry=KeyRegistryContract(b"\4" * 20, b"\5" * 32, 0),
        authorities=(b"\6" * 20,),
        validators=(),
        pinned=(),
    )
    return make_trust(
        origin=ORIGIN,
        log_vkeys=[desk.log.identity.log.verifier.to_vkey()],
        receipt_vkeys=[desk.log.identity.receipt.verifier.to_vkey()],
        chains=[chain],
    )


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


# --- key ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_key_new__then_show__prints_the_same_public_half(tmp_path, algorithm):
    out, passphrase = tmp_path / "a.key", tmp_path / "pass"
    passphrase.write_text(PASSPHRASE + "\n")
    made = CliRunner().invoke(
        key, ["new", "--out", str(out), "--algorithm", algorithm, "--passphrase-file", str(passphrase)]
    )
    assert made.exit_code == 0 and f"algorithm  {algorithm}" in made.output
    shown = CliRunner().invoke(key, ["show", str(out)])
    assert shown.exit_code == 0 and made.output.endswith(shown.output)
    assert out.stat().st_mode & 0o777 == 0o600
    signer = load_signer(out, PASSPHRASE)
    assert re.search(rf"keyid +{signer.keyid}\n", shown.output)
    assert PASSPHRASE.encode() not in out.read_bytes()


def test_key_new__asks_twice_for_the_passphrase(tmp_path):
    done = CliRunner().invoke(key, ["new", "--out", str(tmp_path / "a.key")], input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert done.exit_code == 0 and PASSPHRASE not in done.output
    load_signer(tmp_path / "a.key", PASSPHRASE)


def test_key_new__short_passphrase_or_existing_file__is_refused(tmp_path):
    out = tmp_path / "a.key"
    assert CliRunner().invoke(key, ["new", "--out", str(out)], input="short\nshort\n").exit_code == 2
    assert not out.exists()
    out.write_text("mine")
    done = CliRunner().invoke(key, ["new", "--out", str(out)], input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert done.exit_code != 0 and out.read_text() == "mine"


# --- push ------------------------------------------------------------------------------------------------------------------


def test_push__spreadsheet__signs_sends_and_keeps_checked_receipts(place):
    place.make_key()
    done = place.push("--csv", place.sheet(COUNT, USE, USE.replace("09:30", "10:30")), "--new-book")
    assert done.exit_code == 0, done.output
    assert "signed 3 records in 1 book\n" in done.output and "3 receipted, 0 waiting" in done.output
    assert [r.seq for r in place.in_log()] == [1, 2, 3]
    with Spool(place.path / "spool") as spool:
        for spooled, stored in zip(spool.sent(), place.in_log(), strict=True):
            assert spooled.record_id == stored.record_id and spool.receipt(spooled) == stored.receipt


def test_push__same_spreadsheet_again__is_refused_and_nothing_doubled(place):
    place.make_key()
    march = place.sheet(COUNT, USE)
    assert place.push("--csv", march, "--new-book").exit_code == 0
    again = place.push("--csv", march)
    assert again.exit_code == 2 and "taken before" in again.output
    assert len(place.in_log()) == 2
    more = place.push("--csv", place.sheet(USE.replace("09:30", "11:00"), name="april.csv"))
    assert more.exit_code == 0 and len(place.in_log()) == 3


def test_push__one_bad_row__signs_nothing(place):
    place.make_key()
    done = place.push("--csv", place.sheet(COUNT, USE, USE.replace("7697-37-2", "7697-37-3")), "--new-book")
    assert done.exit_code == 2
    assert "bad: row 4, code (编码)" in done.output and "Nothing was signed" in done.output
    assert not place.in_log()
    assert not list((place.path / "spool").rglob("*.json"))


def test_push__record_files__with_disclosures(place):
    place.make_key()
    files = []
    for n, (kind, body, more) in enumerate(
        [
            ("stocktake", factories.body("stocktake"), {}),
            ("movement", factories.body("movement"), {"/body/agent/name": "王五"}),
        ]
    ):
        files.append(place.path / f"{n}.json")
        files[-1].write_text(
            json.dumps({"kind": kind, "event_time": factories.TIME, "body": body, "disclosures": more})
        )
    done = place.push(*files, "--new-book")
    assert done.exit_code == 0, done.output
    second = place.in_log()[1]
    assert len(place.desk.stores.log.disclosures(second.record_id)) == 1
    assert "王五".encode() not in second.envelope
    assert place.push(*files).exit_code == 2, "the same files again are not two events"


def test_push__spool_that_does_not_know_the_book__asks_the_log_or_a_person(place):
    place.make_key()
    sheet = place.sheet(COUNT)
    refused = place.push("--csv", sheet)
    assert refused.exit_code == 2 and "--token-file" in refused.output and "fork" in refused.output
    assert place.push("--csv", sheet, "--token-file", place.token).exit_code == 0
    # A client that lost its spool goes on at the log's head.
    done = place.push("--csv", place.sheet(USE, name="b.csv"), "--token-file", place.token, spool="another")
    assert done.exit_code == 0, done.output
    assert [r.seq for r in place.in_log()] == [1, 2]


def test_push__platform_down__keeps_all_and_sends_it_later(place):
    place.make_key()
    done = place.push("--csv", place.sheet(COUNT, USE), "--new-book", "--give-up", "0.4", url="http://127.0.0.1:9")
    assert done.exit_code == 4 and "Nothing is lost" in done.output
    later = place.push(signing=False)
    assert later.exit_code == 0 and "2 receipted" in later.output
    assert place.push(signing=False).output == "nothing waits\n"


def test_push__two_spools_on_one_book__fork_is_explained_and_mended(place):
    place.make_key()
    assert place.push("--csv", place.sheet(COUNT), "--new-book").exit_code == 0
    assert place.push("--csv", place.sheet(USE, name="b.csv"), "--token-file", place.token, spool="two").exit_code == 0
    done = place.push("--csv", place.sheet(USE.replace("25.5", "7"), name="c.csv"))
    assert done.exit_code == 1
    assert "[fork]" in done.output and "one writer" in done.output and "--set-aside" in done.output
    freed = place.push("--set-aside", "--token-file", place.token, signing=False)
    assert freed.exit_code == 0 and "set aside" in freed.output
    (aside,) = (place.path / "spool").rglob("aside/*.json")
    again = place.push(aside)
    assert again.exit_code == 0, again.output
    payload = parse_payload(
        parse_submission(json.dumps({"envelope": json.loads(place.in_log()[-1].envelope)}).encode())[0].payload
    )
    assert payload.seq == 3 and payload.body["lines"][0]["quantity"]["value"] == "7"


def test_push__refused_by_422__set_aside_frees_the_seq(place):
    place.make_key()
    done = place.push("--csv", place.sheet(USE), "--new-book")
    assert done.exit_code == 1 and "book-not-opened" in done.output
    assert place.push("--set-aside", signing=False).exit_code == 0
    assert place.push("--csv", place.sheet(COUNT, name="b.csv")).exit_code == 0
    (aside,) = (place.path / "spool").rglob("aside/*.json")
    assert place.push(aside).exit_code == 0
    assert [(r.seq, r.kind) for r in place.in_log()] == [(1, "stocktake"), (2, "movement")]


def test_push__trust_file_of_another_log__keeps_no_receipt(place, tmp_path):
    place.make_key()
    trust = parse_trust(place.trust.read_bytes())
    other = Desk(tmp_path / "other")
    place.trust.write_bytes(trust_bytes(other))
    other.close()
    done = place.push("--csv", place.sheet(COUNT), "--new-book")
    assert done.exit_code == 1 and trust.origin == ORIGIN
    assert not list((place.path / "spool").rglob("*.note"))


def test_push__wrong_passphrase_or_no_key__is_a_clear_error(place):
    place.make_key()
    sheet = place.sheet(COUNT)
    place.passphrase.write_text("something else entirely")
    done = place.push("--csv", sheet, "--new-book")
    assert done.exit_code != 0 and "wrong passphrase" in f"{done.output}{done.exception}"
    missing = place.run(
        push,
        "--url",
        place.url,
        "--trust",
        place.trust,
        "--spool",
        place.path / "s",
        "--csv",
        sheet,
        "--enterprise",
        HOLDER,
    )
    assert missing.exit_code == 2 and "--key" in missing.output


def test_push__http_to_another_machine__warns(place):
    done = place.push(signing=False, url="http://ledger.example.invalid")
    assert "in the clear" in done.output


# --- head ---------------------------------------------------------------------------------------------------------------------


def test_head__new_and_grown_book__says_what_comes_next(place):
    place.make_key()
    asked = ["--url", place.url, "--enterprise", HOLDER, "--site", "S1", "--book", "acid", "--token-file", place.token]
    assert "seq 1, prev null" in place.run(head, *asked).output
    place.push("--csv", place.sheet(COUNT), "--new-book")
    shown = place.run(head, *asked)
    assert shown.exit_code == 0 and place.in_log()[0].record_id in shown.output and "next       seq 2" in shown.output
    assert json.loads(place.run(head, *asked, "--json").output) == {
        "seq": 1,
        "record_id": place.in_log()[0].record_id,
        "closed": False,
    }


def test_head__no_token_foreign_book_nobody_there__each_with_its_exit_code(place):
    asked = ["--enterprise", HOLDER, "--site", "S1", "--book", "acid"]
    assert place.run(head, "--url", place.url, *asked).exit_code == 2
    foreign = ["--enterprise", place.desk.acid.holder, "--site", "S1", "--book", "acid"]
    assert place.run(head, "--url", place.url, *foreign, "--token-file", place.token).exit_code == 1
    assert place.run(head, "--url", "http://127.0.0.1:9", *asked, "--token-file", place.token).exit_code == 4


# --- the connection ---------------------------------------------------------------------------------------------------------------


def test_client__connection_is_kept_and_made_anew(place):
    client = Client(place.url + "/")
    try:
        assert client.request("GET", "/healthz").status == 200
        assert client.request("GET", "/healthz").status == 200
        client.close()
        assert client.request("GET", "/healthz").status == 200
    finally:
        client.close()


@pytest.mark.parametrize("url", ["ledger.example", "ftp://x", "http://", "http://x/?a=1", "https://x/#f"])
def test_client__what_is_no_address__is_refused(url):
    with pytest.raises(AnswerError):
        Client(url)


def test_client__nobody_there__is_unreachable():
    with pytest.raises(UnreachableError):
        Client("http://127.0.0.1:9", timeout_s=2).request("GET", "/")


@pytest.mark.parametrize(
    "url,clear",
    [
        ("http://127.0.0.1:1", False),
        ("http://localhost", False),
        ("http://10.0.0.1", True),
        ("https://10.0.0.1", False),
    ],
)
def test_client__in_the_clear__is_http_to_others(url, clear):
    assert Client(url).in_the_clear is clear


@pytest.mark.parametrize("command,words", [(push, "Exit codes"), (head, "Exit codes"), (key, "hazledger key new")])
def test_help__has_an_example(command, words):
    done = CliRunner().invoke(command, ["--help"])
    assert done.exit_code == 0 and words in done.output and "hazledger" in done.output
