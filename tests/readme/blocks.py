"""README.md as its tests see it: fenced blocks with the mark above each, commands with what they print, links, tables.

A mark is an HTML comment on the line above a fence, so that a reader of the page does not see it:
    <!-- run: story -->          the block's commands run in the installation of `story`, in the page's order
    <!-- run: story, until -->   the same; a command is repeated until it prints what the page shows (the log works on its own)
    <!-- run: story, stopped -->   the same, after Ctrl-C to `hazledger serve`
    <!-- run: demo, one -->      only the first line is a command, whatever follows is what it prints
    <!-- file: acme/march.csv -->   the block is a file, written there before the commands that follow it run
    <!-- help -->                compared to the letter
    <!-- not run: why -->
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
_FENCE = re.compile(r"^```(\w*)$")
_MARK = re.compile(r"^<!-- (run|file|help|not run)(?:: (.*?))? -->$")


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is the fence's, counted from 1."""

    line: int
    language: str
    mark: str
    argument: str
    text: str

    @property
    def story(self) -> str:
        """The installation in which it runs; empty when it is not run."""
        return self._words[0] if self.mark == "run" else ""

    @property
    def until(self) -> bool:
        return "until" in self._words[1:]

    @property
    def stopped(self) -> bool:
        return "stopped" in self._words[1:]

    @property
    def one(self) -> bool:
        return "one" in self._words[1:]

    @property
    def _words(self) -> list[str]:
        return [word.strip() for word in self.argument.split(",")]

    @property
    def commands(self) -> list[Command]:
        """The block's commands; a block that shows one program's whole session (`one`) has one."""
        found: list[Command] = []
        lines = self.text.splitlines()
        at = 0
        while at < len(lines):
            line = lines[at]
            if line.startswith("$ ") and not (found and self.one):
                command = line[2:]
                while command.endswith("\\") and at + 1 < len(lines):
                    at += 1
                    command += "\n" + lines[at]
                found.append(Command(self.line + at + 1, command, []))
            elif found:
                found[-1].shown.append(line)
            else:
                raise ValueError(f"README.md line {self.line + at + 1}: output before any command")
            at += 1
        return found


@dataclass(frozen=True)
class Command:
    """One command as a person would type it, and the lines that the page shows below it."""

    line: int
    text: str
    shown: list[str]


def blocks(text: str) -> list[Block]:
    """Every fenced block of the page, in order."""
    found, lines = [], text.splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        end = next(n for n in range(at + 1, len(lines)) if lines[n] == "```")
        mark = _MARK.match(lines[at - 1]) if at else None
        kind, argument = (mark.group(1), mark.group(2) or "") if mark else ("", "")
        found.append(Block(at + 1, fence.group(1), kind, argument, "\n".join(lines[at + 1 : end])))
        at = end + 1
    return found


def readme() -> str:
    return README.read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """From the heading `title` to the next heading of its level or a higher one."""
    start = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert start is not None, f"README.md has no section {title!r}"
    end = re.compile(rf"^#{{1,{len(start.group(1))}}} ", re.MULTILINE).search(text, start.end())
    return text[start.end() : end.start() if end else len(text)]


def table(text: str) -> list[list[str]]:
    """The rows of the first table in `text`, without its heading; cells without white space around them."""
    rows = re.search(r"(?:^\|.*\n?)+", text, re.MULTILINE).group().splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


# --- does it print what the page shows? --------------------------------------------------------------------------

# What differs from run to run. Words, statuses and exit codes do not, and stay.
_VARYING = [
    (re.compile(r"hzt_[A-Za-z0-9_-]{43}"), "<token>"),
    (re.compile(r"\b[A-Z2-9]{5}(?:-[A-Z2-9]{5}){3}\b"), "<code>"),
    (re.compile(r"\b(?:0x)?[0-9a-f]{8,}\b"), "<hex>"),
    (re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40,}={0,2}(?![A-Za-z0-9+/])"), "<base64>"),
    (re.compile(r"\b\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} UTC"), "<time>"),
]
_KEPT = re.compile(r"exit code \d+|HTTP/1\.1 \d+|\"status\": ?\d+|^seq +\d+|next +seq \d+|no\. \d+|records? \d+")
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def normalised(line: str) -> str:
    """`line` without what may differ: hashes, tokens, times, and numbers but those that are the point."""
    for pattern, name in _VARYING:
        line = pattern.sub(name, line)
    parts, at = [], 0
    for kept in _KEPT.finditer(line):
        parts += [_NUMBER.sub("N", line[at : kept.start()]), kept.group()]
        at = kept.end()
    parts.append(_NUMBER.sub("N", line[at:]))
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def matches(shown: list[str], printed: str) -> bool:
    """Whether `printed` is what the page shows. A line `…` stands for any lines, `…` inside a line for any words."""
    pattern = "".join(_line_pattern(line) for line in shown)
    text = "".join(normalised(line) + "\n" for line in printed.splitlines() if line.strip())
    return re.fullmatch(pattern, text) is not None


def unmatched(shown: list[str], printed: str) -> str:
    """The first line of the page up to which `printed` does not follow it; empty when all was found."""
    for count in range(1, len(shown) + 1):
        if not matches([*shown[:count], "…"], printed):
            return shown[count - 1]
    return ""


def _line_pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    if not line.strip():
        return ""
    return ".*?".join(re.escape(normalised(part)) if part.strip() else "" for part in _spaced(line)) + r"\n"


def _spaced(line: str) -> list[str]:
    """Parts between ellipses; the white space beside one belongs to it."""
    return [part.strip() for part in line.split("…")] if "…" in line else [line]
