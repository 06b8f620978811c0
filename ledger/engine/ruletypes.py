"""What a loaded rule is, and a set of them. How files are read: `ledger.engine.rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.catalogue.restricted import RestrictedSets, example_sets
from ledger.engine.expressions import Condition
from ledger.engine.features import Feature
from ledger.engine.parameters import LegalParams, Parameter
from ledger.engine.restraints import Excepted, Inhibitor
from ledger.engine.templates import Template
from ledger.engine.transpile import Plain
from ledger.engine.yamlfile import Located
from ledger.model import UnixMs


@dataclass(frozen=True, slots=True)
class Band:
    """One way in which a rule holds. It holds when `when` is true and has been for `wait`, counted from `since`."""

    when: Condition
    severity: str
    reason: dict[str, Template]
    wait_ms: int = 0
    wait_parameter: str = ""
    since: str = ""
    """A field in unix ms from which the wait counts; "" counts from when the condition became true."""
    needs: tuple[str, ...] = ()
    """Companions of features (`<name>_ready`) without which it does not hold."""

    def wait(self, parameters: Mapping[str, int]) -> int:
        """The wait in ms, with the parameter's value in force."""
        return parameters[self.wait_parameter] if self.wait_parameter else self.wait_ms

    @property
    def waits(self) -> bool:
        return bool(self.wait_ms or self.wait_parameter or self.since)


@dataclass(frozen=True, slots=True)
class Sla:
    """How soon an alert of a rule has to be acknowledged and handled, in ms; None: as its severity asks (core.life)."""

    ack_ms: int | None = None
    handle_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One loaded rule. `digest` is hex SHA-256 of the file's text."""

    id: str
    version: int
    status: str
    title: dict[str, str]
    severity: str
    legal_basis: tuple[str, ...]
    on: tuple[str, ...]
    scope: Condition | None
    fingerprint: tuple[str, ...]
    bands: tuple[Band, ...]
    keep_for_ms: int
    quiet_ms: int
    parameters: dict[str, Parameter]
    digest: str
    numbers: dict[str, Parameter] = field(default_factory=dict, compare=False)
    """What the rows which it listens to follow from, by name: legal parameters (`registry.LEGAL`), and of its own (`ASKED`)."""
    group_by: tuple[str, ...] = ()
    """Text fields of the rows; what features are computed by."""
    features: dict[str, Feature] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    """Fields that an alert of it carries: what was compared, shown, and identified."""
    inhibited_by: tuple[Inhibitor, ...] = ()
    exceptions: tuple[Excepted, ...] = ()
    keeps: tuple[str, ...] = ()
    """Fields of its rows that inhibition compares, its own and of the rules that it inhibits."""
    max_per_day: int | None = None
    """Alerts a day (`budget`) above which a back-test fails; None: no budget of its own."""
    sla: Sla = Sla()
    order_template: str = ""
    """Name of the form in which an order about such an alert is drawn up; "" for none."""
    tests: tuple[Located, ...] = field(default=(), compare=False)
    constants: dict[str, int] | None = None
    """The parameters' values, when none of them ever changed."""
    truths: Plain[list[bool]] | None = field(default=None, compare=False)
    """Which bands' conditions are true of a row, [] out of scope: all conditions in one call."""
    first: Plain[int | None] | None = field(default=None, compare=False)
    """The first band that holds, waits left aside; of a rule with features, for a row that is in scope."""

    @property
    def apart_ms(self) -> int:
        """What holds again within so long is the same episode: of `quiet` and `keep_for` the longer."""
        return max(self.quiet_ms, self.keep_for_ms)

    def parameters_at(self, at: UnixMs) -> dict[str, int]:
        """Each parameter's value in force at `at`."""
        if self.constants is not None:
            return self.constants
        return {name: parameter.at(at) for name, parameter in self.parameters.items()}


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules that run. `digest` covers everything that alerts depend on beside the log; the parts say which changed."""

    rules: tuple[Rule, ...]
    digest: str
    parts: dict[str, str] = field(default_factory=dict)
    """Hex SHA-256 of `rules` (their texts), `parameters` (their values), `catalogue`, `restricted_sets`."""
    sources: dict[str, str] = field(default_factory=dict, compare=False)
    """The files that it was loaded from, by name; with `legal` and `catalogue` they load the same set again."""
    legal: LegalParams = field(default_factory=dict, compare=False)
    catalogue: str = field(default="", compare=False)
    restricted: RestrictedSets = field(default_factory=example_sets)

    def on(self, subject: str) -> tuple[Rule, ...]:
        """The rules that listen to `subject`, by id."""
        return tuple(rule for rule in self.rules if subject in rule.on)

    @property
    def numbers(self) -> dict[str, Parameter]:
        """What rows follow from, as far as a rule listens to such rows. Legal ones are of one table; of what two rules say
        of their own the later one's counts, by id.
        """
        return {name: number for rule in self.rules for name, number in rule.numbers.items()}
