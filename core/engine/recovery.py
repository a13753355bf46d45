"""What the journal knows of an account before a run begins: the desk as it was, the deals it was told, and whether it is new.

The desk is the tape since the last checkpoint, fed to a fresh one (F1, G1). Promises: effects of the past are dropped, never
performed again; what was in flight stays so, and the desk asks after it; a deal that was told is not told twice, and none that
fell while nobody looked is missed; a real account that this home never traded wants the operator's word (C2).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.journal.tape_reader import TapeReader, recovery_state
from quarterdeck.core.model.broker_account import Account, TradeMode
from quarterdeck.core.model.errors import BrokerError, InvariantError
from quarterdeck.core.model.units import H1_NS, UtcNs

StepReporter = Callable[[str], None]
_KNOWN = """SELECT DISTINCT d.deal_ticket FROM deals AS d JOIN runs AS r ON r.run = d.run
    WHERE r.mode = ? AND r.account = ? AND r.server = ? AND d.at_utc_ns >= ?"""


class RecoveredRun(Struct, frozen=True, kw_only=True):
    """Where an account's last run stood."""

    state: bytes
    until_utc_ns: UtcNs
    """The last instant that reached the journal."""
    known_deals: tuple[int, ...]
    """Tickets of the two hours before it; later deals are news."""
    died_utc_ns: UtcNs | None
    """The last word of a run that ended without one; None where the newest ended in order."""
    first_utc_ns: UtcNs
    """When this home first traded the account; what is older is not ours to book."""


def recover_run(journal: Path, account: Account, mode: TradeMode, on_step: StepReporter) -> RecoveredRun | None:
    """What to go on from, or None where this account has no past in this mode. Raises StorageError."""
    with TapeReader(journal) as reader:
        past = recovery_state(reader, mode=mode, account=account.login, server=account.server)
        if past is None:
            return None
        on_step(f"restoring from {past.count} inputs since the last checkpoint")
        desk = Desk()
        until = 0
        for stamped in past.inputs():
            try:
                desk.on(stamped)
            except InvariantError:
                break  # the last run ended by this very input; what it knew before is what is restored
            until = stamped.at_utc_ns
        if not until:
            return None
        known = reader.rows(_KNOWN, mode, account.login, account.server, until - 2 * H1_NS)
        mine = [run for run in reader.runs() if (run.mode, run.account, run.server) == (mode, account.login, account.server)]
        return RecoveredRun(
            state=desk.checkpoint(),
            until_utc_ns=until,
            known_deals=tuple(ticket for (ticket,) in known),
            died_utc_ns=until if mine[-1].ended_utc_ns is None else None,
            first_utc_ns=min(run.started_utc_ns for run in mine),
        )


def confirm_real_account(journal: Path, account: Account, yes_real: int) -> None:
    """Let a real account pass that this home has traded before, or that the operator named now. Raises BrokerError."""
    if account.mode != "real" or account.login == yes_real:
        return
    with TapeReader(journal) as reader:
        if any((run.mode, run.account, run.server) == ("real", account.login, account.server) for run in reader.runs()):
            return
    raise BrokerError(
        f"{account.login} on {account.server} is a real account, and this home has never traded it",
        what_to_do=f"if that is meant, start once with --yes-real {account.login}",
    )
