"""`hazledger rules`: lint, test, backtest, explain, health, replay. Each is imported only when it is called."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "lint": ("ledger.cli.rules.lint:lint_command", "Check rule files: every mistake with its file and line."),
    "test": ("ledger.cli.rules.test:test_command", "Run the tests that rule files carry."),
    "backtest": ("ledger.cli.rules.backtest:backtest_command", "Try a rule on what came in so far."),
    "explain": ("ledger.cli.rules.explain:explain_command", "Why was this alert raised, or none?"),
    "promote": ("ledger.cli.rules.promote:promote_command", "Make a rule live, if its tests and its budget allow."),
    "health": ("ledger.cli.rules.health:health_command", "How each rule does: errors, cost, alerts, false positives."),
    "replay": ("ledger.cli.rules.replay:replay_command", "Fold the log again: are the alerts those that were raised?"),
}


class _Lazy(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in _COMMANDS.items()])


@click.group(cls=_Lazy)
def rules() -> None:
    """Check, test and try rules, explain their alerts, and replay the log.

    A rule is a file: ledger/rules/<ID>-name.yml. Copy one, change it, and then

    \b
      hazledger rules lint my-rule.yml          is it well formed?
      hazledger rules test my-rule.yml          does it do what its own tests say?
      hazledger rules backtest my-rule.yml      what would it have found in what came in so far?
      hazledger rules promote my-rule.yml       may it become live?
      hazledger rules explain --alert ID        why was this alert raised?
      hazledger rules health                    how does each rule do?
      hazledger rules replay                    does the log give the same alerts again?

    None of these changes anything in an installation; `promote` changes the rule's file.

    \b
    Exit code: 0 as it should be, 1 something is wrong with what was looked at, 2 usage or settings.
    """
