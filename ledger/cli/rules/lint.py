"""`hazledger rules lint`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import counted, json_option, print_json
from ledger.cli.rules.common import files_argument, read_files
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK
from ledger.rulebench.drafts import lint
from ledger.rulesets import shipped_sources


@click.command("lint")
@files_argument
@json_option
@click.pass_context
def lint_command(context: click.Context, files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check rule files, or the shipped rules when none are named.

    Every mistake is shown with its file and line: unknown keys, wrong names and types in conditions and reasons, parameters
    without a date, tests that are not of their form. The files are also checked as the set that they make together with the
    shipped rules; a file takes the place of the shipped rule with the same id. A file called …exceptions.yml holds exceptions
    (`[rules] exceptions` in the settings).

    \b
    Exit code: 0 nothing is wrong, 1 something is, 2 usage.
    \b
    Example:
      hazledger rules lint drafts/
    """
    drafts = read_files(files) if files else shipped_sources()
    problems = lint(drafts)
    if as_json:
        print_json(
            {
                "files": len(drafts),
                "problems": [{"file": p.file, "line": p.line, "problem": p.what} for p in problems],
            }
        )
    else:
        for problem in problems:
            click.echo(str(problem))
        click.echo(
            f"{counted(len(drafts), 'file', none='no')}, {counted(len(problems), 'problem', none='no')}",
            err=bool(problems),
        )
    context.exit(EXIT_FAILED if problems else EXIT_OK)
