"""`hazledger verify`: the auditor's commands (formats.md section 9). They trust the trust file and nothing else.

Imports only core, so that a verification starts in under 0.3 s on a machine that holds nothing of the platform.
"""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path

import click

from ledger.cli.common import (
    FILE,
    depth_option,
    json_option,
    open_chain,
    print_json,
    read_evidence,
    read_trust,
    rpc_option,
    timeout_option,
    trust_option,
)
from ledger.core.bundle import MAX_BUNDLE_BYTES
from ledger.core.verification import Level, verify_bundle
from ledger.model import UnixMs

_LEVELS = [level.label for level in Level if level]

# Each of these imports more than `verify bundle` needs, so they are loaded when they are called (or listed by --help).
_ELSEWHERE = {
    "log": "ledger.cli.verify_log:log_command",
    "book": "ledger.cli.verify_log:book_command",
    "receipt": "ledger.cli.verify_evidence:receipt_command",
    "consistency": "ledger.cli.verify_evidence:consistency_command",
}


class _VerifyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = _ELSEWHERE[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_VerifyGroup)
def verify() -> None:
    """Check evidence with one trust file and no help from the operator.

    \b
    Exit codes, the first that applies:
      5  the operator signed two contradicting things (an evidence file was written)
      1  a check failed
      2  wrong usage, another chain's endpoint, no such book, or a file format this program does not read
      4  a source that you named did not answer
      3  pending: nothing is wrong, but the required level is not reached yet
      0  everything required is proven
     70  this program itself failed: that is no verdict
    """


@verify.command("bundle")
@click.argument("file", type=FILE)
@trust_option
@rpc_option
@click.option("--offline", is_flag=True, help="Use no network: the header counts only when the trust file pins it.")
@depth_option
@timeout_option
@click.option(
    "--require",
    "require_label",
    type=click.Choice(_LEVELS),
    default=Level.ANCHORED.label,
    show_default=True,
    help="The level below which the verdict is PENDING.",
)
@click.option(
    "--keys-within",
    metavar="DAYS",
    type=click.IntRange(min=0),
    help="PENDING when the block that says who may sign is older than this.",
)
@json_option
@click.pass_context
def bundle_command(
    context: click.Context,
    *,
    file: Path,
    trust_path: Path,
    rpc: str | None,
    offline: bool,
    depth: int,
    within_s: float,
    require_label: str,
    keys_within: int | None,
    as_json: bool,
) -> None:
    """Verify one record from its bundle FILE (<record_id>.hzb.json).

    Prints one line a check, numbered as in formats.md section 9, then the verdict: RECEIVED < LOGGED < ANCHORED-DEV <
    ANCHORED, or FAILED, or PENDING with the check that would lift it.

    \b
    Example, on the demo's development chain:
      hazledger verify bundle 3f9a….hzb.json --trust trust.json \\
          --rpc http://127.0.0.1:8545 --require ANCHORED-DEV
    Example, on a machine without network, the block pinned by the authority:
      hazledger verify bundle 3f9a….hzb.json --trust trust.json --offline

    \b
    Exit codes as `hazledger verify --help` lists them: 0 proven, 3 pending, 1 a check failed, 5 the operator contradicts itself,
    2 usage, 4 a source did not answer.
    """
    if rpc and offline:
        raise click.UsageError("--rpc and --offline exclude each other")
    trust = read_trust(context, trust_path)
    verdict = verify_bundle(
        read_evidence(context, file, MAX_BUNDLE_BYTES, "bundle"),
        trust,
        rpc=open_chain(context, rpc, depth, within_s),
        require=Level.parse(require_label),
        keys_within_days=keys_within,
        now=UnixMs(time.time_ns() // 1_000_000),
    )
    if as_json:
        print_json(verdict.to_json())
    else:
        for line in verdict.lines():
            click.echo(line)
    context.exit(verdict.exit_code)


if __name__ == "__main__":
    verify()
