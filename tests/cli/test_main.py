"""`hazledger` itself: what becomes of an exception that nobody expected."""

import stat
import sys
import tempfile

import pytest

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
