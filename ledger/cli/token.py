"""`hazledger token`: who may read over HTTP. A token is shown once; only its hash is kept."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.compose import Installation, open_installation, state_option, wall_clock_ms
from ledger.cli.moments import local
from ledger.core.ids import check_credit_code
from webapp.auth import Role, new_token

DAY_MS = 86_400_000


@click.group()
def token() -> None:
    """Make, list and revoke tokens for reading over HTTP.

    \b
    hazledger token new --role auditor --days 30
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/tile/entries/000
    """


@token.command()
@state_option
@click.option("--role", type=click.Choice(["enterprise", "auditor", "supervisor"]), required=True)
@click.option("--holder", default=None, help="Credit code; needed for an enterprise, which sees only its own records.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="Days until it expires.")
def new(state: Path | None, role: Role, holder: str | None, days: int) -> None:
    """Make a token and print it, once.

    \b
    Exit code: 0 made, 2 usage or settings.

    \b
    Example:
      hazledger token new --role auditor --days 30 > auditor.token
    """
    if (role == "enterprise") != (holder is not None):
        raise click.UsageError("--holder goes with --role enterprise, and is needed there")
    if holder is not None:
        try:
            check_credit_code(holder)
        except ValueError as error:
            raise click.BadParameter(f"{error}", param_hint="--holder") from error
    here = open_installation(state)
    click.echo(make_token(here, role, holder, days))


def make_token(here: Installation, role: Role, holder: str | None, days: int) -> str:
    """A new token's text: 256 bits. Kept is its SHA-256 only."""
    text, digest, row = new_token(role, holder, wall_clock_ms(), days * DAY_MS)
    here.stores.portal.save_token(digest, row)
    return text


@token.command("list")
@state_option
def list_(state: Path | None) -> None:
    """All tokens, with their ids and ends; never the tokens themselves.

    \b
    Exit code: 0 shown, 2 usage or settings.

    \b
    Example:
      hazledger token list
    """
    here = open_installation(state)
    for row in here.stores.portal.tokens():
        status = "revoked" if row.revoked_ms else f"until {local(row.expires_ms, here.zone())}"
        click.echo(f"{row.token_id}  {row.role:<10}  {row.holder or '-':<18}  {status}")


@token.command()
@state_option
@click.argument("token_id")
def revoke(state: Path | None, token_id: str) -> None:
    """End a token at once, by its id from `token list`.

    \b
    Exit code: 0 it is over, 2 usage, settings, or no such token.

    \b
    Example:
      hazledger token revoke 3f1c22ab
    """
    here = open_installation(state)
    if token_id not in {row.token_id for row in here.stores.portal.tokens()}:
        raise click.BadParameter("no such token; see `hazledger token list`", param_hint="TOKEN_ID")
    here.stores.portal.revoke_token(token_id, wall_clock_ms())
    click.echo(f"revoked {token_id}")
