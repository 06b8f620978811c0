"""How a step of an alert is signed from the command line: who signs, for how long, and what is said of it afterwards."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ledger.cli.alertlines import UNIT_MS, find_alert
from ledger.cli.common import json_option, print_json, read_secret
from ledger.cli.compose import open_installation, state_option, wall_clock_ms
from ledger.core.record import read_instant
from ledger.core.schemas import schema
from ledger.core.times import format_utc
from ledger.errors import LedgerError, StaleError, TransitionError
from ledger.handling import Act, Done, Handler, unlock_key
from ledger.model import UnixMs

if TYPE_CHECKING:
    from ledger.cli.compose import Installation

SUPERVISOR = "supervisor"
EXIT_REFUSED = 1
_WORD = re.compile(schema("_common")["$defs"]["word"]["pattern"])
_FOR = re.compile(r"([1-9][0-9]{0,4})([mhd])")


class CodeWord(click.ParamType[str]):
    """A code word of the records: said here, by the option's name, and not only by the record's schema."""

    name = "word"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word itself."""
        if not _WORD.fullmatch(value):
            self.fail(
                f"{value!r} is no code word: 1 to 32 lower-case letters, digits, hyphens or underscores, a letter first, no "
                "spaces, such as awaiting-lab; a sentence goes into --text",
                param,
                ctx,
            )
        return value


alerts_argument = click.argument("alert", nargs=-1, required=True)


def acting(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that signs."""
    for option in (
        json_option,
        click.option("--text", default="", help="A remark; kept as a disclosure that can be erased."),
        click.option("--version", "turn", type=int, help="Act only if the alert is still at this version."),
        click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="A file with the supervisor's password; without it you are asked."),
        click.option("--as", "name", default=SUPERVISOR, show_default=True, help="Whose key signs."),
        state_option,
    ):  # fmt: skip
        command = option(command)
    return command


def act_on(given: dict[str, Any], act: Act) -> None:
    """Do one step on the alerts that were named, and say what came of it. `given`: the options and the argument."""
    with signing(given) as (handler, session, wanted):
        done = handler.act(session, wanted, act)
    answer(given, done, {})


@contextmanager
def signing(given: dict[str, Any]) -> Iterator[tuple[Handler, str, list[tuple[str, int | None]]]]:
    """A handler, the session that the password unlocked, and the alerts that were named. The key is locked again after."""
    here = open_installation(given["state"])
    wanted = [(find_alert(here.stores.engine, text).alert_id, given["turn"]) for text in given["alert"]]
    session = f"cli:{secrets.token_hex(16)}"
    name, account = given["name"], here.stores.portal.user(given["name"])
    unlock_key(here.appender, account, session, name, _password(given["password_file"], name))
    try:
        yield Handler(here.stores.engine, here.appender, wall_clock_ms), session, wanted
    except (TransitionError, StaleError) as error:
        _refused(error, as_json=given["as_json"])
    finally:
        here.appender.lock(session)
        _log(here, given["name"], [alert_id for alert_id, _ in wanted])


def _log(here: Installation, name: str, alert_ids: Sequence[str]) -> None:
    """The watcher is watched: what is done on the command line stands in the access log too."""
    act = click.get_current_context().info_name or ""
    for alert_id in alert_ids or [""]:
        here.stores.portal.log_access(f"cli:{name}", f"alerts-{act}", alert_id, wall_clock_ms())


def _password(file: Path | None, name: str) -> str:
    if file is not None:
        return read_secret(file)
    password: str = click.prompt(f"password of {name}", hide_input=True, err=True)
    return password


def _refused(error: LedgerError, *, as_json: bool) -> NoReturn:
    ways = list(getattr(error, "possible", ()))
    if as_json:
        print_json({"results": [], "error": {"code": error.code, "detail": error.detail, "possible": ways}})
    else:
        click.echo(f"refused: {error.detail} [{error.code}]", err=True)
    sys.exit(EXIT_REFUSED)


def answer(given: dict[str, Any], done: Sequence[Done], more: dict[str, Any]) -> None:
    """Print what came of each alert, and `more` before it. Exits with EXIT_REFUSED where one was refused."""
    if given["as_json"]:
        print_json(more | {"results": [_result(one) for one in done]})
    else:
        for name, value in more.items():
            click.echo(f"{name} {value}")
        for one in done:
            if one.error is not None:
                click.echo(f"{one.alert_id[:12]}  refused: {one.error.detail} [{one.error.code}]", err=True)
            elif one.life is None:
                click.echo(f"{one.alert_id[:12]}  signed as {one.record_id}; the engine has not come so far yet")
            else:
                click.echo(
                    f"{one.alert_id[:12]}  {one.life.status} (version {one.life.turn}), signed as {one.record_id}"
                )
    if any(one.error for one in done):
        sys.exit(EXIT_REFUSED)


def _result(done: Done) -> dict[str, Any]:
    error = done.error
    return {
        "alert_id": done.alert_id,
        "record_id": done.record_id,
        "status": None if done.life is None else done.life.status,
        "version": None if done.life is None else done.life.turn,
        "error": None
        if error is None
        else {"code": error.code, "detail": error.detail, "possible": list(getattr(error, "possible", ()))},
    }


def until_given(text: str, option: str = "--until") -> str:
    """A time as it was given, or so long from now."""
    found = _FOR.fullmatch(text)
    if found is not None:
        return format_utc(UnixMs(wall_clock_ms() + int(found[1]) * UNIT_MS[found[2]]))
    try:
        read_instant(text)
    except ValueError:
        raise click.BadParameter("say 12h, 3d, or a time as 2026-12-01T08:00:00+08:00", param_hint=option) from None
    return text


def evidence_in(paths: Sequence[Path]) -> tuple[dict[str, Any], ...]:
    """What a transition says of files that stay with the supervisor (formats.md: `evidence`)."""
    return tuple(
        {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "media_type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            "bytes": path.stat().st_size,
            "role": "evidence",
        }
        for path in paths
    )
