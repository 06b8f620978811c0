"""All settings of one installation, read once: `hazledger.toml` in the state directory, then HAZLEDGER_* on top.

The environment is read here and nowhere else. Everything that is missing or wrong is reported together. Secrets never
stand in the file or the environment: they are in files of their own, named by `*_file`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.errors import ConfigError

FILE_NAME = "hazledger.toml"


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """How the chain is reached. `kind` development says so on every page and in every verdict."""

    kind: str
    endpoints: tuple[str, ...]
    embedded: bool
    """True: this installation starts Anvil itself and mines."""
    port: int
    depth: int
    """Blocks from a transaction's own to the newest, both counted, until it is final; 1 where each block is final."""
    anchor_every_s: float
    anvil: str
    """Anvil's native file; empty: the one that npm put into contracts/."""
    signer: str
    """Address of a web3signer-compatible signer that holds the accounts' keys; empty: they are in key files."""


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Where the portal and the API listen."""

    host: str
    port: int
    workers: int
    threads: int
    https: bool
    """True when a proxy in front speaks TLS: cookies are Secure then."""


@dataclass(frozen=True, slots=True)
class Config:
    """One installation. Paths are absolute."""

    state_dir: Path
    origin: str
    issuer: str
    database: str = field(repr=False)
    """`sqlite`, or a SQLAlchemy URL of PostgreSQL; its password may come from `database_password_file`."""
    merge_delay_ms: int
    checkpoint_every_s: float
    http: HttpConfig
    chain: ChainConfig
    passphrase_file: Path
    restricted_sets_file: Path | None
    """The goods that nobody should hold together; None: the harmless example that is shipped."""
    exceptions_file: Path | None
    """Findings that are known and agreed (`schema: exceptions/1`); None: there are none."""
    timezone: str
    simulated: bool
    """True where the movement stream is simulated; every page says so."""

    @property
    def keys_dir(self) -> Path:
        return self.state_dir / "keys"

    @property
    def trust_path(self) -> Path:
        return self.state_dir / "trust.json"

    @property
    def socket_path(self) -> Path:
        return self.state_dir / "run" / "sequencer.sock"

    @property
    def enrolments_dir(self) -> Path:
        return self.state_dir / "enrolments"

    def restricted_sets(self) -> bytes | None:
        """What the file of restricted sets holds; None where none is named.

        Raises: ConfigError that names the file.
        """
        return _bytes_of(self.restricted_sets_file, "the restricted sets")

    def exceptions(self) -> str | None:
        """What the file of exceptions says; None where none is named.

        Raises: ConfigError that names the file.
        """
        data = _bytes_of(self.exceptions_file, "the exceptions")
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError:
            raise ConfigError(f"cannot read the exceptions {self.exceptions_file}: this is no UTF-8") from None

    def passphrase(self) -> str:
        """The passphrase of this installation's key files.

        Raises: ConfigError that names the file.
        """
        try:
            return self.passphrase_file.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise ConfigError(f"cannot read the passphrase file {self.passphrase_file}: {error.strerror}") from error
        except UnicodeDecodeError:
            # `from None`: that error holds the file's bytes.
            raise ConfigError(f"cannot read the passphrase file {self.passphrase_file}: this is no UTF-8") from None


_DEFAULTS: dict[str, dict[str, Any]] = {
    "log": {"origin": None, "issuer": None, "merge_delay_minutes": 60, "checkpoint_every_s": 1.0},
    "store": {"database": "sqlite", "password_file": ""},
    "http": {"host": "127.0.0.1", "port": 8080, "workers": 2, "threads": 16, "https": False},
    "chain": {
        "kind": "development",
        "endpoints": [],
        "embedded": True,
        "port": 8545,
        "depth": 1,
        "anchor_every_s": 60.0,
        "anvil": "",
        "signer": "",
    },
    "keys": {"passphrase_file": "secrets/passphrase"},
    "rules": {"restricted_sets": "", "exceptions": ""},
    "portal": {"timezone": "Asia/Shanghai", "simulated": False},
}


# Least and most; a value outside would stop a process only after all others have started.
_LIMITS: dict[tuple[str, str], tuple[float, float]] = {
    ("log", "merge_delay_minutes"): (1, 10_080),
    ("log", "checkpoint_every_s"): (0.01, 3600),
    ("http", "port"): (0, 65_535),
    ("http", "workers"): (1, 256),
    ("http", "threads"): (1, 1024),
    ("chain", "port"): (0, 65_535),
    ("chain", "depth"): (0, 10_000),
    ("chain", "anchor_every_s"): (0.01, 86_400),
}


# Named in the error of whoever does not find it, so it has a second name, that a person would guess.
_SHORT_NAMES = {("chain", "anvil"): "HAZLEDGER_ANVIL"}


def state_dir_from_environment(environ: Mapping[str, str] = os.environ) -> Path:
    """HAZLEDGER_STATE, or `./hazledger-state`."""
    return Path(environ.get("HAZLEDGER_STATE", "hazledger-state")).absolute()


def environment_with(**more: str) -> dict[str, str]:
    """Our own environment with `more` on top: for a process that it starts, or for `load` with other settings."""
    return {**os.environ, **more}


def faults_dir_from_environment(environ: Mapping[str, str] = os.environ) -> Path | None:
    """HAZLEDGER_FAULTS: where the fault tests leave their orders (ledger/faults.py). Never set in operation."""
    return Path(environ["HAZLEDGER_FAULTS"]) if environ.get("HAZLEDGER_FAULTS") else None


def load(state_dir: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the settings of the installation in `state_dir`.

    A setting `[http] port` is overridden by HAZLEDGER_HTTP_PORT, and so on.

    Raises: ConfigError naming everything that is missing or wrong, at once.
    """
    path = state_dir / FILE_NAME
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no installation in {state_dir}; make one with `hazledger init`, or name another with --state or $HAZLEDGER_STATE"
        ) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    wrong = [f"unknown section [{name}]" for name in document if name not in _DEFAULTS]
    values: dict[str, dict[str, Any]] = {}
    for section, defaults in _DEFAULTS.items():
        given = document.get(section, {})
        if not isinstance(given, dict):
            wrong.append(f"{section} is a section, [{section}], and no setting")
            given = {}
        wrong += [f"unknown setting [{section}] {name}" for name in given if name not in defaults]
        values[section] = {}
        for name, default in defaults.items():
            variables = (f"HAZLEDGER_{section}_{name}".upper(), _SHORT_NAMES.get((section, name), ""))
            value = given.get(name, default)
            try:
                for variable in variables:
                    if variable in environ:
                        value = _parse(environ[variable], default)
                        break
                values[section][name] = _checked(value, default)
                _within(section, name, values[section][name])
            except ValueError as error:
                wrong.append(f"[{section}] {name}: {error}")
    if values.get("chain", {}).get("kind") not in ("development", "qbft"):
        wrong.append('[chain] kind is "development" or "qbft"')
    if wrong:
        raise ConfigError(f"{path}: " + "; ".join(wrong))
    return _config(state_dir.absolute(), values)


