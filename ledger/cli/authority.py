"""`hazledger authority`: the authority's hand on the KeyRegistry contract. The platform's operator cannot do this."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.adapters.enrolments import save_enrolment
from ledger.adapters.keystore.signing import public_key_of
from ledger.cli.compose import AUTHORITY_ACCOUNT, Installation, open_installation, state_option
from ledger.core.encoding import b64_decode
from ledger.core.grants import check_scope, grant_id
from ledger.core.ids import check_credit_code, check_issuer
from ledger.core.keys import load_public_key
from ledger.errors import ChainRevertedError, ConfigError
from ledger.model import NEVER, Enrolment, Role, TreeSize

if TYPE_CHECKING:
    from ledger.adapters.chain.authority import EvmAuthority

MIN_PREFIX = 6
_SHOWN = 16
_MOST_NAMED = 3
_ROLES = {role.name.lower(): role for role in Role}


@click.group()
def authority() -> None:
    """Enrol and revoke keys, with the authority's own account on the chain.

    \b
    hazledger authority enrol --key acme.key --holder 91320100MA1P0000XX
    hazledger authority list
    hazledger authority revoke GRANT
    """


@authority.command()
@state_option
@click.option("--key", required=True, help="A key file (its public half is read), or the base64 of an SPKI.")
@click.option("--holder", required=True, help="Credit code of the enterprise, or an issuer's name.")
@click.option("--scope", default="", help='What the key may sign for: "site/book", "site/", or nothing for all.')
@click.option("--role", type=click.Choice(list(_ROLES)), default="enterprise", show_default=True)
def enrol(state: Path | None, key: str, holder: str, scope: str, role: str) -> None:
    """Grant KEY the right to sign for HOLDER; usable within seconds of being final on the chain.

    \b
    Exit code: 0 granted, 1 this grant stands on the chain already, 2 usage, settings, or the chain refuses.

    \b
    Example:
      hazledger authority enrol --key acme.key --holder 91320100MA1P00001W --scope S1/
    """
    spki = _spki(key)
    # What the registry has once taken stands there for ever, and the log could not carry it.
    _checked("--holder", check_credit_code if role == "enterprise" else check_issuer, holder)
    _checked("--scope", check_scope, scope)
    here = open_installation(state)
    enrolment = Enrolment(load_public_key(spki).keyid, spki, holder, scope, _ROLES[role])
    save_enrolment(here.config.enrolments_dir, here.config.origin, enrolment)
    try:
        g, at = _authority(here).enrol(enrolment.keyid, holder, scope, int(enrolment.role))
    except ChainRevertedError as error:
        if error.reason != "GrantExists":
            raise
        click.echo("this grant stands on the chain already; a revoked one is never renewed: make a new key", err=True)
        sys.exit(1)
    click.echo(f"granted {g.hex()}: key {enrolment.keyid} may sign as {role} for {holder} from index {at}")


@authority.command()
@state_option
@click.argument("grant")
@click.option(
    "--at",
    type=click.IntRange(0, 2**48 - 1),
    default=None,
    help="Tree size from which it no longer counts [default: now].",
)
def revoke(state: Path | None, grant: str, at: int | None) -> None:
    """End GRANT, named by its 64 hex digits or by the first six or more (`authority list` shows them). What was logged at or
    above --at no longer counts.

    Exit code: 0 ended, 2 usage, settings, or the contract refuses.

    \b
    Example:
      hazledger authority revoke 6465b35a
    """
    here = open_installation(state)
    g = _grant(here, grant)
    size = TreeSize(at) if at is not None else here.stores.log.size()
    try:
        _authority(here).revoke(g, size)
    except ChainRevertedError as error:
        raise ConfigError(
            f"the contract refuses: {error.reason}; no such grant, or it ended earlier already"
        ) from error
    click.echo(f"revoked {g.hex()} at size {size}")


@authority.command("list")
@state_option
def list_(state: Path | None) -> None:
    """All grants that the platform knows of: GRANT, role, holder, scope, key, and from where to where they count.

    \b
    Exit code: 0 shown, 2 usage or settings.

    \b
    Example:
      hazledger authority list --state /srv/hazledger
    """
    here = open_installation(state)
    enrolments = here.enrolments.all()
    mirrored = {grant.g: grant for grant in here.stores.log.grants()}
    for e in enrolments:
        g = _grant_id(here, e)
        known = mirrored.get(g)
        span = "not final on the chain yet"
        if known is not None:
            end = "open" if known.revoked_at == NEVER else str(known.revoked_at)
            span = f"index {known.enrolled_at} to {end}"
        click.echo(
            f"{g}  {e.role.name.lower():<10}  {e.holder:<18}  {e.scope or 'all':<12}  key {e.keyid[:16]}…  {span}"
        )
    click.echo(f"{len(enrolments)} grants", err=True)


def _grant(here: Installation, text: str) -> bytes:
    """The grant of these 64 hex digits, or the only one that the platform knows of and that begins so.

    A whole id is believed: the chain may hold a grant whose words this platform has lost.
    """
    text = text.strip().lower()
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_PREFIX},64}}", text):
        raise click.BadParameter(
            f"{MIN_PREFIX} to 64 hex digits, as `hazledger authority list` prints them", param_hint="GRANT"
        )
    if len(text) == 64:
        return bytes.fromhex(text)
    ids = {_grant_id(here, e) for e in here.enrolments.all()} | {grant.g for grant in here.stores.log.grants()}
    found = sorted(g for g in ids if g.startswith(text))
    if len(found) == 1:
        return bytes.fromhex(found[0])
    if not found:
        raise click.BadParameter(
            f"no grant begins with {text}; `hazledger authority list` shows them", param_hint="GRANT"
        )
    named = ", ".join(f"{g[:_SHOWN]}…" for g in found[:_MOST_NAMED]) + (", …" if len(found) > _MOST_NAMED else "")
    raise click.BadParameter(f"{len(found)} grants begin with {text}: {named}; give more digits", param_hint="GRANT")


def _grant_id(here: Installation, e: Enrolment) -> str:
    return grant_id(here.config.origin, e.keyid, e.holder, e.scope, int(e.role)).hex()


def _authority(here: Installation) -> EvmAuthority:
    from ledger.adapters.chain.authority import EvmAuthority  # noqa: PLC0415 - web3; `list` does without

    return EvmAuthority(here.chain(account=here.account(AUTHORITY_ACCOUNT), journal=here.stores.anchor))


def _checked(option: str, check: Callable[[str], None], value: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint=option) from error


def _spki(key: str) -> bytes:
    path = Path(key)
    try:
        spki = public_key_of(path) if path.exists() else b64_decode(key)
        load_public_key(spki)
    except ValueError as error:
        raise click.BadParameter(
            f"neither a key file nor the base64 of a public key: {error}", param_hint="--key"
        ) from error
    return spki
