"""Everything that is stored, altered behind the program's back, one column and one file at a time."""

from __future__ import annotations

import fnmatch
import json
import shutil
import sqlite3
from contextlib import ExitStack, contextmanager

import pytest
from click.testing import CliRunner

from ledger.adapters.chain.accounts import read_transaction
from ledger.adapters.enrolments import EnrolmentDirectory
from ledger.adapters.store.portal_store import ACCESS_START
from ledger.adapters.store.schema import STORES, all_columns
from ledger.audit import Audited, audit
from ledger.cli.audit import audit_command
from ledger.cli.compose import AUTHORITY_ACCOUNT, DEPLOYER_ACCOUNT, SUBMITTER_ACCOUNT, Installation
from ledger.cli.main import cli
from ledger.cli.refold import refolding
from ledger.cli.rpc import RpcChainView
from ledger.config import load
from ledger.core.grants import grant_id
from ledger.core.verification.tile import check_tile
from ledger.errors import LedgerError, StoreError
from ledger.rulesets import present_engine, shipped_rules, shipped_sources
from tests.faults import installation, tampering
from tests.faults.altering import alter_value, check_found, rewrite, stored_row
from tests.faults.inspection import hazledger
from tests.faults.raw import raw_of
from tests.faults.test_kill_loop import stop_processes
from tests.served import ORIGIN, Served

pytestmark = [pytest.mark.chain, pytest.mark.faults]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The installation, its processes ended, its chain still there."""
    state = tmp_path_factory.mktemp("tamper") / "s"
    with pytest.MonkeyPatch.context() as patch, Served(state, names=("sequencer", "anchor", "web")) as served:
        installation.fill(served, patch)
        stop_processes(served, ("web", "anchor", "sequencer"))
        for store in STORES:
            connection = sqlite3.connect(state / f"{store}.db")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        with Folds() as served.folds:
            yield served


class Folds(ExitStack):
    """Folds of the untouched log, each made once: an alteration of the engine's tables leaves the log as it was.

    What the audit reads from the tables to ask for its fold is part of the question, so that altering it folds anew.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: dict = {}

    @contextmanager
    def of(self, here):
        def refold(cursor, end):
            asked = cursor, end, repr(list(here.stores.tables.rows("engine", "extra")))
            if asked not in self._made:
                self._made[asked] = self.enter_context(refolding(here))(cursor, end)
            return self._made[asked]

        yield refold


@pytest.fixture
def copy(installed, tmp_path):
    """A copy to alter."""
    state = tmp_path / "s"
    shutil.copytree(installed.state, state, ignore=shutil.ignore_patterns("chain", "run", "locks"))
    return state


def _audit(state, rpc, *, fold=None, key=True):
    """`fold` makes the engine's tables once more: `refolding` as the command does, `Folds.of` of a log that is untouched."""
    here = Installation(load(state, {"HAZLEDGER_CHAIN_ENDPOINTS": rpc}))

    def run(refold=None):
        what = Audited(
            tables=here.stores.tables,
            trust=here.trust,
            stored_proof=here.stores.anchor.stored_proof,
            read_transaction=read_transaction,
            guard=here.guard().read,
            access_start=ACCESS_START,
            zone=here.zone(),
            lookup_key=here.lookup_key() if key else None,
            refold=refold,
            chain=RpcChainView(rpc, depth=0),
        )
        return audit(what, check=lambda tasks: ((t, check_tile(t)) for t in tasks), progress=lambda *_: None)

    try:
        if fold is None:
            return run()
        with fold(here) as refold:
            return run(refold)
    finally:
        here.stores.close()


# --- nothing altered -------------------------------------------------------------------------------------------------


def test_untouched__every_table_has_rows_and_nothing_is_found(installed):
    report = _audit(installed.state, installed.service.rpc_url, fold=refolding)
    assert report.total == 0, [f.line() for f in report.findings]
    assert not report.skipped and not report.unreachable
    raw = raw_of(installed.state)
    empty = {f"{s}.{t}" for s, t, _ in all_columns() if not raw.query(s, f'SELECT 1 FROM "{t}" LIMIT 1')}
    assert not empty