def _bytes_of(path: Path | None, what: str) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {what} {path}: {error.strerror}") from error


def _with_password(database: str, path: Path) -> str:
    try:
        password = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"cannot read the database's password file {path}: {error.strerror}") from error
    # A good password is full of signs that mean something in a URL.
    return database.replace("@", f":{quote(password, safe='')}@", 1)


def _config(state_dir: Path, values: dict[str, dict[str, Any]]) -> Config:
    log, store, http, chain = values["log"], values["store"], values["http"], values["chain"]
    database = store["database"]
    if store["password_file"]:
        database = _with_password(database, state_dir / store["password_file"])
    rules = {name: state_dir / path if path else None for name, path in values["rules"].items()}
    endpoints = tuple(chain["endpoints"]) or (_running_node(state_dir) or f"http://127.0.0.1:{chain['port']}",)
    return Config(
        state_dir=state_dir,
        origin=log["origin"],
        issuer=log["issuer"],
        database=database,
        merge_delay_ms=int(log["merge_delay_minutes"] * 60_000),
        checkpoint_every_s=float(log["checkpoint_every_s"]),
        http=HttpConfig(**http),
        chain=ChainConfig(**{**chain, "endpoints": endpoints}),
        passphrase_file=state_dir / values["keys"]["passphrase_file"],
        restricted_sets_file=rules["restricted_sets"],
        exceptions_file=rules["exceptions"],
        timezone=values["portal"]["timezone"],
        simulated=values["portal"]["simulated"],
    )


def running_node_path(state_dir: Path) -> Path:
    """Where `hazledger serve` writes the address of the embedded node: its port was perhaps taken by somebody else."""
    return state_dir / "run" / "chain-endpoint"


def _running_node(state_dir: Path) -> str | None:
    try:
        return running_node_path(state_dir).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _parse(text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text.lower() not in ("true", "false", "1", "0"):
            raise ValueError("expects true or false")
        return text.lower() in ("true", "1")
    if isinstance(default, int | float):
        return type(default)(text)
    if isinstance(default, list):
        return [part for part in text.split(",") if part]
    return text


def _within(section: str, name: str, value: Any) -> None:
    if (section, name) in _LIMITS:
        least, most = _LIMITS[section, name]
        if not least <= value <= most:
            raise ValueError(f"expects {least:g} to {most:g}, not {value!r}")
    if (section, name) == ("portal", "timezone"):
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; write one as Asia/Shanghai") from None


def _checked(value: Any, default: Any) -> Any:
    if default is None:
        if not isinstance(value, str) or not value:
            raise ValueError("is missing")
        return value
    expected = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, expected) or (isinstance(value, bool) and not isinstance(default, bool)):
        raise ValueError(f"expects {type(default).__name__}, not {value!r}")  # noqa: TRY004 - collected by the caller
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise ValueError(f"expects texts, not {value!r}")
    return value
