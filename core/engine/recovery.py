"""The desk as it was when the last run of this account ended, however it ended: its tape, fed to a fresh desk (F1, G1).

Promises: effects of the past are dropped, never performed again; what was in flight stays so, and the desk asks after it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.desk.desk import Desk
from core.journal.tape import TapeReader, last_state
from core.model.book import Account, TradeMode
from core.model.errors import InvariantBroken


def recovered(journal: Path, account: Account, mode: TradeMode, on_step: Callable[[str], None]) -> bytes | None:
    """The state to go on from, or None where this account has no past in this mode. Raises StorageError."""
    with TapeReader(journal) as reader:
        past = last_state(reader, mode=mode, account=account.login, server=account.server)
        if past is None:
            return None
        on_step(f"restoring from {past.count} inputs since the last checkpoint")
        desk = Desk()
        fed = 0
        for stamped in past.inputs():
            try:
                desk.on(stamped)
            except InvariantBroken:
                break  # the last run ended by this very input; what it knew before is what is restored
            fed += 1
        return desk.checkpoint() if fed else None