def test_untouched__commands__exit_0(installed, tmp_path):
    done = hazledger("audit", "--state", installed.state, "--rpc", installed.service.rpc_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing found" in done.stdout
    assert _verify_log(installed.state, tmp_path, installed.service.rpc_url).exit_code == 0


def test_untouched__without_the_lookup_key__the_audit_says_what_it_leaves_out(installed, copy):
    (copy / "keys" / "lookup.key").unlink()
    done = hazledger("audit", "--state", copy, "--rpc", installed.service.rpc_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[skip]  lookup digests" in done.stdout


def test_outbox__sent_and_not_noted_as_sent__is_what_a_crash_leaves_and_no_finding(installed, copy):
    raw_of(copy).execute("engine", 'UPDATE outbox SET "index" = NULL WHERE n = (SELECT max(n) FROM outbox)')
    report = _audit(copy, installed.service.rpc_url, fold=installed.folds.of)
    assert report.total == 0, [f.line() for f in report.findings]


def test_altered__command__exit_1_and_names_the_record(installed, copy):
    record_id = stored_row(copy, "log", "entry", "middle")["record_id"].hex()
    rewrite(copy, "log", "entry", stored_row(copy, "log", "entry", "middle"), "kind", "close")
    done = hazledger("audit", "--state", copy, "--rpc", installed.service.rpc_url, "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    found = [(f["recordId"], f["check"], f["column"]) for f in json.loads(done.stdout)["findings"]]
    assert (record_id, 3, "kind") in found


# --- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("store", "table", "column"), all_columns())
def test_column__altered__is_found_by_its_check_or_is_no_evidence(installed, copy, tmp_path, store, table, column):
    altered_column(installed, copy, tmp_path, store, table, column)


def altered_column(installed, copy, tmp_path, store, table, column) -> None:
    case = tampering.CASES.get((store, table), {}).get(column)
    reason = tampering.NOT_EVIDENCE.get((store, table), {}).get(column)
    assert (case is None) != (reason is None), f"{store}.{table}.{column} needs a case in tests/faults/tampering.py"
    before = alter_value(copy, store, table, column, case)
    report = _audit(copy, installed.service.rpc_url, fold=installed.folds.of if store == "engine" else None)
    if case is None:
        assert report.total == 0, [f.line() for f in report.findings]
        return
    check_found(copy, report, f"{store}.{table}", column, case, before)
    if case.verify_log:
        found = _verify_log(copy, tmp_path, installed.service.rpc_url)
        assert found.exit_code == 1, found.output
        codes = {(f["code"], f["recordId"]) for f in json.loads(found.output)["findings"]}
        codes |= {(c["code"], None) for c in json.loads(found.output)["checks"] if c["status"] == "FAIL"}
        names = {before["record_id"].hex()} if table == "entry" else {name for _, name in codes}
        assert any((case.verify_log, name) in codes for name in names), codes


@pytest.mark.parametrize(
    ("store", "table", "column", "value"),
    [
        ("log", "entry", "receipt", "[]"),
        ("log", "entry", "holder", b"\xff"),
        ("log", "checkpoint", "root", 7),
        ("engine", "snapshot", "state", "text"),
        ("anchor", "proof", "removed", -1),
        ("anchor", "anchor", "anchored_at_s", 1.5),
        ("portal", "access", "digest", "text"),
    ],
)
def test_column__value_of_another_type__is_named_and_ends_no_audit(installed, copy, store, table, column, value):
    raw = raw_of(copy)
    first = raw.query(store, f'SELECT min(rowid) FROM "{table}"')[0]
    assert raw.execute(store, f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (value, *first)) == 1
    report = _audit(copy, installed.service.rpc_url, fold=installed.folds.of)
    assert [(f.place, f.column, f.code) for f in report.findings] == [(f"{store}.{table}", column, "wrong-type")]
    assert report.skipped


def test_column__a_number_that_no_clock_shows__is_named_although_the_log_cannot_be_folded_again(installed, copy):
    row = 'UPDATE entry SET received = ? WHERE "index" = (SELECT max("index") FROM entry WHERE kind = \'tick\')'
    assert raw_of(copy).execute("log", row, (2**63 - 1,)) == 1

    @contextmanager
    def folds(_here):
        yield lambda *_: (_ for _ in ()).throw(ValueError("year 292278994 is out of range"))

    report = _audit(copy, installed.service.rpc_url, fold=folds)
    assert {(f.place, f.column) for f in report.findings} >= {("log.entry", "received")}
    assert any("ValueError" in text for text in report.skipped)
    with pytest.raises(ValueError, match="292278994"):
        _audit(installed.state, installed.service.rpc_url, fold=folds)


def test_column__credential_of_another_type__is_no_evidence(installed, copy):
    assert raw_of(copy).execute("portal", "UPDATE token SET token_id = x'ff'")
    assert _audit(copy, installed.service.rpc_url, fold=installed.folds.of).total == 0


def test_kept_rule_set__altered_when_the_program_has_another__is_a_finding_and_no_mere_skip(
    installed, copy, monkeypatch
):
    name, text = next(item for item in shipped_sources().items() if item[0].startswith("A01"))
    monkeypatch.setattr(Installation, "rules", lambda _: shipped_rules({name: text.replace("version: ", "version: 9")}))
    assert _audit(copy, installed.service.rpc_url, fold=refolding).total == 0
    raw = raw_of(copy)
    assert raw.execute("engine", "UPDATE extra SET value = replace(value, '500', '501') WHERE key LIKE 'ruleset/%'")
    assert raw.execute("engine", "DELETE FROM alert WHERE seq = 1")
    report = _audit(copy, installed.service.rpc_url, fold=refolding)
    assert [(f.place, f.column, f.code) for f in report.findings] == [("engine.extra", "value", "ruleset-unknown")]


def test_engine_tables__differ_where_another_version_folded__the_report_names_it(installed, copy, monkeypatch):
    """After an upgrade a finding may be of the other version; nothing of it may be said where nothing was found."""
    asked = ["--state", str(copy), "--rpc", installed.service.rpc_url, "--jobs", "1"]
    monkeypatch.setattr("ledger.cli.audit.present_engine", lambda: "engine-99.newer")
    clean = CliRunner().invoke(audit_command, asked)
    assert clean.exit_code == 0 and "engine-99.newer" not in clean.output, clean.output
    raw_of(copy).execute("engine", "DELETE FROM alert WHERE seq = 1")
    done = CliRunner().invoke(audit_command, asked)
    assert done.exit_code == 1
    assert f"{present_engine()} from entry" in done.output and "here folds engine-99.newer" in done.output, done.output


def test_rows__access_log_cut_off__the_entry_that_covers_it_says_so(installed, copy):
    """A chain of digests alone does not show that its end is missing; the log's `access` entry does."""
    raw_of(copy).execute("portal", "DELETE FROM access WHERE n = (SELECT max(n) FROM access)")
    report = _audit(copy, installed.service.rpc_url)
    (found,) = report.findings
    assert (found.place, found.code, found.record_id != "") == ("portal.access", "row-missing", True)


@pytest.mark.parametrize(
    ("table", "check"),
    [("checkpoint", None), ("tile", 7), ("book", 3), ("grant", 4), ("erased", 11), ("refused", 3)],
)
def test_rows__one_deleted__is_missed_where_something_names_it(installed, copy, table, check):
    """A checkpoint may go: it is signed again."""
    row = stored_row(copy, "log", table, "middle")
    keys = [c.name for c in STORES["log"].tables[table].primary_key.columns]
    where = " AND ".join(f'"{key}" = ?' for key in keys)
    assert raw_of(copy).execute("log", f'DELETE FROM "{table}" WHERE {where}', [row[k] for k in keys]) == 1
    report = _audit(copy, installed.service.rpc_url)
    assert {f.check for f in report.findings} == ({check} if check else set()), [f.line() for f in report.findings]
    assert {f.place for f in report.findings} <= {f"log.{table}"}


def test_rows__disclosure_deleted__leaves_a_lookup_that_an_erasure_had_taken_along(installed, copy):
    raw_of(copy).execute("log", "DELETE FROM disclosure")
    report = _audit(copy, installed.service.rpc_url)
    assert {(f.place, f.check, f.code) for f in report.findings} == {("log.lookup", 11, "extra-row")}


def test_rows__lookup_deleted__the_disclosure_and_its_facts_miss_it(installed, copy):
    raw_of(copy).execute("log", "DELETE FROM lookup")
    report = _audit(copy, installed.service.rpc_url)
    assert {("log.disclosure", 11, "lookup"), ("log.facts", 11, "facts")} <= {
        (f.place, f.check, f.column) for f in report.findings
    }


def test_rows__a_person_given_another_surrogate__the_facts_say_otherwise(installed, copy):
    """Two persons made one, or one made two: the rules would count wrongly from the next record on."""
    raw_of(copy).execute("log", "UPDATE lookup SET surrogate = ?", ("ab" * 16,))
    report = _audit(copy, installed.service.rpc_url, key=False)
    assert {(f.place, f.check, f.column) for f in report.findings} == {
        ("log.facts", 11, "facts"),
        ("log.lookup", 11, "surrogate"),
    }


def test_rows__lookup_moved_in_both_tables__only_the_key_tells(installed, copy):
    """The next disclosure of this person would find nothing and make him another."""
    raw = raw_of(copy)
    raw.execute("log", "UPDATE disclosure SET lookup = ? WHERE lookup <> ''", ("ab" * 32,))
    raw.execute("log", "UPDATE lookup SET digest = ?", ("ab" * 32,))
    assert _audit(copy, installed.service.rpc_url, key=False).total == 0
    report = _audit(copy, installed.service.rpc_url)
    assert {(f.place, f.check, f.column) for f in report.findings} == {("log.disclosure", 11, "lookup")}


def test_rows__facts_rewritten_to_match__the_tick_says_otherwise(installed, copy):
    raw = raw_of(copy)
    facts = stored_row(copy, "log", "facts", "first")
    ((surrogate,),) = raw.query("log", "SELECT surrogate FROM lookup")
    assert surrogate in facts["facts"]
    raw.execute("log", "UPDATE lookup SET surrogate = ?", ("ab" * 16,))
    raw.execute("log", "UPDATE facts SET facts = replace(facts, ?, ?)", (surrogate, "ab" * 16))
    report = _audit(copy, installed.service.rpc_url)
    assert {(f.place, f.check, f.code) for f in report.findings} == {("log.facts", 3, "facts-differ")}


def test_rows__last_entries_deleted__rolled_back(installed, copy):
    """The end of the log is gone from the database; guard, checkpoints, anchors and the contract all know better."""
    raw = raw_of(copy)
    raw.execute("log", 'DELETE FROM entry WHERE "index" > (SELECT max("index") - 20 FROM entry)')
    report = _audit(copy, installed.service.rpc_url)
    places = {f.place for f in report.findings if f.code == "size-missing"}
    assert places == {"guard/signed-head", "log.checkpoint", "chain", "anchor.anchor"}


def test_rows__a_forged_entry_in_the_middle__check_5_and_the_tree(installed, copy):
    """Somebody with the database and without keys puts another record in the place of one."""
    raw = raw_of(copy)
    ours, other = stored_row(copy, "log", "entry", "middle"), stored_row(copy, "log", "entry", "first")
    raw.execute("log", 'UPDATE entry SET envelope = ?, entry = ?, leaf_hash = ? WHERE "index" = ?',
                (other["envelope"], other["entry"], other["leaf_hash"], ours["index"]))
    report = _audit(copy, installed.service.rpc_url)
    at = {(f.check, f.index) for f in report.findings}
    assert {(7, 0), (8, None)} & {(f.check, None) for f in report.findings} or (7, 0) in at
    assert ours["index"] in {f.index for f in report.findings}
    assert 9 in {f.check for f in report.findings}


def test_tables__every_case_is_of_a_column_that_exists():
    known = set(all_columns())
    listed = [(s, t, c) for part in (tampering.CASES, tampering.NOT_EVIDENCE) for (s, t), cs in part.items() for c in cs]
    assert set(listed) <= known and len(listed) == len(set(listed))


def _verify_log(state, tmp_path, rpc):
    runner = CliRunner()
    made = runner.invoke(cli, ["tiles", str(tmp_path / "tiles"), "--state", str(state)])
    assert made.exit_code == 0, made.output
    arguments = ["--tiles", tmp_path / "tiles", "--trust", state / "trust.json", "--rpc", rpc, "--jobs", 1, "--json"]
    return runner.invoke(cli, ["verify", "log", *map(str, arguments)])


# --- files -----------------------------------------------------------------------------------------------------------


def test_files__every_one_has_an_entry(installed):
    unknown = [
        name for name in installation.files_of(installed.state) if not any(fnmatch.fnmatch(name, p) for p in tampering.FILES)
    ]
    assert not unknown, f"needs an entry in tests/faults/tampering.py: {unknown}"
    noticed = {pattern for pattern, who in tampering.FILES.items() if " " not in who}
    assert noticed == {"*.db", "trust.json", "guard/signed-head", "hazledger.toml", "keys/*.key", "keys/*.account", "secrets/passphrase", "enrolments/*.json"}


@pytest.mark.parametrize("store", ["log", "engine", "anchor"])
def test_file__database_cut_in_half__the_audit_says_it_cannot_be_read(installed, copy, store):
    path = copy / f"{store}.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 4096 * 4096])
    with pytest.raises(StoreError, match=f"{store} store"):
        report = _audit(copy, installed.service.rpc_url, fold=installed.folds.of if store == "engine" else None)
        assert report.total
        raise StoreError(f"{store} store: {report.total} findings")


@pytest.mark.parametrize(
    ("member", "check"),
    [("genesis", 2), ("logKeys", 8), ("receiptKeys", 12), ("checkpointLog", 9), ("keyRegistry", 4), ("authorities", 4)],
)
def test_file__trust_file_altered__the_check_that_rests_on_it_fails(installed, copy, member, check):
    path = copy / "trust.json"
    document = json.loads(path.read_bytes())
    chain = document["chains"][0]
    other = json.loads((installed.state / "trust.json").read_bytes())
    if member == "genesis":
        chain["genesis"] = _digit(chain["genesis"])
    elif member in ("logKeys", "receiptKeys"):
        document[member][0]["vkey"] = _another_vkey(other[member][0]["vkey"])
    elif member == "authorities":
        chain["authorities"] = [_digit(a) for a in chain["authorities"]]
    else:
        chain[member]["codeHash"] = _digit(chain[member]["codeHash"])
    path.write_text(json.dumps(document))
    report = _audit(copy, installed.service.rpc_url)
    assert check in {f.check for f in report.findings}, [f.line() for f in report.findings[:5]]


@pytest.mark.parametrize("change", ["root", "size up", "size down", "torn"])
def test_file__guard_altered__check_8_and_no_more_signatures(installed, copy, change):
    path = copy / "guard" / "signed-head"
    title, size, root, _ = path.read_text().split("\n")
    text = {
        "root": f"{title}\n{size}\n{'A' if root[0] != 'A' else 'B'}{root[1:]}\n",
        "size up": f"{title}\n{int(size) + 5}\n{root}\n",
        "size down": f"{title}\n{int(size) - 5}\n{root}\n",
        "torn": f"{title}\n{size}\n{root[:9]}",
    }[change]
    path.write_text(text)
    report = _audit(copy, installed.service.rpc_url)
    assert {f.place for f in report.findings if f.check == 8} & {"guard/signed-head", "log.entry"}
    from ledger.sequencer import Sequencer

    here = Installation(load(copy))
    try:
        sequencer = Sequencer(here.stores.log, here.identity(), here.guard(), clock=lambda: 1, chain_head=None)
        said = sequencer.status()["rollback"]
        sequencer.close()
    except LedgerError as error:
        said = error.detail
    finally:
        here.stores.close()
    assert said


@pytest.mark.parametrize("name", ["log.key", "receipt.key", "platform.key", "lookup.key"])
def test_file__key_altered__the_sequencer_does_not_start(copy, name):
    _flip(copy / "keys" / name)
    with pytest.raises(LedgerError):
        Installation(load(copy)).identity()


@pytest.mark.parametrize("name", [SUBMITTER_ACCOUNT, AUTHORITY_ACCOUNT, DEPLOYER_ACCOUNT])
def test_file__account_altered__is_not_opened(copy, name):
    _flip(copy / "keys" / name)
    with pytest.raises(LedgerError):
        Installation(load(copy)).account(name)


def test_file__passphrase_altered__nothing_is_opened(copy):
    _flip(copy / "secrets" / "passphrase")
    with pytest.raises(LedgerError):
        Installation(load(copy)).identity()


def test_file__settings_of_another_log__nothing_starts(copy):
    path = copy / "hazledger.toml"
    path.write_text(path.read_text().replace(ORIGIN, ORIGIN + "2"))
    with pytest.raises(LedgerError, match="is of the log"):
        Installation(load(copy)).chain()


def test_file__enrolment_altered__names_no_grant_on_the_chain(installed, copy):
    for path in sorted((copy / "enrolments").glob("*.json")):
        document = json.loads(path.read_text())
        document["scope"] = "S9/"
        path.write_text(json.dumps(document))
    here = Installation(load(copy, {"HAZLEDGER_CHAIN_ENDPOINTS": installed.service.rpc_url}))
    enrolments = EnrolmentDirectory(copy / "enrolments").all()
    gs = [grant_id(ORIGIN, e.keyid, e.holder, e.scope, int(e.role)) for e in enrolments]
    assert enrolments and not any(any(word) for word in here.chain().grant_words(gs))


def _flip(path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _digit(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def _another_vkey(vkey: str) -> str:
    from ledger.core.keys import PrivateKey
    from ledger.core.note import VerifierKey

    name = vkey.split("+")[0]
    return VerifierKey(name, PrivateKey.generate("Ed25519").public).to_vkey()
