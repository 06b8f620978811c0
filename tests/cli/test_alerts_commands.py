"""`hazledger alerts`: what it prints, what it signs, and its exit codes."""

import functools
import json
import re
from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from ledger.cli import alerts as commands
from ledger.cli import alertsigning, alertviews
from ledger.cli.main import cli
from ledger.errors import LedgerError
from ledger.handling import Handler
from ledger.model import UnixMs
from ledger.ports import User
from tests import kit
from tests.supervised import PASSWORD, Supervised
from webapp.passwords import hash_password


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = Supervised(tmp_path, books=2)
    here = SimpleNamespace(stores=made.log.stores, appender=made.desk, zone=lambda: ZoneInfo("Asia/Shanghai"))
    for module in (commands, alertsigning, alertviews):
        monkeypatch.setattr(module, "open_installation", lambda _state: here)
    for module in (alertsigning, alertviews):
        monkeypatch.setattr(module, "wall_clock_ms", lambda: UnixMs(made.log.clock()))
    monkeypatch.setattr(alertsigning, "Handler", functools.partial(Handler, sleep=lambda _: made.fold()))
    made.password_file = tmp_path / "password"
    made.password_file.write_text(PASSWORD + "\n")
    yield made
    made.close()


def run(*words, status=0, **more):
    done = CliRunner().invoke(cli, ["alerts", *map(str, words)], **more)
    if isinstance(done.exception, LedgerError):
        assert status == 2, done.exception
    elif done.exit_code != status:
        raise AssertionError(done.output) from done.exception
    return done


def act(desk, *words, status=0):
    """(exit code checked) the JSON that an acting command prints."""
    done = run(*words, "--password-file", desk.password_file, "--json", status=status)
    return json.loads(done.stdout)


def test_list__what_waits__is_named_with_both_numbers_of_the_rate(desk):
    done = run("list", "--urgent")
    assert all(alert_id[:12] in done.stdout for alert_id in desk.alerts())
    assert "handled in time: 0 of 0 due" in done.stderr
    document = json.loads(run("list", "--json").stdout)
    assert {a["alert_id"] for a in document["alerts"]} == set(desk.alerts())
    assert (document["handled"], document["due"], document["statuses"]) == (0, 0, {"open": 2})


