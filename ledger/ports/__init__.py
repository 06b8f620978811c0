"""What the stages need of the outside world, as Protocols; the adapters implement them, tests fake them.

Nothing here does anything. Each method says what is true when it returns, because that is what the stages promise on.
"""

from ledger.ports.audit import Misfit, TableReader
from ledger.ports.chain import AnchorStore, Authority, Chain
from ledger.ports.engine import (
    EngineBatch,
    EngineReader,
    EngineStore,
    LifeRow,
    LineRow,
    OrderRow,
    OutboxRow,
    QueueFilter,
    RuleHealth,
    StepRow,
    StockRow,
    StreamRow,
    TimerRow,
)
from ledger.ports.keys import ClockPause, HeadGuard, Signer
from ledger.ports.log import (
    AppendBatch,
    Appender,
    BookState,
    Desk,
    DeskDraft,
    GrantDirectory,
    LogReader,
    LogWriter,
    NewEntry,
    NewTile,
    RecordFilter,
    Refused,
    StoredCheckpoint,
)
from ledger.ports.portal import PortalStore, Token, User

__all__ = [
    "AnchorStore",
    "AppendBatch",
    "Appender",
    "Authority",
    "BookState",
    "Chain",
    "ClockPause",
    "Desk",
    "DeskDraft",
    "EngineBatch",
    "EngineReader",
    "EngineStore",
    "GrantDirectory",
    "HeadGuard",
    "LifeRow",
    "LineRow",
    "LogReader",
    "LogWriter",
    "Misfit",
    "NewEntry",
    "NewTile",
    "OrderRow",
    "OutboxRow",
    "PortalStore",
    "QueueFilter",
    "RecordFilter",
    "Refused",
    "RuleHealth",
    "Signer",
    "StepRow",
    "StockRow",
    "StoredCheckpoint",
    "StreamRow",
    "TableReader",
    "TimerRow",
    "Token",
    "User",
]
