"""Every command's --help tells its exit codes and shows how it is used."""

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from ledger.cli.main import cli


def commands(command, path, context):
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name), context)
    else:
        yield pytest.param(command, path, id=" ".join(path))


COMMANDS = list(commands(cli, (), click.Context(cli)))


def examples(command, path):
    """What stands in the help as commands of this kind, each on one line."""
    text = command.help.replace("\\\n", " ")
    return re.findall(rf"hazledger {' '.join(path)}\b(?!`)[^\n]*", text)


def test_commands__all_of_them__are_looked_at():
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(("command", "path"), COMMANDS)
def test_help__of_each_command__says_its_exit_codes(command, path):
    shown = CliRunner().invoke(cli, [*path, "--help"]).output
    assert re.search(r"Exit codes?[ :]", shown), shown
    assert re.search(r"\b0 \w+", shown) and re.search(r"\b2 usage", shown)
    assert max(map(len, shown.splitlines())) <= 140


@pytest.mark.parametrize(("command", "path"), COMMANDS)
def test_help__of_each_command__has_an_example_that_it_takes(command, path, tmp_path, monkeypatch):
    """The example is parsed by the command itself, files and all; only its work is left out."""
    monkeypatch.chdir(tmp_path)
    found = examples(command, path)
    assert found, command.help
    for line in found:
        words = shlex.split(line.split(" > ")[0])[len(path) + 1 :]
        for word in words:
            if re.fullmatch(r"[\w….-]+(/[\w….-]*)*", word) and not word.startswith("-"):
                (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
                if word.endswith("/"):
                    (tmp_path / word).mkdir(parents=True, exist_ok=True)
                elif "." in word or word in FILES:
                    (tmp_path / word).touch()
        with command.make_context(" ".join(path), list(words)) as context:
            assert context.params is not None


FILES = {"pass", "passphrase", "token"}
"""Words of examples that are files though they have no ending."""
