"""The composition root: settings → adapters. Every process and command builds what it needs here and nowhere else.

What needs web3 is imported when it is asked for: it takes a second, and most commands and the sequencer do without.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from ledger.adapters.clockpause import FILE as CLOCK_JUMP
from ledger.adapters.clockpause import ClockPauseFile
from ledger.adapters.enrolments import EnrolmentDirectory
from ledger.adapters.ipc import SequencerClient
from ledger.adapters.keystore.desk import DeskKeyFiles
from ledger.adapters.keystore.guard import FileHeadGuard
from ledger.adapters.keystore.lookup import load_lookup_key
from ledger.adapters.keystore.signing import load_signer
from ledger.adapters.store.stores import SqlStores, open_stores
from ledger.catalogue.restricted import RestrictedSets, read_restricted_sets
from ledger.config import Config, load, state_dir_from_environment
from ledger.core.note import NoteSigner
from ledger.core.receipt import receipt_key_name
from ledger.core.trust import TrustedChain, TrustFile, parse_trust
from ledger.errors import ConfigError, RuleError
from ledger.model import UnixMs
from ledger.ports import AnchorStore
from ledger.sequencer import Identity

if TYPE_CHECKING:
    from ledger.adapters.chain.accounts import TransactionSigner
    from ledger.adapters.chain.evm import EvmChain
    from ledger.adapters.chain.settings import ChainSettings
    from ledger.rulesets import RuleSet

PLATFORM_KEY = "platform.key"
LOG_KEY = "log.key"
RECEIPT_KEY = "receipt.key"
LOOKUP_KEY = "lookup.key"
SUBMITTER_ACCOUNT = "submitter.account"
AUTHORITY_ACCOUNT = "authority.account"
DEPLOYER_ACCOUNT = "deployer.account"

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="The installation's directory [default: $HAZLEDGER_STATE or ./hazledger-state].",
)


def wall_clock_ms() -> UnixMs:
    """Now, unix milliseconds."""
    return UnixMs(time.time_ns() // 1_000_000)


def contracts_dir() -> Path:
    """Where npm has put Anvil: the checkout's contracts/."""
    return Path(__file__).resolve().parents[2] / "contracts"


def chain_settings(config: Config) -> ChainSettings:
    """How this installation waits, pays and mines.

    Final by depth also on QBFT, where each block is final: Besu answers the tag `finalized` with an error there.
    """
    from ledger.adapters.chain.embedded import embedded_settings  # noqa: PLC0415
    from ledger.adapters.chain.settings import ChainSettings  # noqa: PLC0415

    if config.chain.embedded:
        return embedded_settings(chain_dir(config), confirmations=config.chain.depth)
    return ChainSettings(confirmations=config.chain.depth, lock=chain_dir(config) / "turn.lock")


def find_configured_anvil(config: Config) -> Path:
    """Anvil's native file: the configured one, else where npm has put it."""
    from ledger.adapters.chain.embedded import find_anvil  # noqa: PLC0415

    return find_anvil(contracts_dir(), Path(config.chain.anvil) if config.chain.anvil else None)


def chain_dir(config: Config) -> Path:
    """The embedded node's dumps, lock and log."""
    return config.state_dir / "chain"


