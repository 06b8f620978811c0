"""`hazledger rules …` and `hazledger clock` as they are typed, over real stores."""

import gc
import json
import os
import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from ledger.adapters.clockpause import ClockPauseFile
from ledger.cli.main import cli
from ledger.cli.rules import promote as promoting
from ledger.cli.rules.common import folding
from ledger.errors import LedgerError
from ledger.rulesets import shipped_rules, shipped_sources
from tests.test_evaluate_real import evaluator, log, run  # noqa: F401 - the fixture is used by its name

A01 = next(text for name, text in shipped_sources().items() if name.startswith("A01"))


@pytest.fixture
def here(log, tmp_path, monkeypatch):
    run(evaluator(log, log.stores.engine), log)
    monkeypatch.setattr(type(log.stores), "close", lambda self: None)
    made = SimpleNamespace(
        stores=log.stores,
        restricted_sets=None,
        exceptions={},
        rules=shipped_rules,
        config=SimpleNamespace(state_dir=tmp_path),
        zone=lambda: ZoneInfo("Asia/Shanghai"),
        clock_pause=ClockPauseFile(tmp_path / "jump.json"),
    )
    for name in ("rules.backtest", "rules.explain", "rules.health", "rules.promote", "rules.replay", "clock"):
        monkeypatch.setattr(f"ledger.cli.{name}.open_installation", lambda _state: made)
    return made


def typed(*words, status=0):
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.output


@pytest.mark.parametrize("name", ["lint", "test", "backtest", "explain", "promote", "health", "replay"])
def test_help__says_exit_codes_and_an_example(name):
    text = typed("rules", name, "--help")
    assert "Exit code" in text and ("hazledger rules " in text or name == "health")


def test_lint__file_with_mistakes__exit_1_and_lines(tmp_path):
    file = tmp_path / "x.yml"
    file.write_text(A01.replace("severity: ", "severity: very ", 1).replace("quiet: ", "quit: ", 1))
    text = typed("rules", "lint", file, status=1)
    assert text.count(f"{file}:") >= 2
    found = json.loads(typed("rules", "lint", tmp_path, "--json", status=1))
    assert found["files"] == 1 and all(p["line"] > 0 for p in found["problems"])


def test_test__junit_and_one_rule(tmp_path):
    report = tmp_path / "r.xml"
    text = typed("rules", "test", "--rule", "A01", "--junit", report, "--lang", "zh")
    assert "A01" in text and "0 failed" in text and b"<testsuite " in report.read_bytes()


def test_explain__for_a_person__numbers_have_their_units_and_times_are_local(here):
    alert_id = here.stores.engine.alerts(rule="A01", limit=1)[0][1].alert_id
    text = typed("rules", "explain", "--alert", alert_id[:12])
    assert "parameter grace = 900000 (15 min)" in text and re.search(r"balance = -\d+ \(-[\d.]+ k?g\)", text)
    assert re.search(r"event_ms = \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+08:00", text) and not re.search(r"T\d\d:\d\d:\d\d", text)


def test_explain__in_chinese__labels_units_and_verdict_too(here):
    alert_id = here.stores.engine.alerts(rule="A01", limit=1)[0][1].alert_id
    text = typed("rules", "explain", "--alert", alert_id[:12], "--lang", "zh")
    assert "参数 grace = 900000 (15 分钟)（自 " in text and "适用范围" in text and "第 0 档（" in text
    english = r"\b(version|entry|in force|row|parameter|from|scope|band|with|since|due|next|waits|min)\b"
    assert not re.search(english, text.replace("with_", "")), re.search(english, text)


@pytest.mark.parametrize("command", ["lint", "test", "backtest"])
def test_rule_file__device_or_pipe__refused_at_once(here, tmp_path, command):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe"):
        done = CliRunner().invoke(cli, ["rules", command, str(path)])
        assert done.exit_code and "it is no file" in str(done.exception), (command, path, done.output)


def test_test__file_that_does_not_load__says_where_all_mistakes_are_shown(tmp_path):
    bad = tmp_path / "bad.yml"
    bad.write_text(A01.replace("severity: critical", "severity: urgent"))
    done = CliRunner().invoke(cli, ["rules", "test", str(bad)])
    assert "'urgent' is none of" in str(done.exception) and "hazledger rules lint" in str(done.exception)


def test_lint__one_file_one_problem__is_counted_as_people_count(tmp_path):
    bad = tmp_path / "bad.yml"
    bad.write_text(A01.replace("severity: critical", "severity: urgent"))
    assert "1 file, 1 problem" in typed("rules", "lint", bad, status=1)


def test_backtest__shipped_rule__is_what_was_raised(here):
    found = json.loads(typed("rules", "backtest", "A01", "--json"))
    assert found["alerts"] == found["same"] > 0 and found["new"] == found["lost"] == 0
    english = typed("rules", "backtest", "A01")
    assert "the same" in english and "), 1 day\n" in english and " days" not in english
    chinese = typed("rules", "backtest", "A01", "--lang", "zh")
    assert "），1 天\n" in chinese and f"相同 {found['same']}，新增 0，减少 0" in chinese
    assert not re.search("entries|alerts|sites|average|beside|cost", chinese)


