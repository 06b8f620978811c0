"""The supervisor's key: what opens it, what locks it, what it signs, and that the key file follows the password."""

import json
import threading

import pytest

from ledger.adapters.ipc import SequencerClient, SequencerServer
from ledger.adapters.keystore.desk import DeskKeyFiles
from ledger.adapters.keystore.signing import load_signer, rekey
from ledger.errors import ConfigError, DeskError, GrantError, PayloadError
from ledger.model import Role
from ledger.places import body_of
from ledger.ports import DeskDraft
from tests.supervised import NAME, PASSWORD, SESSION, Supervised, a_key

ACK = DeskDraft("alert_transition", "alerts", {"alert": "a" * 64, "from": "open", "to": "acknowledged"})


@pytest.fixture
def desk(tmp_path):
    desk = Supervised(tmp_path)
    yield desk
    desk.close()


def refused(call):
    with pytest.raises(DeskError) as error:
        call()
    return error.value.code


def test_unlock__right_password__the_keys_id(desk):
    keyid = desk.desk.unlock(SESSION, NAME, PASSWORD)
    (answer,) = desk.desk.sign_and_append(SESSION, [ACK], confirmed=False)
    record = desk.log.stores.log.record_by_id(answer.receipt.record_id)
    assert keyid.encode() in record.entry and record.holder == NAME


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        (NAME, "wrong", "key-wrong-password"),
        (NAME, "", "key-wrong-password"),
        ("nobody", PASSWORD, "no-supervisor-key"),
        ("../supervisor", PASSWORD, "no-supervisor-key"),
        ("a..b", PASSWORD, "no-supervisor-key"),
        ("", PASSWORD, "no-supervisor-key"),
    ],
)
def test_unlock__wrong__says_which_and_opens_nothing(desk, name, password, code):
    assert refused(lambda: desk.desk.unlock(SESSION, name, password)) == code
    assert refused(lambda: desk.desk.sign_and_append(SESSION, [ACK], confirmed=False)) == "key-locked"


@pytest.mark.parametrize("wrong", ["open to others", "torn"])
def test_unlock__right_password_but_the_file_is_no_good__is_not_said_of_the_password(desk, tmp_path, wrong):
    path = tmp_path / "desk" / f"{NAME}.key"
    if wrong == "torn":
        path.write_bytes(path.read_bytes()[:40])
    else:
        path.chmod(0o644)
    with pytest.raises(DeskError, match="cannot be used") as error:
        desk.desk.unlock(SESSION, NAME, PASSWORD)
    assert error.value.code == "no-supervisor-key"


def test_idle__a_quarter_of_an_hour__is_wiped_unless_somebody_is_there(desk):
    desk.unlock()
    desk.seconds.now += 14 * 60
    assert desk.desk.touch(SESSION)
    desk.seconds.now += 14 * 60
    desk.desk.sweep()
    assert desk.desk._open
    desk.seconds.now += 60
    desk.desk.sweep()
    assert not desk.desk._open and not desk.desk.touch(SESSION)


def test_confirmed__five_minutes__then_the_password_again(desk):
    desk.unlock()
    desk.seconds.now += 300
    desk.desk.sign_and_append(SESSION, [ACK], confirmed=True)
    desk.seconds.now += 1
    assert refused(lambda: desk.desk.sign_and_append(SESSION, [ACK], confirmed=True)) == "confirm-needed"
    desk.desk.sign_and_append(SESSION, [ACK], confirmed=False)


def test_sign__many__one_book_in_order_and_names_of_earlier_ones(desk):
    desk.unlock()
    order = {"type": "rectification", "holder": desk.enterprise.holder, "site": "S1", "findings": [], "basis": [],
             "due": "2027-01-01T00:00:00Z"}  # fmt: skip
    move = {"alert": "a" * 64, "from": "open", "to": "order_issued", "order": "@0"}
    answers = desk.desk.sign_and_append(
        SESSION,
        [DeskDraft("order", "orders", order, (("/body/text", "Count again"),)), DeskDraft("alert_transition", "alerts", move)],
        confirmed=True,
    )
    log = desk.log.stores.log
    records = [log.record_by_id(answer.receipt.record_id) for answer in answers]
    assert [(r.kind, r.site, r.book, r.seq) for r in records] == [("order", "desk", "orders", 1), ("alert_transition", "desk", "alerts", 1)]
    import base64

    body = json.loads(base64.b64decode(json.loads(records[1].envelope)["payload"]))["body"]
    assert body["order"] == records[0].record_id
    assert len(log.disclosures(records[0].record_id)) == 1


def test_sign__one_that_is_no_record__nothing_of_the_call_is_kept(desk):
    desk.unlock()
    size = desk.log.stores.log.size()
    with pytest.raises(Exception, match="schema|required|outcome"):
        desk.desk.sign_and_append(
            SESSION, [ACK, DeskDraft("alert_transition", "alerts", {"alert": "a" * 64, "from": "open", "to": "closed"})], confirmed=False
        )
    assert desk.log.stores.log.size() == size