def test_list__for_a_person__says_the_rule_s_title_and_local_time_with_its_offset(desk):
    said = run("list").stdout.splitlines()
    assert re.fullmatch(
        r"[0-9a-f]{12}  critical  open +[0-9]+ min left +raised 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \+08:00  A01 Negative book stock",
        said[0],
    ), said[0]
    assert "Book stock of Nitric acid (7697-37-2)" in said[1] and "more went out than was ever there" in said[1]
    assert "A01 账面库存为负" in run("list", "--lang", "zh").stdout
    opened = json.loads(run("list", "--json").stdout)["alerts"][0]["opened_ms"]
    here = datetime.fromtimestamp(opened // 1000, ZoneInfo("Asia/Shanghai"))
    assert f"raised {here:%Y-%m-%d %H:%M:%S} +08:00" in said[0] or f"{here:%Y-%m-%d %H:%M:%S} +08:00" in said[2]


def test_list__most_urgent_first_unless_newest_is_asked(desk):
    first, second = (a["alert_id"] for a in json.loads(run("list", "--json").stdout)["alerts"])
    newest = [a["alert_id"] for a in json.loads(run("list", "--newest", "--json").stdout)["alerts"]]
    assert newest == [second, first], "equally urgent: the older one waits longer"
    act(desk, "snooze", first, "--until", "3d", "--reason", "lab")
    assert [a["alert_id"] for a in json.loads(run("list", "--json").stdout)["alerts"]] == [second, first]
    assert "1 alert (the first 1; more with --limit)" in run("list", "--limit", "1").stderr


def test_show__times__are_local_with_offset_and_json_is_utc(desk):
    alert_id = desk.alerts()[0]
    said = run("show", alert_id).stdout
    assert "A01 Negative book stock: " in said and f"hazledger rules explain --alert {alert_id[:12]}" in said
    assert not re.search(r"\d\dT\d\d:|\d\dZ", said)
    assert len(re.findall(r"\d\d:\d\d:\d\d \+08:00", said)) >= 3
    act(desk, "order", alert_id, "--measure", "mend-stock")
    assert re.search(r"due \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+08:00", run("orders").stdout)


def test_list__narrowed__shows_only_those(desk):
    act(desk, "ack", desk.alerts()[0])
    for words, count in ((["--status", "open"], 1), (["--severity", "low"], 0), (["--rule", "A01"], 2), (["--holder", "X"], 0)):
        assert len(json.loads(run("list", "--json", *words).stdout)["alerts"]) == count, words


def test_show__an_alert__says_what_is_possible_and_what_happened(desk):
    alert_id = desk.alerts()[0]
    act(desk, "ack", alert_id[:8])
    said = run("show", alert_id).stdout
    assert "acknowledged (version 1)" in said and "open -> acknowledged  by supervisor" in said
    assert "possible: in_hand (take), order_issued (order)" in said
    shown = json.loads(run("show", alert_id, "--json").stdout)
    assert shown["life"]["turn"] == 1 and [s["after"] for s in shown["steps"]] == ["open", "acknowledged"]


def test_acts__each_command__moves_the_alert(desk):
    one, other = desk.alerts()
    assert act(desk, "ack", one, other)["results"][1]["status"] == "acknowledged"
    assert act(desk, "take", one, "--department", "chemicals")["results"][0]["status"] == "in_hand"
    assert act(desk, "snooze", one, "--until", "3d", "--reason", "lab")["results"][0]["status"] == "snoozed"
    assert act(desk, "release", one)["results"][0]["status"] == "in_hand"
    assert act(desk, "except", one, "--until", "90d", "--reason", "meter-drift")["results"][0]["status"] == "suppressed"
    assert act(desk, "release", one)["results"][0]["status"] == "in_hand"
    assert act(desk, "silence", one, "--until", "2h")["results"][0]["status"] == "suppressed"
    assert act(desk, "escalate", other, "--text", "to the brigade leader")["results"][0]["status"] == "escalated"
    issued = act(desk, "order", one, other, "--measure", "mend-stock")
    assert [r["status"] for r in issued["results"]] == ["order_issued"] * 2
    assert issued["order"] in run("orders").stdout
    act(desk, "decide", issued["order"], "extended", "--due", "9d")
    assert act(desk, "verify", one, "--evidence", desk.password_file)["results"][0]["status"] == "verified"
    assert act(desk, "close", one, "--outcome", "violation_confirmed")["results"][0]["status"] == "closed"
    decided = act(desk, "decide", issued["order"], "withdrawn")
    assert [r["status"] for r in decided["results"]] == ["in_hand"]
    assert act(desk, "close", other, "--outcome", "duplicate", "--duplicate-of", one)["results"][0]["status"] == "closed"
    assert not json.loads(run("orders", "--json").stdout)["orders"]
    assert len(json.loads(run("orders", "--all", "--json").stdout)["orders"]) == 1


def test_act__not_possible__exit_1_and_what_is(desk):
    done = act(desk, "verify", desk.alerts()[0], "--evidence", desk.password_file, status=1)
    (result,) = done["results"]
    assert result["error"]["code"] == "transition-refused" and "acknowledged" in result["error"]["possible"]
    said = run("verify", desk.alerts()[0], "--reply", "0" * 64, "--password-file", desk.password_file, status=1)
    assert "cannot become verified; possible are acknowledged" in said.stderr


def test_act__seen_version_is_old__exit_1(desk):
    alert_id = desk.alerts()[0]
    act(desk, "ack", alert_id)
    (result,) = act(desk, "take", alert_id, "--version", 0, status=1)["results"]
    assert result["error"]["code"] == "etag-stale"


def test_act__wrong_password__exit_2_and_nothing_signed(desk):
    size = desk.log.stores.log.size()
    desk.password_file.write_text("wrong")
    done = run("ack", desk.alerts()[0], "--password-file", desk.password_file, status=2)
    assert done.exception.code == "key-wrong-password" and desk.log.stores.log.size() == size


def test_act__with_the_one_time_code__exit_2_and_nothing_signed(desk):
    """Whoever set up the installation read it, and would sign in the supervisor's name."""
    size = desk.log.stores.log.size()
    desk.log.stores.portal.save_user(User("supervisor", hash_password(PASSWORD), must_change=True))
    done = run("ack", desk.alerts()[0], "--password-file", desk.password_file, status=2)
    assert done.exception.code == "one-time-code" and "portal" in done.exception.detail
    assert desk.log.stores.log.size() == size
    desk.log.stores.portal.save_user(User("supervisor", hash_password(PASSWORD), must_change=False))
    run("ack", desk.alerts()[0], "--password-file", desk.password_file)


def test_act__asked_for_the_password__is_not_shown(desk):
    done = run("ack", desk.alerts()[0], input=PASSWORD + "\n")
    assert "acknowledged (version 1), signed as" in done.stdout and PASSWORD not in done.output


def test_act__afterwards__the_key_is_locked_and_the_access_log_knows(desk):
    alert_id = desk.alerts()[0]
    act(desk, "ack", alert_id)
    assert desk.desk._open == {}
    assert ("cli:supervisor", "alerts-ack", alert_id) in {
        row[2:5] for row in desk.log.stores.portal.access_log(after=0, limit=10)
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ack", "xyz"], "hex digits"),
        (["ack", "abc"], "hex digits"),
        (["snooze", "a" * 64, "--until", "soon", "--reason", "x"], "say 12h"),
        (["snooze", "a" * 64, "--until", "2026-12-01T08:00:00", "--reason", "x"], "say 12h"),
        (["order", "a" * 64, "--measure", "mend-stock", "--due", "soon"], "for --due"),
        (["order", "a" * 64, "--measure", "mend-stock", "--due", "2026-12-01"], "for --due"),
        (["order", "a" * 64, "--measure", "mend-stock", "--due", "0001-01-01T00:00:00+14:00"], "for --due"),
        (["order", "a" * 64, "--measure", "mend-stock", "--due", "9999-12-31T23:59:59-14:00"], "for --due"),
        (["close", "a" * 64], "--outcome"),
        (["close", "a" * 64, "--outcome", "solved"], "violation_confirmed"),
        (["except", "a" * 64, "--until", "5d", "--reason", "silence"], "hazledger alerts silence"),
        (["ack"], "ALERT"),
    ],
)
def test_usage__wrong__exit_2_and_says_what(desk, words, said):
    assert said in run(*words, status=2).output


