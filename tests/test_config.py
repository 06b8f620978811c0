"""Settings: everything wrong is said at once, the environment comes on top, secrets stay out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

import ledger
import webapp
from ledger import config
from ledger.config import load
from ledger.errors import ConfigError

GOOD = '[log]\norigin = "county.test/haz"\nissuer = "platform"\n'


def write(tmp_path, text=GOOD):
    (tmp_path / "hazledger.toml").write_text(text)
    return tmp_path


def test_load__minimal__defaults_hold(tmp_path):
    config = load(write(tmp_path), {})
    assert (config.origin, config.database, config.http.port) == ("county.test/haz", "sqlite", 8080)
    assert config.chain.embedded and config.chain.endpoints == ("http://127.0.0.1:8545",)
    assert config.socket_path.parent == tmp_path / "run"


def test_load__environment__comes_on_top(tmp_path):
    environ = {
        "HAZLEDGER_HTTP_PORT": "9000",
        "HAZLEDGER_CHAIN_ENDPOINTS": "http://a:1,http://b:2",
        "HAZLEDGER_CHAIN_EMBEDDED": "false",
        "HAZLEDGER_CHAIN_ANCHOR_EVERY_S": "2.5",
        "HAZLEDGER_ANVIL": "/opt/anvil",
    }
    config = load(write(tmp_path), environ)
    assert config.http.port == 9000
    assert config.chain.endpoints == ("http://a:1", "http://b:2")
    assert not config.chain.embedded
    assert config.chain.anchor_every_s == 2.5
    assert config.chain.anvil == "/opt/anvil"


def test_load__every_setting__has_the_variable_that_the_readme_promises(tmp_path):
    (tmp_path / "pw").write_text("s3cret")
    given = {
        ("log", "origin"): ("env.test/x", lambda c: c.origin),
        ("log", "issuer"): ("county", lambda c: c.issuer),
        ("store", "database"): ("postgresql+psycopg://h@db/x", lambda c: c.database),
        ("store", "password_file"): ("nosuch", None),
        ("http", "host"): ("0.0.0.0", lambda c: c.http.host),
        ("chain", "kind"): ("qbft", lambda c: c.chain.kind),
        ("chain", "endpoints"): ("http://a:1", lambda c: c.chain.endpoints[0]),
        ("chain", "anvil"): ("/opt/a", lambda c: c.chain.anvil),
        ("chain", "signer"): ("http://s:1", lambda c: c.chain.signer),
        ("keys", "passphrase_file"): ("pw", lambda c: c.passphrase_file.name),
        ("rules", "restricted_sets"): ("sets", lambda c: c.restricted_sets_file.name),
        ("rules", "exceptions"): ("known", lambda c: c.exceptions_file.name),
        ("portal", "timezone"): ("Asia/Urumqi", lambda c: c.timezone),
    }
    for section, names in config._DEFAULTS.items():
        for name, default in names.items():
            variable = f"HAZLEDGER_{section}_{name}".upper()
            text, read = given.get((section, name), ("many", None))
            if read is not None:
                assert read(load(write(tmp_path), {variable: text})) == text, variable
                continue
            assert text == "nosuch" or isinstance(default, bool | int | float), f"{variable}: no case"
            with pytest.raises(ConfigError, match=text if text == "nosuch" else re.escape(f"[{section}] {name}")):
                load(write(tmp_path), {variable: text})


def test_load__both_names_of_one_setting__the_regular_one_counts(tmp_path):
    assert load(write(tmp_path), {"HAZLEDGER_CHAIN_ANVIL": "/a", "HAZLEDGER_ANVIL": "/b"}).chain.anvil == "/a"


@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("HAZLEDGER_HTTP_PORT", "99999", "[http] port"),
        ("HAZLEDGER_HTTP_PORT", "-1", "[http] port"),
        ("HAZLEDGER_HTTP_WORKERS", "0", "[http] workers"),
        ("HAZLEDGER_LOG_CHECKPOINT_EVERY_S", "nan", "[log] checkpoint_every_s"),
        ("HAZLEDGER_CHAIN_ANCHOR_EVERY_S", "-1", "[chain] anchor_every_s"),
        ("HAZLEDGER_PORTAL_TIMEZONE", "Asia/Shanhai", "Asia/Shanghai"),
    ],
)
def test_load__value_that_no_process_could_use__is_named(tmp_path, variable, value, setting):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path), {variable: value})
    assert setting in caught.value.detail


def test_load__several_things_wrong__all_named_together(tmp_path):
    text = '[log]\nissuer = 5\nsurprise = 1\n[http]\nport = "80"\nhttps = 1\n[chain]\nkind = "clique"\n[more]\n'
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {"HAZLEDGER_HTTP_WORKERS": "many"})
    said = caught.value.detail
    for name in (
        "[log] origin",
        "[log] issuer",
        "surprise",
        "[http] port",
        "[http] https",
        "kind",
        "[more]",
        "workers",
    ):
        assert name in said, name


def test_load__sections_that_are_none__named_like_the_rest(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, 'log = 1\nhttp = [8080]\n[chain]\nendpoints = [8545]\n'), {})
    for name in ("[log]", "[http]", "[log] origin", "[chain] endpoints"):
        assert name in caught.value.detail, name


def test_load__not_utf8__names_the_file(tmp_path):
    (tmp_path / "hazledger.toml").write_bytes(b'[log]\norigin = "\xff"\n')
    with pytest.raises(ConfigError, match=r"hazledger\.toml"):
        load(tmp_path, {})


def test_passphrase__not_utf8__names_the_file_and_shows_nothing_of_it(tmp_path):
    config = load(write(tmp_path), {})
    config.passphrase_file.parent.mkdir()
    config.passphrase_file.write_bytes(b"open sesame \xff")
    with pytest.raises(ConfigError, match="no UTF-8") as caught:
        config.passphrase()
    assert caught.value.__cause__ is None and "sesame" not in str(caught.value)


def test_load__no_installation__says_init(tmp_path):
    with pytest.raises(ConfigError, match="hazledger init"):
        load(tmp_path, {})


def test_load__not_toml__names_the_file(tmp_path):
    with pytest.raises(ConfigError, match="hazledger.toml"):
        load(write(tmp_path, "= ="), {})


def test_passphrase__file_missing__names_it(tmp_path):
    with pytest.raises(ConfigError, match="secrets/passphrase"):
        load(write(tmp_path), {}).passphrase()


def test_load__database_password__comes_from_its_file(tmp_path):
    (tmp_path / "pw").write_text("s3cret\n")
    text = GOOD + '[store]\ndatabase = "postgresql+psycopg://haz@db/haz"\npassword_file = "pw"\n'
    config = load(write(tmp_path, text), {})
    assert config.database == "postgresql+psycopg://haz:s3cret@db/haz"
    assert "s3cret" not in repr(config)


def test_load__database_password_of_any_signs__reaches_the_driver_unchanged(tmp_path):
    (tmp_path / "pw").write_text("p@ss/w:rd%#?\n")
    text = GOOD + '[store]\ndatabase = "postgresql+psycopg://haz@db/haz"\npassword_file = "pw"\n'
    url = make_url(load(write(tmp_path, text), {}).database)
    assert (url.username, url.password, url.host, url.database) == ("haz", "p@ss/w:rd%#?", "db", "haz")


def test_load__database_password_file_missing__names_it(tmp_path):
    text = GOOD + '[store]\ndatabase = "postgresql+psycopg://haz@db/haz"\npassword_file = "secrets/pw"\n'
    with pytest.raises(ConfigError, match="secrets/pw"):
        load(write(tmp_path, text), {})


def test_environment__read_in_the_settings_and_nowhere_else():
    """The compiler's download only hands the environment on, and adapters may not import the settings."""
    root = Path(ledger.__file__).parents[1]
    sources = [p for package in (ledger, webapp) for p in Path(package.__file__).parent.rglob("*.py")]
    reads = re.compile(r"\bos\.(environb?|getenvb?|putenv)\b|\bfrom os import")
    found = {path.relative_to(root).as_posix() for path in sources if reads.search(path.read_text())}
    assert found == {"ledger/config.py", "ledger/adapters/chain/compile.py"}


def test_restricted_sets__named_and_missing__says_which_file(tmp_path):
    config = load(write(tmp_path, GOOD + '[rules]\nrestricted_sets = "secrets/sets.json"\n'), {})
    with pytest.raises(ConfigError, match=r"secrets/sets\.json"):
        config.restricted_sets()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/sets.json").write_bytes(b"{}")
    assert config.restricted_sets() == b"{}"
    assert load(write(tmp_path), {}).restricted_sets() is None
