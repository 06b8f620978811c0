"""`hazledger init`: one installation, from nothing to ready to serve. Can be run again after it was broken off."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.chain.deploy import deploy
from ledger.adapters.chain.embedded import EmbeddedNode
from ledger.adapters.chain.rpc import Rpc
from ledger.adapters.enrolments import save_enrolment
from ledger.adapters.files import PUBLIC, make_directory, write_whole
from ledger.adapters.keystore.ethereum import create_account, load_account
from ledger.adapters.keystore.lookup import create_lookup_key
from ledger.adapters.keystore.signing import FileSigner, create_key, load_signer
from ledger.cli.compose import (
    AUTHORITY_ACCOUNT,
    DEPLOYER_ACCOUNT,
    LOG_KEY,
    LOOKUP_KEY,
    PLATFORM_KEY,
    RECEIPT_KEY,
    SUBMITTER_ACCOUNT,
    Installation,
    chain_dir,
    chain_settings,
    find_configured_anvil,
)
from ledger.config import FILE_NAME, Config, load
from ledger.core.checkpoint import check_origin
from ledger.core.ids import check_issuer
from ledger.core.keys import load_public_key
from ledger.core.note import VerifierKey
from ledger.core.receipt import receipt_key_name
from ledger.core.trust import make_trust
from ledger.errors import ChainRevertedError, ConfigError, DeskError
from ledger.model import Enrolment, Role
from webapp.passwords import new_account

SUPERVISOR = "supervisor"

_SETTINGS = """\
# Settings of this installation. Any of them can be overridden by HAZLEDGER_<SECTION>_<NAME>.
[log]
origin = "{origin}"
issuer = "{issuer}"

[store]
database = "{database}"

[http]
host = "127.0.0.1"
port = {port}
workers = 2
threads = 16

[chain]
kind = "{kind}"
embedded = {embedded}
endpoints = {endpoints}
port = {chain_port}
depth = {depth}
anchor_every_s = {anchor_every_s}

