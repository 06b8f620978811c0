"""`hazledger trust`: look at a trust file, pin a block in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.adapters.files import PUBLIC, write_whole
from ledger.cli.common import read_at_most
from ledger.cli.rpc import RpcChainView
from ledger.core.trust import MAX_TRUST_BYTES, TrustFile, encode_trust, parse_trust
from ledger.errors import ConfigError

if TYPE_CHECKING:
    from ledger.core.trie import Header


@click.group()
def trust() -> None:
    """Show the trust file, or pin a block in it so that bundles verify without any chain.

    \b
    hazledger trust show trust.json
    hazledger trust pin trust.json --rpc http://127.0.0.1:8545 --bundle RECORD.hzb.json
    """


@trust.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def show(file: Path) -> None:
    """What FILE makes a verifier believe, and its SHA-256, to compare with the printed one.

    \b
    Exit code: 0 shown, 2 usage, or no trust file.

    \b
    Example:
      hazledger trust show county/trust.json
    """
    trusted = parse_trust(read_at_most(file, MAX_TRUST_BYTES))
    click.echo(f"trust file {file}, SHA-256 {trusted.digest.hex()}")
    click.echo(f"origin       {trusted.origin}")
    for key in trusted.log_keys:
        click.echo(f"log key      {key.verifier.to_vkey()}  sizes {_span(key.from_size, key.to_size)}")
    for receipt_key in trusted.receipt_keys:
        click.echo(f"receipt key  {receipt_key.to_vkey()}")
    for chain in trusted.chains:
        click.echo(
            f"chain        {chain.kind}, id {chain.chain_id}, genesis 0x{chain.genesis.hex()}, sizes {_span(chain.sizes.start, chain.sizes.end)}"
        )
        click.echo(
            f"  CheckpointLog 0x{chain.checkpoint_log.address.hex()}  code 0x{chain.checkpoint_log.code_hash.hex()}"
        )
        click.echo(f"  KeyRegistry   0x{chain.key_registry.address.hex()}  code 0x{chain.key_registry.code_hash.hex()}")
        for address in chain.authorities:
            click.echo(f"  authority     0x{address.hex()}")
        for block in chain.pinned:
            click.echo(f"  pinned block  {block.number}  0x{block.hash.hex()}")
        if chain.kind == "development":
            click.echo("  a development chain: whoever reaches its port can rewrite it; it proves nothing to a court")


@trust.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--rpc", required=True, help="A chain endpoint that you trust for this.")
@click.option("--block", type=click.IntRange(min=0), default=None, help="Number of the block to pin.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Pin the block of this bundle's header.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Write here [default: FILE itself]."
)
def pin(file: Path, rpc: str, block: int | None, bundle: Path | None, out: Path | None) -> None:
    """Put a block's hash, as the endpoint has it, into FILE. Bundles under that block then verify with --offline.

    \b
    Exit code: 0 pinned, 2 usage, another chain, or the endpoint did not answer.

    \b
    Example:
      hazledger trust pin trust.json --rpc http://127.0.0.1:8545 --bundle 3f9a….hzb.json
    """
    if (block is None) == (bundle is None):
        raise click.UsageError("say which block: either --block NUMBER or --bundle FILE")
    trusted = parse_trust(read_at_most(file, MAX_TRUST_BYTES))
    view = RpcChainView(rpc)
    chain = trusted.newest_chain()
    if (view.chain_id(), view.genesis_hash()) != (chain.chain_id, chain.genesis):
        raise ConfigError(f"{rpc} is another chain than the trust file's")
    header = _header_of(bundle) if bundle is not None else None
    number = header.number if header is not None else block or 0
    found = view.block_hash(number)
    if found is None:
        raise ConfigError(f"the chain has no block {number} (yet)")
    # Every development chain of ours has one genesis: two of them differ only in the blocks above it.
    if header is not None and found not in (header.hash, header.qbft_hash):
        raise ConfigError(
            f"{rpc} has another block {number} (0x{found.hex()}) than the bundle names (0x{header.hash.hex()}): "
            "it is another chain or one made anew, or the bundle was altered. Nothing was pinned"
        )
    pinned: TrustFile = trusted.with_pinned(number, found)
    target = out or file
    write_whole(target, encode_trust(pinned), mode=PUBLIC)
    click.echo(
        f"pinned block {number} 0x{found.hex()} in {target}; SHA-256 is now {parse_trust(target.read_bytes()).digest.hex()}"
    )


def _header_of(bundle: Path) -> Header:
    from ledger.core.bundle import MAX_BUNDLE_BYTES, parse_bundle  # noqa: PLC0415 - only with --bundle
    from ledger.core.trie import parse_header  # noqa: PLC0415

    try:
        return parse_header(parse_bundle(read_at_most(bundle, MAX_BUNDLE_BYTES)).header)
    except ValueError as error:
        raise ConfigError(f"the bundle's block header cannot be read: {error}") from error


def _span(start: int, end: int | None) -> str:
    return f"{start} to {'open' if end is None else end}"
