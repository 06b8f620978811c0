"""`hazledger verify receipt` and `verify consistency`: was a promise kept, and did the log only grow?"""

from __future__ import annotations

import time
from pathlib import Path

import click

from ledger.cli.common import (
    FILE,
    depth_option,
    exit_unreachable,
    json_option,
    open_chain,
    read_at_most,
    read_evidence,
    read_trust,
    rpc_option,
    timeout_option,
    trust_option,
)
from ledger.cli.mirror import SourceError, open_tiles
from ledger.cli.verify_log import finish, hash_reader, token_of, token_option
from ledger.core.merkle import HashReader
from ledger.core.note import MAX_NOTE_BYTES
from ledger.core.submission import MAX_SUBMISSION_BYTES
from ledger.core.verification.checks import claimed_checkpoint
from ledger.core.verification.consistency import verify_consistency_of
from ledger.core.verification.promise import ReceiptCheck
from ledger.errors import NotFoundError, VerificationError
from ledger.model import UnixMs

tiles_option = click.option("--tiles", "where", metavar="DIR|URL", help="A mirror of the log.")


@click.command("receipt")
@click.argument("file", type=FILE)
@trust_option
@click.option("--envelope", type=FILE, help="The exact envelope that was sent; the entry is rebuilt from it.")
@tiles_option
@rpc_option
@depth_option
@timeout_option
@token_option
@json_option
@click.pass_context
def receipt_command(
    context: click.Context,
    *,
    file: Path,
    trust_path: Path,
    envelope: Path | None,
    where: str | None,
    rpc: str | None,
    depth: int,
    within_s: float,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Check the promise in a receipt FILE: signed by the log, for this record, and kept.

    Run it after the receipt's merge-by. A broken promise writes an evidence file of kind receipt-broken and exits 5.

    \b
    Example:
      hazledger verify receipt 3f9a….receipt --trust trust.json --envelope sent.json \\
          --tiles https://ledger.example --rpc http://127.0.0.1:8545

    \b
    Exit codes as `hazledger verify --help` lists them: 0 proven, 3 pending, 1 a check failed, 5 the operator contradicts itself,
    2 usage, 4 a source did not answer.
    """
    trust = read_trust(context, trust_path)
    check = ReceiptCheck(read_evidence(context, file, MAX_NOTE_BYTES, "receipt"), trust)
    if envelope is not None:
        check.by_envelope(read_at_most(envelope, MAX_SUBMISSION_BYTES))
    if where is not None:
        try:
            source = open_tiles(where, token_of(token_file), within_s)
            note = source.read("checkpoint")
            check.by_mirror(note, hash_reader(source, _claimed_size(note)))
        except (SourceError, NotFoundError) as error:
            exit_unreachable(context, error.detail)
    chain = open_chain(context, rpc, depth, within_s)
    if chain is not None:
        check.by_chain(chain)
    finish(context, check.finish(UnixMs(time.time_ns() // 1_000_000)), as_json)


@click.command("consistency")
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@trust_option
@tiles_option
@timeout_option
@token_option
@json_option
@click.pass_context
def consistency_command(
    context: click.Context,
    *,
    old: Path,
    new: Path,
    trust_path: Path,
    where: str | None,
    within_s: float,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Compare two signed checkpoints OLD and NEW: does the newer tree begin with the older?

    Keep every checkpoint you ever saw; two of them that contradict each other prove that the operator signed two
    histories. Then an evidence file of kind checkpoint-fork is written and the exit code is 5.

    \b
    Example:
      curl -so new.checkpoint https://ledger.example/checkpoint
      hazledger verify consistency old.checkpoint new.checkpoint \\
          --trust trust.json --tiles https://ledger.example

    \b
    Exit codes as `hazledger verify --help` lists them: 0 proven, 3 pending, 1 a check failed, 5 the operator contradicts itself,
    2 usage, 4 a source did not answer.
    """
    trust = read_trust(context, trust_path)
    notes = (
        read_evidence(context, old, MAX_NOTE_BYTES, "checkpoint"),
        read_evidence(context, new, MAX_NOTE_BYTES, "checkpoint"),
    )
    reader: HashReader | None = None
    try:
        if where is not None:
            source = open_tiles(where, token_of(token_file), within_s)
            mirrored = _claimed_size(source.read("checkpoint"))
            reader = hash_reader(source, max(mirrored, *(_claimed_size(note) for note in notes)))
        finish(context, verify_consistency_of(*notes, trust, reader), as_json)
    except (SourceError, NotFoundError) as error:
        exit_unreachable(context, error.detail)


def _claimed_size(note: bytes) -> int:
    """How far to read; what the note is worth is check 8's business."""
    try:
        return claimed_checkpoint(note).size
    except VerificationError:
        return 0
