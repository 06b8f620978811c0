"""What commands share: options, openings, files and JSON. Imports no more than `verify bundle` needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.core import strictjson
from ledger.core.trust import MAX_TRUST_BYTES, TrustFile, parse_trust
from ledger.core.verification.verdict import EXIT_UNREACHABLE, EXIT_USAGE
from ledger.errors import ChainError, LedgerError, MalformedRecordError

if TYPE_CHECKING:
    from ledger.cli.rpc import RpcChainView

WITHIN_S = 45.0
"""For one whole answer of an endpoint or a mirror, however it drips."""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

trust_option = click.option(
    "--trust", "trust_path", type=FILE, required=True, help="The trust file that the authority handed out."
)
rpc_option = click.option(
    "--rpc",
    metavar="URL",
    help="A chain endpoint that you trust; its newest final block answers checks 4, 9 and 10.",
)
depth_option = click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Take the newest block minus N as final; 0 on QBFT, where each block is final.",
)
timeout_option = click.option(
    "--timeout",
    "within_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.0, min_open=True),
    default=WITHIN_S,
    show_default=True,
    help="How long an endpoint or a mirror has for one whole answer; raise it on a slow line.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")


def print_json(document: Any) -> None:
    """One JSON object, for people and machines."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def counted(count: int, noun: str, *, none: str = "0", lang: str = "en") -> str:
    """A number of things as people say it: `0 files` (or `no files`), `1 file`, `1,200 files`.

    In Chinese the number alone: its measure word stands in the sentence around it.
    """
    number = f"{count:,}" if count else none
    return number if lang == "zh" else f"{number} {noun}{'' if count == 1 else 's'}"


def read_at_most(file: Path, most: int) -> bytes:
    """The file, but no more of it than tells that it is too large: it comes from whoever is being checked."""
    with file.open("rb") as stream:
        return stream.read(most + 1)


def read_evidence(context: click.Context, path: Path, most: int, what: str) -> bytes:
    """What is to be checked, or exit 2 where an answer that refused it (RFC 9457) was saved in its place.

    Such an answer says nothing of the record, so it must not come out as a check that failed.
    """
    data = read_at_most(path, most)
    try:
        answer = strictjson.loads(data)
    except MalformedRecordError:
        answer = None
    if isinstance(answer, dict) and str(answer.get("type")).startswith("urn:hazledger:"):
        title, status = str(answer.get("title"))[:100], answer.get("status")
        said = f"{title!r} (status {status})" if isinstance(status, int) else repr(title)
        click.echo(f"error: {path} is not a {what} but an error answer: {said}. Fetch the {what} again.", err=True)
        context.exit(EXIT_USAGE)
    return data


MAX_SECRET_BYTES = 4096


def read_secret(file: Path) -> str:
    """A passphrase, password or token from its file, without the one line end. UsageError for what can be none of them."""
    data = read_at_most(file, MAX_SECRET_BYTES)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise click.UsageError(f"{file} is no text in UTF-8") from None
    if len(data) > MAX_SECRET_BYTES:
        raise click.UsageError(f"{file} is longer than a passphrase or a token can be")
    return text.removesuffix("\n").removesuffix("\r")


def read_token(path: Path | None) -> str:
    """The token in the file; UsageError without one."""
    text = read_secret(path).strip() if path else ""
    if not text:
        raise click.UsageError("give --token-file: reading needs a token")
    if not text.isascii() or not text.isprintable():
        raise click.UsageError(f"{path} holds no token")
    return text


def read_trust(context: click.Context, path: Path) -> TrustFile:
    """The trust file, or exit 2 saying what is wrong with it."""
    try:
        return parse_trust(read_at_most(path, MAX_TRUST_BYTES))
    except LedgerError as error:
        click.echo(f"error: {path}: {error.detail}\nAsk the authority for the trust file again.", err=True)
        context.exit(EXIT_USAGE)


def open_chain(context: click.Context, url: str | None, depth: int, within_s: float) -> RpcChainView | None:
    """The endpoint of --rpc, not yet asked anything; exit 2 when it is no address."""
    if url is None:
        return None
    # urllib.request takes a tenth of the whole start, and most verifications are offline.
    from ledger.cli.rpc import RpcChainView  # noqa: PLC0415

    try:
        return RpcChainView(url, depth=depth, within_s=within_s)
    except ChainError as error:
        click.echo(f"error: {error.detail}", err=True)
        context.exit(EXIT_USAGE)


def exit_unreachable(context: click.Context, detail: str) -> None:
    """Say which source did not answer, and exit 4."""
    click.echo(f"error: {detail}\nTry again, or name another source.", err=True)
    context.exit(EXIT_UNREACHABLE)
