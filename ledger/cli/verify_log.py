"""`hazledger verify log` and `verify book`: the IO around `ledger.core.verification.audit`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Self

import click

from ledger.adapters.files import PUBLIC, write_whole
from ledger.cli.common import (
    FILE,
    depth_option,
    exit_unreachable,
    json_option,
    open_chain,
    print_json,
    read_token,
    read_trust,
    rpc_option,
    timeout_option,
    trust_option,
)
from ledger.cli.mirror import SourceError, TileSource, open_tiles, read_tile
from ledger.cli.tileworkers import TileWorkers
from ledger.core.tiles import ENTRIES, RECORDS, TILE_WIDTH, TileReader, width_at
from ledger.core.trust import TrustFile
from ledger.core.verification.audit import AuditPlan, conclude, conclude_book, plan_audit, tile_numbers
from ledger.core.verification.leaves import AuditFinding
from ledger.core.verification.outcome import Outcome
from ledger.core.verification.tile import Place, TileTask, check_tile
from ledger.errors import NotFoundError

tiles_option = click.option(
    "--tiles", "where", metavar="DIR|URL", required=True, help="A mirror of the log: a directory, or its address."
)
token_option = click.option(
    "--token-file", type=FILE, help="File with an auditor's token, for a mirror that asks for one."
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    help="Processes that check signatures. Default: one a core.",
)

_PROGRESS_EVERY_S = 1.0


@click.command("log")
@tiles_option
@trust_option
@rpc_option
@depth_option
@timeout_option
@token_option
@jobs_option
@json_option
@click.pass_context
def log_command(
    context: click.Context,
    *,
    where: str,
    trust_path: Path,
    rpc: str | None,
    depth: int,
    within_s: float,
    token_file: Path | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Check every record of a log from its stored bytes.

    Each entry is rebuilt from its envelope, each signature verified, each book followed without a gap, every root
    recomputed over all leaves and compared with the signed checkpoints and, with --rpc, with contract storage. A finding
    names the record's index and record_id and the number of the check.

    \b
    Examples:
      hazledger verify log --tiles ./mirror --trust trust.json
      hazledger verify log --tiles https://ledger.example --token-file token \\
          --trust trust.json --rpc http://127.0.0.1:8545

    \b
    Exit codes as `hazledger verify --help` lists them: 0 proven, 3 pending, 1 a check failed, 5 the operator contradicts itself,
    2 usage, 4 a source did not answer.
    """
    trust = read_trust(context, trust_path)
    plan, source = _planned(context, trust, where, rpc, depth, within_s, token_file, only=None)
    if isinstance(plan, Outcome):
        finish(context, plan, as_json)
    else:
        _run(context, plan, source, jobs)
        finish(context, conclude(plan, plan.audit.finish(), hash_reader(source, plan.size)), as_json)