def test_act__password_file_that_is_no_text__exit_2_and_nothing_signed(desk, tmp_path):
    (tmp_path / "odd").write_bytes(b"\xc1\xff")
    assert "UTF-8" in run("ack", desk.alerts()[0], "--password-file", tmp_path / "odd", status=2).output


def test_act__unknown_alert__not_found(desk):
    assert "alerts list" in run("ack", "ab" * 32, "--password-file", desk.password_file, status=2).exception.detail


def test_decide__reply_accepted__verified(desk):
    alert_id = desk.alerts()[0]
    order_id = act(desk, "order", alert_id, "--measure", "mend-stock")["order"]
    office = kit.Book(desk.enterprise.key, desk.enterprise.holder, book="office")
    desk.put(office, "reply", {"order": order_id, "action": "counted"}, desk.log.clock())
    desk.fold()
    assert act(desk, "decide", order_id, "accepted")["results"][0]["status"] == "verified"
    refused = run("decide", order_id, "accepted", "--password-file", desk.password_file, "--json", status=1)
    assert json.loads(refused.stdout)["error"]["code"] == "transition-refused"


def test_decide__order_by_its_number_or_the_beginning_of_its_id__is_found(desk):
    first, second = desk.alerts()
    order_id = act(desk, "order", first, "--measure", "mend-stock")["order"]
    act(desk, "order", second, "--measure", "mend-stock", "--number", "N-2")
    assert act(desk, "decide", order_id[:10], "withdrawn")["results"][0]["alert_id"] == first
    assert act(desk, "decide", "N-2", "withdrawn")["results"][0]["alert_id"] == second


@pytest.mark.parametrize("name", ["nosuch", "xyzxyzxyz", "abc", "ab" * 32])
def test_decide__no_such_order__exit_2_and_where_to_look(desk, name):
    done = run("decide", name, "accepted", "--password-file", desk.password_file, status=2)
    assert name in done.exception.detail


@pytest.mark.parametrize("command", ["list", "show", "ack", "take", "order", "decide", "orders", "verify", "close", "snooze", "silence", "except", "release", "escalate"])
def test_help__each_command__has_one(command):
    said = run(command, "--help").stdout
    assert "Usage:" in said and len(said.splitlines()) > 5


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["snooze", "a" * 64, "--until", "3d", "--reason", "awaiting the lab"], "--reason"),
        (["except", "a" * 64, "--until", "3d", "--reason", "Known"], "--reason"),
        (["order", "a" * 64, "--measure", "mend stock"], "--measure"),
        (["take", "a" * 64, "--department", "化学品科"], "--department"),
        (["escalate", "a" * 64, "--department", "the brigade"], "--department"),
    ],
)
def test_code_word__that_is_none__the_option_is_named_with_what_it_takes(desk, words, option):
    said = " ".join(run(*words, status=2).stderr.split())
    assert f"Invalid value for '{option}'" in said and "no spaces, such as awaiting-lab; a sentence goes into --text" in said


def test_snooze__too_long__says_how_far_ahead_it_must_lie(desk):
    done = run("snooze", desk.alerts()[0], "--until", "9d", "--reason", "lab", "--password-file", desk.password_file, status=1)
    assert "`until` must lie ahead, by 7 days at most" in done.stderr


def test_orders__in_chinese__what_stands_around_the_columns_is_chinese(desk):
    order = act(desk, "order", desk.alerts()[0], "--measure", "mend-stock")["order"]
    done = run("orders", "--lang", "zh")
    assert order in done.stdout and "期限 20" in done.stdout and "1 条预警" in done.stdout and "due" not in done.stdout
    assert "1 份指令" in done.stderr
    assert "due 20" in run("orders").stdout