def test_sign__the_grant_ends_between_two_of_a_call__nothing_of_the_call_is_kept(tmp_path):
    desk = Supervised(tmp_path)
    desk.unlock()
    size = desk.log.stores.log.size()
    # The revocation's own entry is at `size`, so the key may sign the entry behind it and no other.
    desk.log.grant(load_signer(tmp_path / "desk" / f"{NAME}.key", PASSWORD), NAME, "", Role.SUPERVISOR, revoked_at=size + 2)
    with pytest.raises(GrantError) as error:
        desk.desk.sign_and_append(SESSION, [ACK, ACK], confirmed=False)
    assert error.value.code == "key-revoked"
    assert desk.log.stores.log.size() == size + 1
    assert len(desk.desk.sign_and_append(SESSION, [ACK], confirmed=False)) == 1
    desk.close()


@pytest.mark.parametrize("words", ["@home", "@0", "@", "@99"])
def test_sign__words_that_begin_like_a_reference__stay_words(desk, words):
    desk.unlock()
    body = {"alert": "a" * 64, "from": "open", "to": "closed", "outcome": "referred", "referred_to": words}
    answers = desk.desk.sign_and_append(SESSION, [ACK, DeskDraft("alert_transition", "alerts", body)], confirmed=False)
    stored = desk.log.stores.log.record_by_id(answers[1].receipt.record_id)
    assert body_of(stored)["referred_to"] == words


@pytest.mark.parametrize("order", ["@1", "@home", "@-1", "@"])
def test_sign__order_that_no_earlier_draft_is__refused_by_the_schema(desk, order):
    desk.unlock()
    body = {"alert": "a" * 64, "from": "open", "to": "order_issued", "order": order}
    with pytest.raises(PayloadError):
        desk.desk.sign_and_append(SESSION, [ACK, DeskDraft("alert_transition", "alerts", body)], confirmed=False)


def test_sign__key_not_enrolled__refused_as_anybodys(tmp_path):
    desk = Supervised(tmp_path, enrolled=False)
    desk.unlock()
    with pytest.raises(Exception, match="enrol") as error:
        desk.desk.sign_and_append(SESSION, [ACK], confirmed=False)
    assert getattr(error.value, "code", "") == "unknown-key"
    desk.close()


def test_sign__kind_that_a_supervisor_may_not__refused(desk):
    desk.unlock()
    with pytest.raises(GrantError):
        desk.desk.sign_and_append(
            SESSION, [DeskDraft("tick", "ticks", {"now": 1, "facts": "0" * 64})], confirmed=False
        )


def test_rekey__new_password__opens_it_the_old_does_not_and_sessions_end(desk):
    desk.unlock()
    desk.desk.rekey(NAME, PASSWORD, "another one entirely")
    assert not desk.desk.touch(SESSION)
    assert refused(lambda: desk.desk.unlock(SESSION, NAME, PASSWORD)) == "key-wrong-password"
    desk.desk.unlock(SESSION, NAME, "another one entirely")


def test_rekey__made_again__does_nothing(tmp_path):
    key = a_key(tmp_path)
    path = tmp_path / "desk" / f"{NAME}.key"
    rekey(path, PASSWORD, "new one")
    data = path.read_bytes()
    rekey(path, PASSWORD, "new one")
    assert path.read_bytes() == data and load_signer(path, "new one").keyid == key.keyid


@pytest.mark.parametrize(("old", "new"), [("wrong", "new"), (PASSWORD, "")])
def test_rekey__wrong_or_empty__the_file_stays(tmp_path, old, new):
    a_key(tmp_path)
    path = tmp_path / "desk" / f"{NAME}.key"
    data = path.read_bytes()
    with pytest.raises(ConfigError):
        rekey(path, old, new)
    assert path.read_bytes() == data


def test_key_files__missing__says_how_to_make_one(tmp_path):
    with pytest.raises(DeskError, match="hazledger authority enrol"):
        DeskKeyFiles(tmp_path).open(NAME, PASSWORD)


def test_socket__the_same_desk__refusals_whole(desk, tmp_path):
    path = tmp_path / "s.sock"
    server = SequencerServer(path, desk.log.sequencer, desk.desk)
    threading.Thread(target=server.serve, daemon=True).start()
    client = SequencerClient(path, timeout_s=5)
    assert refused(lambda: client.unlock(SESSION, NAME, "wrong")) == "key-wrong-password"
    assert client.unlock(SESSION, NAME, PASSWORD) == desk.desk._open[SESSION].signer.keyid
    (answer,) = client.sign_and_append(SESSION, [ACK], confirmed=True)
    assert desk.log.stores.log.record_by_id(answer.receipt.record_id).kind == "alert_transition"
    assert client.touch(SESSION)
    client.rekey(NAME, PASSWORD, "another one entirely")
    assert not client.touch(SESSION)
    client.unlock(SESSION, NAME, "another one entirely")
    client.lock(SESSION)
    assert refused(lambda: client.sign_and_append(SESSION, [ACK], confirmed=False)) == "key-locked"
    client.close()
    server.close()


def test_desk__in_a_repr_or_error__no_password(desk):
    desk.unlock()
    with pytest.raises(DeskError) as error:
        desk.desk.unlock(SESSION, NAME, "hunter2 hunter2")
    assert "hunter2" not in str(error.value) + repr(desk.desk._open)
