"""`hazledger supervisor`: the way back in when the one-time code or the password of the supervisor's account is lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from ledger.adapters.files import make_directory, sync_directory
from ledger.adapters.keystore.signing import create_key, public_key_of
from ledger.cli.compose import Installation, open_installation, state_option, wall_clock_ms
from ledger.cli.init import SUPERVISOR
from ledger.core.grants import grant_id
from ledger.core.keys import load_public_key
from ledger.errors import ConfigError, DeskError, OverloadedError, StoreError
from ledger.model import NEVER, Role
from webapp.passwords import new_account

_KEYID_SHOWN = 16


@dataclass(frozen=True, slots=True)
class NewAccess:
    """What a reset made, and what it leaves for the authority to do."""

    code: str
    key: Path
    old_key: Path | None
    """Where the old key file lies now; None when there was none."""
    old_grants: tuple[str, ...]
    """Grants of earlier keys of this name that nobody has ended, hex."""
    wiped: bool
    """False when the sequencer did not answer, so that nobody can tell whether it still holds the old key open."""


@click.group()
def supervisor() -> None:
    """Give the supervisor a way back in.

    \b
    hazledger supervisor reset        (the one-time code or the password is lost)
    """


@supervisor.command()
@state_option
@click.option("--name", default=SUPERVISOR, show_default=True, help="User name of the account.")
def reset(state: Path | None, name: str) -> None:
    """Make a new one-time code for the account, and a new signing key; all its sessions end.

    The old signing key is encrypted under the lost password, and nobody can open it without. So a new one is made under
    the code, which the authority must enrol before the supervisor can sign again: acknowledge, order, close. Reading needs no
    key. What the old key has signed stays valid. The reset stands in the access log.

    \b
    Example:  hazledger supervisor reset --state /srv/hazledger

    Exit code: 0 done, 2 usage, settings, or no such account.
    """
    made = renew(open_installation(state), name)
    click.echo(f"supervisor's account: user name {name}, one-time code {made.code} (shown only now)")
    click.echo("the old password no longer counts, and all sessions of the account have ended")
    if not made.wiped:
        click.echo("the sequencer did not answer: if it runs, it closes the old key once that is idle for 15 minutes")
    if made.old_key is not None:
        click.echo(f"the old signing key opens with the lost password only; its file is now {made.old_key}")
    click.echo("a new signing key was made under the code. It signs nothing before the authority has enrolled it:")
    click.echo(f"  hazledger authority enrol --key {made.key} --holder {name} --role supervisor")
    if made.old_grants:
        click.echo("and has ended the earlier ones, with which somebody who knows their password could still sign:")
    for g in made.old_grants:
        click.echo(f"  hazledger authority revoke {g}")


def renew(here: Installation, name: str) -> NewAccess:
    """A new code and a new key for the account `name`. Broken off, it can be made again: the next code counts.

    Raises: ConfigError when there is no such account; StoreError.
    """
    portal = here.stores.portal
    if portal.user(name) is None:
        raise ConfigError(f"there is no account {name!r}; `hazledger init` makes {SUPERVISOR!r}")
    # First of all: whatever becomes of the rest, that somebody began it is known.
    portal.log_access("cli:operator", "account-reset", name, wall_clock_ms())
    account, code = new_account(name)
    path = here.desk_keys.path(name)
    old_key = _set_aside(path)
    make_directory(path.parent, 0o700)
    new = create_key(path, "Ed25519", code)
    wiped = _wipe(here, name, code)
    portal.save_user(account)
    portal.revoke_sessions_of(name)
    old_grants = _still_granted(here, name, but=new.keyid)
    here.stores.close()
    return NewAccess(code, path, old_key, old_grants, wiped)


def _set_aside(path: Path) -> Path | None:
    """Move the old key file away and never delete it: the password may be remembered, the code found."""
    if not path.exists():
        return None
    keyid = load_public_key(public_key_of(path)).keyid
    aside = path.with_name(f"{path.stem}.{keyid[:_KEYID_SHOWN]}.key.old")
    path.rename(aside)
    sync_directory(path.parent)
    return aside


def _still_granted(here: Installation, name: str, *, but: str) -> tuple[str, ...]:
    """What the authority enrolled for this name and has not ended. Not asked of the key file that lay here: a reset that was
    broken off has moved it away already, and its grant still counts.
    """
    ended = {grant.g for grant in here.stores.log.grants() if grant.revoked_at != NEVER}
    granted = (
        grant_id(here.config.origin, e.keyid, e.holder, e.scope, int(e.role)).hex()
        for e in here.enrolments.all()
        if e.holder == name and e.role is Role.SUPERVISOR and e.keyid != but
    )
    return tuple(g for g in granted if g not in ended)


def _wipe(here: Installation, name: str, code: str) -> bool:
    """Have the sequencer forget what it holds open of `name`: it does so for a change of password, also for this one, which
    changes nothing in the file.
    """
    try:
        here.appender.rekey(name, code, code)
    except (DeskError, OverloadedError, StoreError):
        return False
    return True
