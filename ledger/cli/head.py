"""`hazledger head`: where a book stands, for a client that lost its state."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ledger.cli.common import read_token
from ledger.client.http import AnswerError, Client, UnreachableError
from ledger.client.push import ask_head

EXIT_REFUSED, EXIT_UNREACHABLE = 1, 4

token_option = click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with your reading token (`hazledger token new --role enterprise` makes one).",
)


@click.command()
@click.option("--url", required=True, help="The platform, such as https://ledger.county.example.")
@click.option("--enterprise", required=True, help="Credit code, or an issuer's name.")
@click.option("--site", required=True)
@click.option("--book", required=True)
@token_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def head(url: str, enterprise: str, site: str, book: str, token_file: Path | None, *, as_json: bool) -> None:
    """Ask where a book stands: its last seq and record_id. The next record continues exactly there.

    \b
    Example:  hazledger head --url http://127.0.0.1:8080 --enterprise 91990000DEM0000017 \\
                  --site S1 --book tank1 --token-file token.txt

    \b
    Exit codes: 0 answered, 1 refused (token, another holder's book), 2 usage, 4 unreachable.
    """
    client = Client(url)
    try:
        found, closed = ask_head(client, (enterprise, site, book), read_token(token_file))
    except UnreachableError as error:
        click.echo(f"error: {error.detail}", err=True)
        sys.exit(EXIT_UNREACHABLE)
    except AnswerError as error:
        click.echo(f"error: {error.detail}", err=True)
        sys.exit(EXIT_REFUSED)
    finally:
        client.close()
    if as_json:
        click.echo(json.dumps({"seq": found.seq, "record_id": found.record_id, "closed": closed}))
        return
    if found.seq == 0:
        click.echo(f"{site}/{book} has no record yet: the next is seq 1, prev null")
        return
    click.echo(f"seq        {found.seq}\nrecord_id  {found.record_id}")
    click.echo("final      nothing follows in this book" if closed else f"next       seq {found.seq + 1}")
