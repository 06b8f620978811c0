"""What the rules commands share: rule files from the command line, progress, output."""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click

from ledger.adapters.files import write_whole
from ledger.errors import ConfigError

EXIT_INTERRUPTED = 3
lang_option = click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of titles and reasons."
)
files_argument = click.argument(
    "files", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[FILE|DIRECTORY]..."
)


@contextmanager
def folding() -> Iterator[None]:
    """While a log is folded, the collector is off: a fold makes no cycles, and nearly all that it makes stays.

    Measured: looking through it all again and again took a quarter to a third of a back-test's time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_files(paths: Iterable[Path]) -> dict[str, str]:
    """The rule files that these paths name, directories with all that end in .yml; by path.

    Raises: ConfigError when there are none, or one cannot be read.
    """
    found: dict[str, str] = {}
    for path in paths:
        for file in sorted(path.glob("*.yml")) if path.is_dir() else [path]:
            if file.exists() and not file.is_file():
                raise ConfigError(f"cannot read {file}: it is no file (name rule files, or a directory of them)")
            try:
                found[str(file)] = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"cannot read {file}: {error}") from error
    if not found:
        raise ConfigError("there are no rule files (*.yml) in what was named")
    return found


class Progress:
    """A line on standard error about once a second, with rate and time left; only where a person looks on."""

    def __init__(self, what: str, total: int, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._total = total
        self._clock_s = clock_s
        self._started = self._shown = clock_s()
        self._first: int | None = None
        self._on = sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        """`done` of the total is done."""
        now = self._clock_s()
        if self._first is None:
            self._first = done
        if not self._on or now - self._shown < 1.0:
            return
        self._shown = now
        click.echo("\r" + self.line(done, now) + " ", err=True, nl=False)

    def line(self, done: int, now: float) -> str:
        """What is shown."""
        rate = (done - (self._first or 0)) / max(now - self._started, 1e-9)
        left = f", {(self._total - done) / rate:,.0f} s left" if rate > 0 else ""
        return f"{self._what}: {done:,} of {self._total:,} entries, {rate:,.0f}/s{left}"

    def close(self) -> None:
        """Go on on the next line."""
        if self._on and self._shown > self._started:
            click.echo("", err=True)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; the second time it ends the command."""
    pressed: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


class Folding(Protocol):
    """What folds a stretch of the log and can stop in between: a back-test, a replay."""

    @property
    def end(self) -> int: ...

    @property
    def next_index(self) -> int: ...

    def run(self, progress: Callable[[int], None], stop: Callable[[], bool]) -> bool: ...

    def save(self) -> bytes: ...


def run_or_keep(context: click.Context, what: str, one: Folding, work: Path, *, resumed: bool) -> None:
    """Fold to the end. After Ctrl-C what was done is kept in the work file, and the command ends (EXIT_INTERRUPTED).

    `resumed`: it went on from the work file, which is no longer needed at the end.
    """
    bar = Progress(what, one.end)
    with interruptible() as stop, folding():
        reached = one.run(bar, stop)
    bar.close()
    if not reached:
        write_whole(work, one.save())
        click.echo(f"interrupted at entry {one.next_index:,}; go on with --resume (kept in {work})", err=True)
        context.exit(EXIT_INTERRUPTED)
    if resumed:
        work.unlink(missing_ok=True)


def read_work(file: Path, what: str) -> bytes:
    """What an interrupted command left. Raises ConfigError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"there is no interrupted {what} in {file}: {error.strerror}") from error
