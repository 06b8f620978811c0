"""`hazledger bundle`: the operator's way to the one file that proves a record (HTTP has the same)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from ledger import flow
from ledger.adapters.files import PUBLIC, write_whole
from ledger.cli.compose import open_installation, state_option, wall_clock_ms
from ledger.cli.rpc import RpcChainView
from ledger.core.bundle import FILE_SUFFIX
from ledger.errors import NotFoundError
from ledger.model import RecordId
from ledger.ports import LogReader


@click.command()
@click.argument("record_id")
@state_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=None, help="[default: RECORD_ID.hzb.json]"
)
@click.option("--disclosures/--no-disclosures", default=False, help="Put the disclosed personal data into it.")
def bundle(record_id: str, state: Path | None, out: Path | None, *, disclosures: bool) -> None:
    """Write the one file that proves the record RECORD_ID, verified before it is written.

    The first six or more digits of RECORD_ID will do.

    \b
    Exit code: 0 written and verified, 1 written, but our own verifier finds a failure in it, 2 usage, settings, or no such record.

    \b
    Example:
      hazledger bundle 8fc2c91e6720887aee7ebaa54d4d46adb540844c4d845641d6f0ceab2fad14c8 --out record.hzb.json
    """
    here = open_installation(state)
    record_id = _record_named(here.stores.log, record_id)
    chain = here.chain()
    data, verdict = flow.bundle(
        RecordId(record_id),
        log=here.stores.log,
        anchors=here.stores.anchor,
        trust=here.trust,
        chain=chain,
        view=RpcChainView(chain.rpc.endpoint),
        disclosures=disclosures,
        now=wall_clock_ms(),
    )
    target = out or Path(record_id + FILE_SUFFIX)
    write_whole(target, data, mode=0o600 if disclosures else PUBLIC)
    click.echo(f"wrote {target}, {len(data)} bytes; our own verification: {verdict.verdict_line}")
    sys.exit(1 if verdict.failed else 0)


def _record_named(log: LogReader, text: str) -> str:
    """The record_id that begins so; a whole one as it is: whether the log has it, is asked where its bundle is made."""
    if not re.fullmatch(r"[0-9a-f]{6,63}", text):
        return text
    found = log.records_named(text, limit=2)
    if len(found) != 1:
        raise NotFoundError(
            f"several records begin with {text}; give more digits"
            if found
            else f"there is no record {text} in this log"
        )
    return found[0].record_id
