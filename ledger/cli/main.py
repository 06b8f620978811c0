"""`hazledger`: the command line. Each command's module is imported only when it is called, so that `verify` starts fast."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import traceback

import click

from ledger.errors import LedgerError

EXIT_INTERNAL = 70
"""EX_SOFTWARE of sysexits.h: outside the codes of formats.md section 9, none of which a failure of the program may look like."""

EXIT_INTERRUPTED = 130
"""As shells say it of SIGINT, and 141 of SIGPIPE: click's own code for both is 1, and that means "a check failed"."""
EXIT_NO_READER = 141

_COMMANDS = {
    "init": "ledger.cli.init:init",
    "serve": "ledger.cli.serve:serve",
    "demo": "ledger.cli.demo:demo",
    "process": "ledger.cli.processes:process",
    "authority": "ledger.cli.authority:authority",
    "key": "ledger.cli.key:key",
    "token": "ledger.cli.token:token",
    "supervisor": "ledger.cli.supervisor:supervisor",
    "alerts": "ledger.cli.alerts:alerts",
    "push": "ledger.cli.push:push",
    "head": "ledger.cli.head:head",
    "trust": "ledger.cli.trust:trust",
    "bundle": "ledger.cli.bundle:bundle",
    "tiles": "ledger.cli.tiles:tiles",
    "erase": "ledger.cli.erase:erase",
    "verify": "ledger.cli.verify:verify",
    "audit": "ledger.cli.audit:audit_command",
    "rules": "ledger.cli.rules:rules",
    "clock": "ledger.cli.clock:clock_command",
}
_HELP = {
    "init": "Make an installation: keys, databases, contracts, trust file, the supervisor's account.",
    "serve": "Start and watch the processes of an installation: web, sequencer, engine, anchor.",
    "demo": "Run everything here, on real input, and show one record's verification.",
    "authority": "Enrol and revoke keys, with the authority's own account on the chain.",
    "key": "Make and show signing keys (what an enterprise does).",
    "token": "Make, list and revoke tokens for reading.",
    "supervisor": "Give the supervisor, whose one-time code or password is lost, a way back in.",
    "alerts": "See alerts, acknowledge, order, verify and close them (what a supervisor does).",
    "push": "Sign and send records from files or a spreadsheet (what an enterprise does).",
    "head": "Ask where a book stands: its last seq and record_id.",
    "trust": "Show the trust file, or pin a block in it.",
    "bundle": "Write the one file that proves a record.",
    "tiles": "Copy the log's tiles into a folder, for `verify log`.",
    "erase": "Erase personal data of a record whose legal period has ended.",
    "verify": "Check a bundle, a log, a book, a receipt or two checkpoints, trusting nobody.",
    "clock": "Has the clock jumped? Deadlines stand still until you confirm it.",
    "rules": "Check, test, back-test and explain rules; replay the log.",
    "audit": "Re-derive everything that an installation holds from signed bytes and the chain.",
}
_HIDDEN = {"process"}


class _Lazy(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for name in _COMMANDS if name not in _HIDDEN]

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """As click does, but for two ends that would exit with 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # What is still to be flushed at the interpreter's end would raise again.
            sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for good
            sys.exit(EXIT_NO_READER)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            sys.exit(EXIT_INTERRUPTED)
        except click.Abort as error:
            # At a prompt click makes one of Ctrl-C too; the other is a "no", whose code is the command's.
            if isinstance(error.__context__, KeyboardInterrupt):
                click.echo("\nInterrupted.", err=True)
                sys.exit(EXIT_INTERRUPTED)
            raise

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _HELP[name]) for name in self.list_commands(_ctx)])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hazledger")
def cli() -> None:
    """A ledger of hazardous chemicals that nobody can quietly change.

    \b
    To see it work:        hazledger demo
    To check a record:     hazledger verify bundle FILE --trust trust.json
    To run it for real:    hazledger init, then hazledger serve
    """


def main() -> None:
    """Run; a LedgerError, or a file that cannot be used, becomes one clear line and exit code 2; any other exception one line
    that says where the traceback is, and EXIT_INTERNAL. Ctrl-C is EXIT_INTERRUPTED, a closed pipe EXIT_NO_READER.
    """
    try:
        cli(prog_name="hazledger")
    except LedgerError as error:
        click.echo(f"hazledger: {error.detail} [{error.code}]", err=True)
        sys.exit(2)
    except OSError as error:
        # A file or directory that cannot be used: exit code 1 would read as "a check failed".
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"hazledger: {where}{error.strerror or error}", err=True)
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 - the interpreter's exit code would be 1, which means "a check failed"
        click.echo(
            f"hazledger: this program itself failed, which is no verdict: {type(error).__name__}; "
            f"please report it with the traceback{_kept(traceback.format_exc())}",
            err=True,
        )
        sys.exit(EXIT_INTERNAL)


def _kept(text: str) -> str:
    """Where the traceback now is: a file of its own (mode 0600), or, where none can be written, behind the message. A process
    of the service writes all of it to its log.
    """
    if sys.argv[1:2] != ["process"]:
        try:
            handle, path = tempfile.mkstemp(prefix="hazledger-", suffix=".traceback")
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as out:  # noqa: PTH123 - a descriptor
                out.write(text)
        except OSError:
            pass
        else:
            return f" in {path}"
    return f":\n{text}"


if __name__ == "__main__":
    main()
