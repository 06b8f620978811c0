"""`hazledger rules test`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ledger.adapters.files import write_whole
from ledger.catalogue import Catalogue
from ledger.cli.common import counted, json_option, print_json
from ledger.cli.rules.common import files_argument, lang_option, read_files
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_OK
from ledger.errors import RuleError
from ledger.rulebench.drafts import load_all, rules_in
from ledger.rulebench.testing import Tested, junit, run
from ledger.rulesets import shipped_sources


@click.command("test")
@files_argument
@click.option("--rule", "only", multiple=True, metavar="ID", help="Only this rule; may be given several times.")
@click.option(
    "--junit", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML to this file."
)
@json_option
@lang_option
@click.pass_context
def test_command(
    context: click.Context,
    files: tuple[Path, ...],
    *,
    only: tuple[str, ...],
    report: Path | None,
    as_json: bool,
    lang: str,
) -> None:
    """Run the tests that rule files carry, or those of the shipped rules when none are named.

    Each test is a few events and the alerts that have to come of them. It is run as written, and again with the engine
    restarted between every two events: the alerts must be the same to the byte. A rule needs a test that fires, one that is
    silent, one at the boundary and one across a restart.

    \b
    Exit code: 0 all pass, 1 one fails, 2 usage, or a file that does not load.
    \b
    Example:
      hazledger rules test drafts/ --junit report.xml
    """
    drafts = read_files(files) if files else shipped_sources()
    try:
        loaded = load_all(drafts)
    except RuleError as error:
        raise RuleError(
            f"{error.detail}\n`hazledger rules lint` shows every mistake at once", code=error.code
        ) from None
    chosen = [rule for rule in rules_in(loaded, drafts) if not only or rule.id in only]
    if missing := sorted(set(only) - {rule.id for rule in chosen}):
        raise RuleError(f"there is no rule {', '.join(missing)} in these files")
    tested: list[Tested] = []
    watching = sys.stderr.isatty()
    for one in run(chosen, Catalogue.load()):
        tested.append(one)
        if watching:
            click.echo(f"\r{len(tested)} of {len(chosen)} rules ", err=True, nl=False)
        if not as_json:
            if watching:
                click.echo("\r", err=True, nl=False)
            _show(one, lang)
    if report is not None:
        write_whole(report, junit(tested), mode=0o644)
    failed = sum(len(one.failed) for one in tested)
    if as_json:
        print_json(
            {
                "rules": [
                    {
                        "rule": one.rule.id,
                        "title": one.rule.title,
                        "tests": [{"name": o.name, "about": o.about, "failure": o.detail} for o in one.outcomes],
                    }
                    for one in tested
                ],
                "tests": sum(len(one.outcomes) for one in tested),
                "failed": failed,
            }
        )
    else:
        tests = sum(len(one.outcomes) for one in tested)
        click.echo(f"{counted(len(tested), 'rule', none='no')}, {counted(tests, 'test', none='no')}, {failed} failed")
    context.exit(EXIT_FAILED if failed else EXIT_OK)


def _show(one: Tested, lang: str) -> None:
    word = "FAIL" if one.failed else "ok"
    click.echo(f"[{word}]  {one.rule.id} {one.rule.title[lang]}: {len(one.outcomes)} tests")
    for outcome in one.failed:
        click.echo(f"  {outcome.name}\n    {outcome.detail}")