[portal]
timezone = "Asia/Shanghai"
simulated = {simulated}
"""


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--origin", required=True, help="Name of the log, e.g. police.county.example/haz; never to be changed.")
@click.option("--issuer", default="platform", show_default=True, help="Name under which the platform signs.")
@click.option("--database", default="sqlite", show_default=True, help="sqlite, or a postgresql+psycopg:// URL.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="HTTP port of portal and API on 127.0.0.1.",
)
@click.option("--rpc", multiple=True, help="Endpoint of a real chain (repeatable). Without one, Anvil is embedded.")
@click.option(
    "--anchor-every",
    "anchor_every_s",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds between anchors.",
)
def init(
    directory: Path, origin: str, issuer: str, database: str, port: int, rpc: tuple[str, ...], anchor_every_s: float
) -> None:
    """Make an installation in DIRECTORY: keys, databases, contracts, trust file, the supervisor's account.

    \b
    Example:  hazledger init /srv/hazledger --origin police.county.example/haz
              hazledger serve --state /srv/hazledger

    Broken off, it goes on when it is run again. An installation that is there already keeps its settings and keys.

    Exit code: 0 the installation is there, 2 usage, or what stands in the way.
    """
    # Checked before anything is written: both stand in every entry and can never be changed.
    try:
        check_origin(origin)
    except ValueError:
        raise click.BadParameter(
            "small letters, digits, points, hyphens and slashes, as police.county.example/haz", param_hint="--origin"
        ) from None
    try:
        check_issuer(issuer)
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--issuer") from error
    if database != "sqlite" and not database.startswith("postgresql+psycopg://"):
        raise click.BadParameter("sqlite, or postgresql+psycopg://user@host/name", param_hint="--database")
    there = (directory / FILE_NAME).exists()
    code = make(
        directory, origin=origin, issuer=issuer, database=database, port=port, rpc=rpc, anchor_every_s=anchor_every_s
    )
    click.echo(f"installation ready in {directory}")
    click.echo(f"trust file for auditors: {directory / 'trust.json'}")
    if code:
        click.echo(f"supervisor's account: user name {SUPERVISOR}, one-time code {code} (shown only now)")
    if there:
        click.echo(f"it was there already: settings stand in {directory / FILE_NAME}, other options were not looked at")
    click.echo(f"next: hazledger serve --state {directory}")


def make(
    directory: Path,
    *,
    origin: str,
    issuer: str = "platform",
    database: str = "sqlite",
    port: int = 8080,
    chain_port: int = 8545,
    rpc: tuple[str, ...] = (),
    anchor_every_s: float = 60.0,
    simulated: bool = False,
) -> str | None:
    """Make what is missing of an installation; the supervisor's one-time code when the account is new.

    Raises: ConfigError, ChainError's family. Running it again goes on where it stopped.
    """
    try:
        check_origin(origin)
    except ValueError as error:
        raise ConfigError(f"--origin: {error}") from error
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = directory / FILE_NAME
    if not settings.exists():
        write_whole(
            settings,
            _SETTINGS.format(
                origin=origin,
                issuer=issuer,
                database=database,
                port=port,
                kind="qbft" if rpc else "development",
                embedded=str(not rpc).lower(),
                endpoints=str(list(rpc)).replace("'", '"'),
                chain_port=chain_port,
                depth=1,
                anchor_every_s=anchor_every_s,
                simulated=str(simulated).lower(),
            ).encode(),
            mode=PUBLIC,
        )
    config = load(directory)
    if config.origin != origin:
        raise ConfigError(f"{settings} is of the log {config.origin!r}, not {origin!r}")
    _secret(config.passphrase_file, secrets.token_urlsafe(32))
    _secret(directory / "secrets" / "web", secrets.token_urlsafe(48))
    _make_keys(config)
    here = Installation(config)
    here.stores.migrate()
    here.stores.log.bind_origin(origin)
    if not config.trust_path.exists():
        _make_contracts(config, here)
    code = None
    if here.stores.portal.user(SUPERVISOR) is None:
        account, code = new_account(SUPERVISOR)
        if here.desk_keys.path(SUPERVISOR).exists():
            # From now on nobody but the person opens it.
            try:
                here.desk_keys.rekey(SUPERVISOR, config.passphrase(), code)
            except DeskError:
                # An earlier run died between this and the next line: that code is lost, and the key with it.
                here.desk_keys.path(SUPERVISOR).unlink()
        here.stores.portal.save_user(account)
    here.stores.close()
    return code


def _secret(path: Path, text: str) -> None:
    if path.exists():
        return
    make_directory(path.parent, 0o700)
    write_whole(path, text.encode() + b"\n", replace=False)


def _make_keys(config: Config) -> None:
    passphrase, keys = config.passphrase(), config.keys_dir
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (PLATFORM_KEY, LOG_KEY, RECEIPT_KEY):
        if not (keys / name).exists():
            create_key(keys / name, "Ed25519", passphrase)
    if not (keys / LOOKUP_KEY).exists():
        create_lookup_key(keys / LOOKUP_KEY, passphrase)
    for name in (DEPLOYER_ACCOUNT, SUBMITTER_ACCOUNT, AUTHORITY_ACCOUNT):
        if not (keys / name).exists():
            create_account(keys / name, passphrase)


def _make_contracts(config: Config, here: Installation) -> None:
    """Deploy, write the trust file last: while it is missing, `make` runs this again, and deploy goes on."""
    node = None
    endpoints = config.chain.endpoints
    if config.chain.embedded:
        node = EmbeddedNode(find_configured_anvil(config), chain_dir(config))
        node.start()
        endpoints = (node.url,)
    try:
        passphrase, keys = config.passphrase(), config.keys_dir
        accounts = {
            name: load_account(keys / name, passphrase)
            for name in (DEPLOYER_ACCOUNT, SUBMITTER_ACCOUNT, AUTHORITY_ACCOUNT)
        }
        chain_settings_ = chain_settings(config)
        trusted = deploy(
            Rpc(endpoints),
            origin=config.origin,
            deployer=accounts[DEPLOYER_ACCOUNT],
            submitter=accounts[SUBMITTER_ACCOUNT].address,
            authorities=[accounts[AUTHORITY_ACCOUNT].address],
            journal=here.stores.anchor,
            settings=chain_settings_,
            kind=config.chain.kind,
        )
        trust = make_trust(
            origin=config.origin,
            log_vkeys=[_vkey(config, LOG_KEY, config.origin)],
            receipt_vkeys=[_vkey(config, RECEIPT_KEY, receipt_key_name(config.origin))],
            chains=[trusted],
        )
        platform = load_signer(keys / PLATFORM_KEY, passphrase)
        enrolment = Enrolment(platform.keyid, platform.spki, config.issuer, "", Role.PLATFORM)
        save_enrolment(config.enrolments_dir, config.origin, enrolment)
        from ledger.adapters.chain.evm import EvmChain  # noqa: PLC0415 - only a new installation needs it

        chain = EvmChain(
            endpoints,
            trusted,
            config.origin,
            settings=chain_settings_,
            account=accounts[AUTHORITY_ACCOUNT],
            journal=here.stores.anchor,
        )
        supervisor = _desk_key(config, here)
        named = Enrolment(supervisor.keyid, supervisor.spki, SUPERVISOR, "", Role.SUPERVISOR)
        save_enrolment(config.enrolments_dir, config.origin, named)
        for granted in (enrolment, named):
            try:
                EvmAuthority(chain).enrol(granted.keyid, granted.holder, granted.scope, int(granted.role))
            except ChainRevertedError as error:
                if error.reason != "GrantExists":
                    raise
        write_whole(config.trust_path, trust, mode=PUBLIC)
    finally:
        if node is not None:
            node.stop()


def _desk_key(config: Config, here: Installation) -> FileSigner:
    """The supervisor's key, under this installation's passphrase until there is a one-time code."""
    path = here.desk_keys.path(SUPERVISOR)
    if not path.exists():
        make_directory(path.parent, 0o700)
        create_key(path, "Ed25519", config.passphrase())
    return load_signer(path, config.passphrase())


def _vkey(config: Config, key: str, name: str) -> str:
    signer = load_signer(config.keys_dir / key, config.passphrase())
    return VerifierKey(name, load_public_key(signer.spki)).to_vkey()
