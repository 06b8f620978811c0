"""Files that are not what a command takes them for: one clear line and exit code 2, never 70 and never all of the memory."""

import pytest
from click.testing import CliRunner

from ledger.cli.main import cli
from ledger.errors import LedgerError
from tests.world import World

BINARY, UTF_16, TWO_LINES = b"\xc1\x00\xff" * 50, "a passphrase of mine".encode("utf-16"), b"a\r\nb\r\n"
HOLDER = "91320100MA1P00001W"


@pytest.fixture
def trust(tmp_path):
    path = tmp_path / "trust.json"
    path.write_bytes(World().trust_bytes())
    return path


@pytest.fixture
def endless(tmp_path):
    path = tmp_path / "endless"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    return path


def run(*words):
    done = CliRunner().invoke(cli, [str(word) for word in words])
    if isinstance(done.exception, LedgerError):
        return 2, done.exception.detail  # as main() says it
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("data", [BINARY, UTF_16])
def test_passphrase__no_text__2(tmp_path, data):
    (tmp_path / "pass").write_bytes(data)
    code, said = run("key", "new", "--out", tmp_path / "key", "--passphrase-file", tmp_path / "pass")
    assert code == 2 and "UTF-8" in said and not (tmp_path / "key").exists()


@pytest.mark.parametrize("data", [BINARY, UTF_16, TWO_LINES, "\ufeffhzt_x".encode()])
def test_token__what_no_header_carries__2(tmp_path, trust, data):
    (tmp_path / "token").write_bytes(data)
    asked = ("--url", "http://127.0.0.1:9", "--enterprise", HOLDER, "--site", "S1", "--book", "acid")
    assert run("head", *asked, "--token-file", tmp_path / "token")[0] == 2
    asked = ("--tiles", "http://127.0.0.1:9", "--trust", trust)
    assert run("verify", "log", *asked, "--token-file", tmp_path / "token")[0] == 2


def test_endless_file__every_command_reads_no_more_than_it_could_use(tmp_path, trust, endless):
    push = ("push", "--url", "http://127.0.0.1:9", "--spool", tmp_path / "spool")
    for words in (
        ("trust", "show", endless),
        ("trust", "pin", endless, "--rpc", "http://127.0.0.1:9", "--block", 1),
        ("key", "show", endless),
        ("key", "new", "--out", tmp_path / "key", "--passphrase-file", endless),
        (*push, "--trust", endless),
    ):
        assert run(*words)[0] == 2, words
