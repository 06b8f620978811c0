"""`hazledger key`: signing keys, made and kept where the signer is. Only the public half ever leaves."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.adapters.keystore.signing import create_key, public_key_of
from ledger.cli.common import read_secret
from ledger.core.encoding import b64_encode
from ledger.core.keys import ED25519, ES256, load_public_key

MIN_PASSPHRASE = 12
"""Below it a stolen file is opened in days, scrypt or not."""

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the passphrase, its own line end removed. Without it you are asked.",
)


@click.group()
def key() -> None:
    """Make and show signing keys. An enterprise's key is made by the enterprise and known to nobody else.

    \b
    hazledger key new --out acme.key
    hazledger key show acme.key          (hand what it prints to the authority, which enrols it)
    """


@key.command()
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to make, mode 0600."
)
@click.option(
    "--algorithm",
    type=click.Choice([ES256, ED25519]),
    default=ES256,
    show_default=True,
    help="ES256 is P-256 and known to every signing library and token.",
)
@passphrase_option
def new(out: Path, algorithm: str, passphrase_file: Path | None) -> None:
    """Make a key, encrypted under a passphrase. An existing file is never overwritten.

    Without the passphrase the key is lost: then make a new one and have it enrolled.

    \b
    Example:  hazledger key new --out acme.key --passphrase-file passphrase

    Exit code: 0 made, 2 usage, or the file is there already.
    """
    signer = create_key(out, algorithm, read_passphrase(passphrase_file, f"Passphrase for {out}", confirm=True))
    click.echo(f"made {out} ({signer.algorithm})")
    _show(signer.spki)


@key.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def show(file: Path) -> None:
    """Print the public half of FILE: what the authority needs to enrol it. Asks for no passphrase.

    \b
    Example:  hazledger key show acme.key

    Exit code: 0 shown, 2 usage, or no key file.
    """
    _show(public_key_of(file))


def read_passphrase(path: Path | None, prompt: str, *, confirm: bool = False) -> str:
    """From the file, or asked for. UsageError for a new one that protects nothing."""
    if path is not None:
        text = read_secret(path)
    else:
        text = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    if confirm and len(text) < MIN_PASSPHRASE:
        raise click.UsageError(f"the passphrase has fewer than {MIN_PASSPHRASE} characters")
    return text


def _show(spki: bytes) -> None:
    public = load_public_key(spki)
    click.echo(f"algorithm  {public.algorithm}")
    click.echo(f"keyid      {public.keyid}")
    click.echo(f"spki       {b64_encode(spki)}")