def test_backtest__draft_that_misses_what_it_must_find__exit_1(here, tmp_path):
    found = json.loads(typed("rules", "backtest", "A01", "--json"))
    record = found["examples"][0]["record_id"]
    draft = tmp_path / "draft.yml"
    draft.write_text(re.sub(r"(?m)^scope: .*$", "scope: 'false'", A01))
    text = typed("rules", "backtest", draft, "--must-find", record, status=1)
    assert "FAIL" in text and record in text and " lost" in text
    assert CliRunner().invoke(cli, ["rules", "backtest", "A01", "--must-not-find", "X1"]).exit_code == 2
    day = "2001-01-01"
    assert "nothing was received" in str(CliRunner().invoke(cli, ["rules", "backtest", "A01", "--to", day]).exception)


def test_explain__alert_by_its_first_digits_and_record(here):
    ((_, alert), *_) = here.stores.engine.alerts(rule="A01", limit=1)
    for lang, title in alert.reason.items():
        assert title in typed("rules", "explain", "--alert", alert.alert_id[:8], "--lang", lang)
    found = json.loads(typed("rules", "explain", "--rule", "A01", "--record", alert.extra["record"], "--json"))
    by_its_beginning = typed("rules", "explain", "--rule", "A01", "--record", alert.extra["record"][:9].upper(), "--json")
    assert json.loads(by_its_beginning) == found
    for name in ("abcdef0123", alert.extra["record"][:5] + "g"):
        asked = CliRunner().invoke(cli, ["rules", "explain", "--rule", "A01", "--record", name])
        assert f"there is no record {name}" in str(asked.exception)
    assert found["verdict"] == "alert" and alert.alert_id in {row["alert_id"] for row in found["rows"]}
    assert "--rule and --record" in typed("rules", "explain", status=2)


def test_replay__untouched_and_altered(here):
    text = typed("rules", "replay")
    assert text.rstrip().endswith("OK: the log gives what is kept")
    assert json.loads(typed("rules", "replay", "--json"))["equal"]
    from sqlalchemy import text as sql

    with here.stores.engine._db.write() as connection:
        connection.execute(sql("UPDATE alert SET severity = 'info' WHERE seq = 1"))
    assert "alert: seq 1, " in typed("rules", "replay", status=1)


def test_health__every_rule_in_force(here):
    found = json.loads(typed("rules", "health", "--json"))
    names = {one["rule"] for one in found["rules"]}
    assert {"A01", "C07"} <= names and found["lag"] == 0
    assert "engine at entry" in typed("rules", "health", "--lang", "zh")


def test_promote__check_writes_nothing_and_without_it_the_file_is_live(here, tmp_path):
    file = tmp_path / "c07.yml"
    text = next(text for name, text in shipped_sources().items() if name.startswith("C07"))
    file.write_text(text)
    typed("rules", "promote", file, "--check")
    assert file.read_text() == text
    assert "is live now" in typed("rules", "promote", file)
    assert "status: live\n" in file.read_text()


def test_promote__file_saved_again_meanwhile__is_left_alone(here, tmp_path, monkeypatch):
    file = tmp_path / "c07.yml"
    text = next(text for name, text in shipped_sources().items() if name.startswith("C07"))
    file.write_text(text)
    tried = promoting.BackTest.run

    def saved_while_it_runs(self, *given):
        file.write_text(text + "# mended\n")
        return tried(self, *given)

    monkeypatch.setattr(promoting.BackTest, "run", saved_while_it_runs)
    refused = CliRunner().invoke(cli, ["rules", "promote", str(file)])
    assert isinstance(refused.exception, LedgerError) and "changed meanwhile" in refused.exception.detail
    assert file.read_text() == text + "# mended\n"


@pytest.mark.parametrize("end", ["9999-12-31", "\u00b2", "9" * 5000])
def test_backtest__end_that_is_no_day__2(here, end):
    assert "is no day" in typed("rules", "backtest", "A01", "--to", end, status=2)
    asked = CliRunner().invoke(cli, ["rules", "explain", "--rule", "A01", "--record", end])
    assert isinstance(asked.exception, LedgerError)


@pytest.mark.parametrize("given", [("--from", "2026-03-01"), ("--to", "5")])
def test_backtest__resumed_over_another_stretch__2(here, given):
    assert "leave --from and --to out" in typed("rules", "backtest", "A01", "--resume", *given, status=2)


def test_clock__jump__pauses_until_confirmed(here):
    assert "has not jumped" in typed("clock")
    here.clock_pause.write({"before_ms": 1_800_000_000_000, "after_ms": 1_900_000_000_000})
    assert "ticks pause" in typed("clock", status=1)
    assert "confirmed" in typed("clock", "--confirm")
    assert not json.loads(typed("clock", "--json"))["paused"]
    assert any(row[3] == "clock-confirm" for row in here.stores.portal.access_log(after=0, limit=100))


def test_folding__also_when_it_fails__leaves_the_collector_as_it_was():
    with pytest.raises(KeyError), folding():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with folding():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_replay__interrupted__exit_3_and_goes_on_where_it_was(here, tmp_path, monkeypatch):
    work = str(tmp_path / "replay.work")
    assert "there is no interrupted replay" in str(CliRunner().invoke(cli, ["rules", "replay", "--resume", "--work", work]).exception)
    assert "leave --to out" in typed("rules", "replay", "--resume", "--to", "5", "--work", work, status=2)
    whole = json.loads(typed("rules", "replay", "--json"))
    with monkeypatch.context() as during:
        during.setattr("ledger.follow.BATCH", 2)
        during.setattr("ledger.cli.rules.common.interruptible", lambda: nullcontext(lambda: True))
        assert "interrupted at entry 2; go on with --resume" in typed("rules", "replay", "--work", work, status=3)
    assert json.loads(typed("rules", "replay", "--json", "--resume", "--work", work)) == whole
    assert not Path(work).exists()
