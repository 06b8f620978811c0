"""`hazledger audit`: the whole installation, every column of every store, against its evidence."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Self

import click

from ledger.adapters.chain.accounts import read_transaction
from ledger.adapters.store.portal_store import ACCESS_START
from ledger.audit import Audited, Report, audit
from ledger.cli.common import counted, depth_option, json_option, open_chain, print_json, rpc_option, timeout_option
from ledger.cli.compose import LOOKUP_KEY, Installation, open_installation, state_option
from ledger.cli.refold import refolding
from ledger.core.verification.outcome import MAX_PRINTED_FINDINGS
from ledger.core.verification.tile import TileResult, TileTask, check_tile
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK, EXIT_UNREACHABLE
from ledger.rulesets import engines, present_engine

_TILES_AHEAD_PER_JOB = 3


@click.command("audit")
@state_option
@rpc_option
@depth_option
@timeout_option
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    help="Processes that check signatures. Default: one a core.",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the engine's tables are made again [default: the system's directory for temporary files].",
)
@json_option
@click.pass_context
def audit_command(
    context: click.Context,
    *,
    state: Path | None,
    rpc: str | None,
    depth: int,
    within_s: float,
    jobs: int,
    scratch: Path | None,
    as_json: bool,
) -> None:
    """Re-derive everything that this installation holds from signed bytes and the chain.

    Every column of every store is compared with its evidence: payloads, signatures, receipts, tiles, checkpoints, the
    guard's file, trie proofs, contract storage, and the engine's tables with a fresh fold of the log. A finding names the
    row, the record and the check. The service may go on meanwhile: what is read is of the moment when it began. It changes
    nothing.

    \b
    Exit code: 0 nothing found, 1 findings, 2 usage, 4 the endpoint did not answer.
    \b
    Example:
      hazledger audit --state /srv/hazledger --rpc http://127.0.0.1:8545
    """
    here = open_installation(state)
    chain = open_chain(context, rpc, depth, within_s)
    # Whoever audits a copy of the stores has no business with the key.
    key = here.lookup_key() if (here.config.keys_dir / LOOKUP_KEY).exists() else None
    with refolding(here, scratch) as refold, _Progress() as bar:
        report = audit(
            Audited(
                tables=here.stores.tables,
                trust=here.trust,
                stored_proof=here.stores.tables.stored_proof,
                read_transaction=read_transaction,
                guard=here.guard().read,
                access_start=ACCESS_START,
                zone=here.zone(),
                lookup_key=key,
                refold=refold,
                chain=chain,
            ),
            check=lambda tasks: _checked(tasks, jobs),
            progress=bar.show,
        )
    others = [(int(at), by) for at, by in engines(here.stores.log) if by != present_engine()]
    here.stores.close()
    if others and any(finding.place.startswith("engine.") for finding in report.findings):
        report.notes.append(_of_other_engines(others))
    if key is None:
        report.skipped.append(f"lookup digests: not made again, there is no {here.config.keys_dir / LOOKUP_KEY}")
    _finish(context, here, report, as_json=as_json)


def _of_other_engines(others: list[tuple[int, str]]) -> str:
    """What else findings in the engine's tables may come from: the log names who folded them."""
    named = ", ".join(f"{by or 'one without a name'} from entry {at}" for at, by in others)
    return (
        f"another version of this program folded: {named}; here folds {present_engine()}. Whether what differs in the engine's "
        "tables comes from that, an audit by that version tells"
    )


class _Progress:
    """A line on standard error, rewritten about once a second, and only where a person looks on."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._on = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._on and now - self._shown >= 1.0:
            self._shown = now
            click.echo(f"\r{done:,} of {total:,} entries ", err=True, nl=False)

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("", err=True)


def _checked(tasks: Iterator[TileTask], jobs: int) -> Iterator[tuple[TileTask, TileResult]]:
    """Each task with its result, in order; `jobs` processes, few tiles ahead.

    The rows are those of the transaction that this process holds, so it sends them: a process of tileworkers, which reads
    its tiles itself, would read what is there by then.
    """
    if jobs == 1:
        for task in tasks:
            yield task, check_tile(task)
        return
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        waiting: deque[tuple[TileTask, Future[TileResult]]] = deque()
        for task in tasks:
            waiting.append((task, pool.submit(check_tile, task)))
            if len(waiting) > jobs * _TILES_AHEAD_PER_JOB:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _finish(context: click.Context, here: Installation, report: Report, *, as_json: bool) -> None:
    code = EXIT_FAILED if report.total else EXIT_UNREACHABLE if report.unreachable else EXIT_OK
    word = {EXIT_FAILED: "FAILED", EXIT_UNREACHABLE: "UNREACHABLE", EXIT_OK: "OK"}[code]
    if as_json:
        document = {
            "verdict": word,
            "exitCode": code,
            "log": here.config.origin,
            "rows": report.seen,
            "findings": [finding.to_json() for finding in report.findings[:MAX_PRINTED_FINDINGS]],
            "findingsTotal": report.total,
            "notes": report.notes,
            "skipped": report.skipped,
            "unreachable": report.unreachable or None,
            "trustFile": here.trust.digest.hex(),
        }
        print_json(document)
        context.exit(code)
    wrong = {finding.place for finding in report.findings}
    for table, rows in sorted(report.seen.items()):
        click.echo(f"{'[FAIL]' if table in wrong else '[ok]':<6} {table}: {rows} rows")
    for finding in report.findings[:MAX_PRINTED_FINDINGS]:
        click.echo(f"  {finding.line()}")
    if report.total > MAX_PRINTED_FINDINGS:
        click.echo(f"  … and {report.total - MAX_PRINTED_FINDINGS} more findings")
    for text in report.skipped:
        click.echo(f"[skip]  {text}")
    for text in report.notes:
        click.echo(f"[note]  {text}")
    if report.unreachable:
        click.echo(f"[skip]  the chain: {report.unreachable}")
    count = (
        counted(report.total, "finding")
        if report.total
        else f"{report.seen.get('log.entry', 0)} entries, nothing found"
    )
    click.echo(f"{word}: installation of log {here.config.origin}: {count}; trust file {here.trust.digest.hex()}")
    context.exit(code)