@click.command("book")
@click.option("--enterprise", "holder", required=True, metavar="CODE", help="Credit code, or an issuer's name.")
@click.option("--site", required=True)
@click.option("--book", required=True)
@tiles_option
@trust_option
@rpc_option
@depth_option
@timeout_option
@token_option
@jobs_option
@json_option
@click.pass_context
def book_command(
    context: click.Context,
    *,
    holder: str,
    site: str,
    book: str,
    where: str,
    trust_path: Path,
    rpc: str | None,
    depth: int,
    within_s: float,
    token_file: Path | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Check one stock book from its first record to a signed checkpoint: gapless, chained, balanced.

    One bundle proves nothing about completeness; this does: it reads every leaf of the log, so no record of the book can
    be left out. Balance lines of stocktakes and closes are compared with the movements; differences are listed.

    \b
    Example:
      hazledger verify book --enterprise 91310000MA1FL0001R --site S1 --book acid \\
          --tiles ./mirror --trust trust.json

    \b
    Exit codes as `hazledger verify --help` lists them: 0 proven, 3 pending, 1 a check failed, 5 the operator contradicts itself,
    2 usage, 4 a source did not answer.
    """
    trust = read_trust(context, trust_path)
    plan, source = _planned(context, trust, where, rpc, depth, within_s, token_file, only=(holder, site, book))
    if isinstance(plan, Outcome):
        finish(context, plan, as_json)
    else:
        _run(context, plan, source, jobs)
        finish(context, conclude_book(plan, plan.audit.finish(), hash_reader(source, plan.size)), as_json)


def finish(context: click.Context, outcome: Outcome, as_json: bool) -> None:
    """Print the outcome, write its evidence beside, exit with its code."""
    lines = outcome.text()
    document = outcome.to_json()
    if outcome.evidence is not None:
        kind = json.loads(outcome.evidence)["kind"]
        path = Path(f"{kind}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json")
        try:
            write_whole(path, outcome.evidence, mode=PUBLIC)
            lines.insert(-1, f"evidence written to {path}: keep it, and send it to the authority")
            document["evidence"] = str(path)
        except OSError as error:
            lines.insert(-1, f"the evidence could not be written ({error}): run this in a folder that can be written")
    if as_json:
        print_json(document)
    else:
        for line in lines:
            click.echo(line)
    context.exit(outcome.exit_code)


def hash_reader(source: TileSource, size: int) -> TileReader:
    """Stored hashes of a mirror's tree of `size` leaves; ValueError (from the reader) for a tile that is missing."""

    def get_tile(level: int, n: int) -> bytes:
        width = width_at(level, n, size)
        if width <= 0:
            raise ValueError(f"no tile {n} at level {level} in a tree of {size}")
        try:
            return read_tile(source, level, n, width)
        except NotFoundError as error:
            raise ValueError(error.detail) from error

    return TileReader(get_tile)


def token_of(path: Path | None) -> str | None:
    """The token in a file. UsageError for what a header cannot carry."""
    return None if path is None else read_token(path)


def _planned(
    context: click.Context,
    trust: TrustFile,
    where: str,
    rpc: str | None,
    depth: int,
    within_s: float,
    token_file: Path | None,
    *,
    only: Place | None,
) -> tuple[AuditPlan | Outcome, TileSource]:
    chain = open_chain(context, rpc, depth, within_s)
    try:
        source = open_tiles(where, token_of(token_file), within_s)

        def stored_tile(level: int, n: int, width: int) -> bytes | None:
            try:
                return read_tile(source, level, n, width)
            except NotFoundError:
                return None

        plan = plan_audit(
            trust,
            chain,
            lambda: source.read("checkpoint"),
            source.older_checkpoints(),
            stored_tile=stored_tile,
            only=only,
            live=source.live,
        )
    except (SourceError, NotFoundError) as error:
        exit_unreachable(context, error.detail)
        raise AssertionError("exit does not return") from error
    return plan, source


def _run(context: click.Context, plan: AuditPlan, source: TileSource, jobs: int) -> None:
    """Read, check and fold every tile; progress on standard error."""
    try:
        with _Progress(plan.size) as progress:
            for found in _folded(plan, source, jobs):
                progress.step(TILE_WIDTH, len(found))
    except SourceError as error:
        exit_unreachable(context, error.detail)


def _folded(plan: AuditPlan, source: TileSource, jobs: int) -> Iterator[list[AuditFinding]]:
    audit, widths = plan.audit, dict(tile_numbers(plan.size, TILE_WIDTH))

    def task_of(n: int, keys: Mapping[str, bytes] | None = None) -> TileTask:
        return audit.unread_task(n, partial(_read, source, n, widths[n]), keys)

    tiles = list(widths)
    # The first tile here: it states the first keys, which the others need, and what it makes ready the processes inherit.
    alone = tiles if jobs == 1 else tiles[:1]
    for n in alone:
        task = task_of(n)
        yield audit.fold(task, check_tile(task))
    if len(tiles) > len(alone):
        with TileWorkers(min(jobs, len(tiles) - 1), task_of, audit.grants.keys) as workers:
            for n, result in workers.checked(tiles[1:]):
                yield audit.fold(task_of(n), result)


def _read(source: TileSource, n: int, width: int) -> tuple[bytes, bytes]:
    """A missing tile is a finding about its records, not a reason to stop: an empty bundle says so."""

    def read(level: str) -> bytes:
        try:
            return read_tile(source, level, n, width)
        except NotFoundError:
            return b""

    return read(ENTRIES), read(RECORDS)


class _Progress:
    """A line on standard error, rewritten about once a second, and only where a person looks on."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._findings = 0
        self._started = time.monotonic()
        self._shown = self._started
        self._on = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def step(self, count: int, findings: int) -> None:
        self._done = min(self._total, self._done + count)
        self._findings += findings
        now = time.monotonic()
        if self._on and now - self._shown >= _PROGRESS_EVERY_S:
            self._shown = now
            rate = self._done / (now - self._started)
            left = (self._total - self._done) / rate
            click.echo(
                f"\r{self._done:,} of {self._total:,} entries, {rate:,.0f}/s, {left:,.0f} s left, "
                f"{self._findings} findings ",
                err=True,
                nl=False,
            )

    def __exit__(self, *_: object) -> None:
        if self._on and self._shown != self._started:
            click.echo("", err=True)
