"""`hazledger supervisor reset`: a lost code or password is no dead end, and the old ones no longer open anything."""

import re
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from ledger.adapters.enrolments import save_enrolment
from ledger.adapters.keystore.desk import DeskKeyFiles
from ledger.adapters.enrolments import EnrolmentDirectory
from ledger.cli import supervisor as commands
from ledger.cli.main import cli
from ledger.core.grants import grant_id
from ledger.errors import ConfigError, DeskError, OverloadedError
from ledger.model import Enrolment, Role, UnixMs
from ledger.ports import User
from tests.kit import ORIGIN
from tests.supervised import NAME, PASSWORD, SESSION, Supervised
from webapp.passwords import hash_password, password_matches


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = Supervised(tmp_path)
    portal = made.log.stores.portal
    portal.save_user(User(NAME, hash_password(PASSWORD), must_change=False))
    portal.create_session(SESSION, NAME, made.log.clock(), UnixMs(made.log.clock() + 10**9))
    made.files = DeskKeyFiles(tmp_path / "desk")
    made.old = made.files.open(NAME, PASSWORD)
    save_enrolment(tmp_path / "enrolments", ORIGIN, Enrolment(made.old.keyid, made.old.spki, NAME, "", Role.SUPERVISOR))
    made.here = SimpleNamespace(
        stores=made.log.stores,
        appender=made.desk,
        desk_keys=made.files,
        enrolments=EnrolmentDirectory(tmp_path / "enrolments"),
        config=SimpleNamespace(origin=ORIGIN),
    )
    monkeypatch.setattr(commands, "open_installation", lambda _state: made.here)
    yield made
    made.close()


def reset(*words):
    done = CliRunner().invoke(cli, ["supervisor", "reset", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def code_of(said):
    return re.search(r"one-time code ([0-9A-Z-]{23}) \(shown only now\)", said)[1]


def test_reset__password_lost__the_code_is_the_way_back_in(desk):
    code = code_of(reset())
    user = desk.log.stores.portal.user(NAME)
    assert user.must_change and password_matches(user.password_hash, code)
    assert not password_matches(user.password_hash, PASSWORD)
    assert desk.log.stores.portal.session(SESSION) is None


def test_reset__signing_key__a_new_one_under_the_code_and_the_old_one_set_aside(desk, tmp_path):
    said = reset()
    new = desk.files.open(NAME, code_of(said))
    assert new.keyid != desk.old.keyid
    with pytest.raises(DeskError):
        desk.files.open(NAME, PASSWORD)
    assert list((tmp_path / "desk").glob("*.old")) == [tmp_path / "desk" / f"{NAME}.{desk.old.keyid[:16]}.key.old"]
    assert "nothing before the authority has enrolled it" in said and "with the lost password only" in said
    assert f"authority enrol --key {desk.files.path(NAME)} --holder {NAME} --role supervisor" in said
    assert f"authority revoke {grant_id(ORIGIN, desk.old.keyid, NAME, '', int(Role.SUPERVISOR)).hex()}" in said


def revoking(said):
    return set(re.findall(r"authority revoke ([0-9a-f]{64})", said))


def test_reset__broken_off_and_made_again__still_says_which_grant_is_to_be_ended(desk, monkeypatch):
    grant = grant_id(ORIGIN, desk.old.keyid, NAME, "", int(Role.SUPERVISOR)).hex()
    with monkeypatch.context() as patch:
        patch.setattr(commands, "create_key", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            commands.renew(desk.here, NAME)
    assert revoking(reset()) == {grant} == revoking(reset())
    desk.log.grant(desk.old, NAME, role=Role.SUPERVISOR, revoked_at=desk.log.stores.log.size())
    assert revoking(reset()) == set()


def test_reset__key_was_open__the_sequencer_forgets_it(desk):
    desk.desk.unlock(SESSION, NAME, PASSWORD)
    assert "did not answer" not in reset()
    assert not desk.desk.touch(SESSION)


def test_reset__done__stands_in_the_access_log(desk):
    reset()
    assert [row[2:5] for row in desk.log.stores.portal.access_log(after=0, limit=10)] == [
        ("cli:operator", "account-reset", NAME)
    ]


def test_reset__twice_and_without_a_key__the_last_code_counts(desk):
    reset()
    desk.files.path(NAME).unlink()
    code = code_of(reset())
    assert password_matches(desk.log.stores.portal.user(NAME).password_hash, code)
    assert desk.files.open(NAME, code).keyid


def test_reset__sequencer_is_away__says_so_and_is_done_all_the_same(desk):
    def away(*_):
        raise OverloadedError("the sequencer is not there")

    desk.here.appender = SimpleNamespace(rekey=away)
    said = reset()
    assert "the sequencer did not answer" in said
    assert password_matches(desk.log.stores.portal.user(NAME).password_hash, code_of(said))


def test_reset__no_such_account__nothing_is_made(desk, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="no account 'somebody'"):
        reset("--name", "somebody")
    assert sorted(tmp_path.rglob("*")) == before
    assert not desk.log.stores.portal.access_log(after=0, limit=10)