@dataclass
class Installation:
    """One installation as one process sees it; each part is built when it is first asked for."""

    config: Config

    @cached_property
    def stores(self) -> SqlStores:
        """The four stores; nothing is connected before the first call."""
        return open_stores(self.config.database, self.config.state_dir)

    @cached_property
    def trust_bytes(self) -> bytes:
        """The trust file's exact bytes."""
        try:
            return self.config.trust_path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"cannot read {self.config.trust_path}: {error.strerror}; was `hazledger init` run?"
            ) from error

    @cached_property
    def trust(self) -> TrustFile:
        """The trust file.

        Raises: ConfigError when it is of another log than the settings: nothing may be signed under either name then.
        """
        trust = parse_trust(self.trust_bytes)
        if trust.origin != self.config.origin:
            raise ConfigError(
                f"{self.config.trust_path} is of the log {trust.origin}, the settings say {self.config.origin}"
            )
        return trust

    @property
    def trusted_chain(self) -> TrustedChain:
        """The chain that goes on."""
        return self.trust.newest_chain()

    @cached_property
    def appender(self) -> SequencerClient:
        """The sequencer, behind its socket."""
        return SequencerClient(self.config.socket_path)

    @cached_property
    def restricted_sets(self) -> RestrictedSets | None:
        """The goods that nobody should hold together, as the installation's file says; None where it names none."""
        data = self.config.restricted_sets()
        return None if data is None else read_restricted_sets(data, str(self.config.restricted_sets_file))

    @cached_property
    def exceptions(self) -> dict[str, str]:
        """The installation's file of exceptions as a rule set takes it, by the name that it has there; or empty."""
        from ledger.rulesets import EXCEPTIONS  # noqa: PLC0415

        text = self.config.exceptions()
        return {} if text is None else {EXCEPTIONS: text}

    def rules(self) -> RuleSet:
        """The rules of this installation: the shipped ones, with its exceptions and its restricted sets.

        Raises: ConfigError, RuleError that names the file and the line.
        """
        from ledger.rulesets import shipped_rules  # noqa: PLC0415

        try:
            return shipped_rules(self.exceptions, self.restricted_sets)
        except RuleError as error:
            # Of the shipped files none can be wrong where the program was tested, so this is the installation's own.
            for name in self.exceptions:
                if error.detail.startswith(f"{name}:"):
                    raise RuleError(f"{self.config.exceptions_file}{error.detail.removeprefix(name)}") from None
            raise

    @cached_property
    def enrolments(self) -> EnrolmentDirectory:
        """What the authority handed over."""
        return EnrolmentDirectory(self.config.enrolments_dir)

    def chain(self, *, account: TransactionSigner | None = None, journal: AnchorStore | None = None) -> EvmChain:
        """The chain; reading needs neither account nor journal."""
        from ledger.adapters.chain.evm import EvmChain  # noqa: PLC0415

        return EvmChain(
            self.config.chain.endpoints,
            self.trusted_chain,
            self.config.origin,
            settings=chain_settings(self.config),
            account=account,
            journal=journal,
        )

    def account(self, name: str) -> TransactionSigner:
        """One of the accounts in the keys directory; where a signer has the keys, its file only says which it is."""
        from ledger.adapters.chain.remote_signer import RemoteAccount  # noqa: PLC0415
        from ledger.adapters.keystore.ethereum import address_of, load_account  # noqa: PLC0415

        if self.config.chain.signer:
            return RemoteAccount(self.config.chain.signer, address_of(self.config.keys_dir / name))
        return load_account(self.config.keys_dir / name, self.config.passphrase())

    def identity(self) -> Identity:
        """What the sequencer signs with. Only the sequencer's process opens these keys."""
        passphrase, keys = self.config.passphrase(), self.config.keys_dir
        origin = self.config.origin
        return Identity(
            origin=origin,
            issuer=self.config.issuer,
            platform=load_signer(keys / PLATFORM_KEY, passphrase),
            log=NoteSigner(origin, load_signer(keys / LOG_KEY, passphrase)),
            receipt=NoteSigner(receipt_key_name(origin), load_signer(keys / RECEIPT_KEY, passphrase)),
            lookup_key=self.lookup_key(),
            zone=self.zone(),
            merge_delay_ms=self.config.merge_delay_ms,
        )

    def lookup_key(self) -> bytes:
        """Finds surrogates again. Raises: ConfigError. For the sequencer and the audit only."""
        return load_lookup_key(self.config.keys_dir / LOOKUP_KEY, self.config.passphrase())

    def zone(self) -> ZoneInfo:
        """The county's time zone. Raises: ConfigError."""
        try:
            return ZoneInfo(self.config.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"[portal] timezone: {self.config.timezone!r} is no time zone") from error

    @property
    def desk_keys(self) -> DeskKeyFiles:
        """The supervisors' key files; each opens under its owner's password only."""
        return DeskKeyFiles(self.config.keys_dir / "desk")

    @property
    def clock_pause(self) -> ClockPauseFile:
        """A jump of the clock that nobody has confirmed yet."""
        return ClockPauseFile(self.config.state_dir / "guard" / CLOCK_JUMP)

    def guard(self) -> FileHeadGuard:
        """The last signed head, in a file apart from the database."""
        return FileHeadGuard(self.config.state_dir / "guard" / "signed-head")


def open_installation(state: Path | None) -> Installation:
    """The installation that `--state` names, or else the environment.

    Raises: ConfigError.
    """
    return Installation(load(state or state_dir_from_environment()))
