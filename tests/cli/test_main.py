"""`hazledger` itself: what becomes of an exception that nobody expected."""

import os
import stat
import subprocess
import sys
import tempfile

import click
import pytest
from click.testing import CliRunner

from ledger.cli import main as program


def failing(monkeypatch, tmp_path, error, command="verify"):
    def fail(**_):
        raise error

    monkeypatch.setattr(program, "cli", fail)
    monkeypatch.setattr(sys, "argv", ["hazledger", command])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        program.main()
    return left.value.code


def test_main__unexpected_exception__no_verdict_and_where_the_traceback_is(monkeypatch, tmp_path, capsys):
    assert failing(monkeypatch, tmp_path, ZeroDivisionError("of the rate")) == 70
    (kept,) = tmp_path.iterdir()
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(kept) in said and "no verdict" in said and "ZeroDivisionError" in said
    assert "of the rate" in kept.read_text() and "Traceback" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_main__no_file_can_be_written__the_traceback_is_shown(monkeypatch, tmp_path, capsys):
    assert failing(monkeypatch, tmp_path / "nothing", ZeroDivisionError()) == 70
    assert "Traceback" in capsys.readouterr().err


def test_main__process_of_the_service__the_log_has_the_traceback(monkeypatch, tmp_path, capsys):
    assert failing(monkeypatch, tmp_path, ZeroDivisionError(), "process") == 70
    assert "Traceback" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_main__file_that_cannot_be_used__still_2(monkeypatch, tmp_path, capsys):
    assert failing(monkeypatch, tmp_path, PermissionError(13, "Permission denied", "/x")) == 2
    assert "/x: Permission denied" in capsys.readouterr().err


def ended(monkeypatch, error):
    def fail(**_):
        raise error

    monkeypatch.setattr(program._Lazy, "get_command", lambda *_: click.Command("verify", callback=fail))
    return CliRunner().invoke(program.cli, ["verify"])


def test_main__interrupted__is_not_the_code_of_a_failed_check(monkeypatch):
    done = ended(monkeypatch, KeyboardInterrupt())
    assert done.exit_code == 130 and "Interrupted" in done.stderr


def test_main__interrupted_at_a_prompt_or_told_no__only_the_no_is_1(monkeypatch):
    asked = click.Abort()
    asked.__context__ = KeyboardInterrupt()
    assert ended(monkeypatch, asked).exit_code == 130
    assert ended(monkeypatch, click.Abort()).exit_code == 1


def test_main__nobody_reads_the_output__is_not_the_code_of_a_failed_check(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        command = [sys.executable, "-m", "ledger.cli.main", "rules", "lint"]
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (141, b"")
