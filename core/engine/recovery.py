"""What the journal knows of an account before a run begins: the desk as it was, the deals it got, and whether it is new.

The desk is the tape since the last checkpoint, fed to a fresh one. Promises: effects of the past are dropped, never
performed again; what was in flight stays so, and the desk queries it; a deal that was reported is not reported twice, and none
that fell while nobody looked is missed; a real account that this home never traded wants the operator's decision. A journal
that is not what was written (a broken checksum, a row that cannot be read, a run that is gone) is used as far as it goes and
reported: the desk then begins without entries.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.journal.heartbeat import read_heartbeat
from quarterdeck.core.journal.tape_reader import NewerTape, RecoveryState, Run, TapeReader, recovery_state
from quarterdeck.core.model.broker_account import Account, TradeMode
from quarterdeck.core.model.errors import BrokerError, InvariantError, StorageError
from quarterdeck.core.model.inputs import EngineFault, Input, Restored
from quarterdeck.core.model.units import H1_NS, Money, UtcNs
from quarterdeck.core.settings.home import Home

StepReporter = Callable[[str], None]
_KNOWN = """SELECT d.deal_ticket, d.profit_money + d.commission_money + d.fee_money + d.swap_money + d.balance_money
    FROM deals AS d JOIN runs AS r ON r.run = d.run
    WHERE r.mode = ? AND r.account = ? AND r.server = ? AND d.at_utc_ns >= ? ORDER BY d.run, d.seq"""
KNOWN_DEALS_NS = 8 * 24 * H1_NS
"""Deals of so long before the last known instant are known by their tickets. The adapter reads a week by the server's clock; with
a clock change in it that is an hour more than a week of UTC."""
_SKIPPED_MAX = 8
"""Damaged inputs that the desk may stumble over before the rest is given up."""


class RecoveredRun(Struct, frozen=True, kw_only=True):
    """Where an account's last run stood."""

    state: bytes
    until_utc_ns: UtcNs
    """The last instant that reached the journal."""
    known_deals: dict[int, Money]
    """Tickets of the week before it and what each moved the balance by; later deals are news, and so are changed ones."""
    died_utc_ns: UtcNs | None
    """The last word of a run that ended without one; None where the newest ended in order."""
    first_utc_ns: UtcNs
    """When this home first traded the account; what is older is not ours to book."""
    not_owner: bool = False
    """Another engine had taken the account, and the operator has not resumed since."""


class Found(Struct, frozen=True, kw_only=True):
    """What a start has to continue from."""

    past: RecoveredRun | None = None
    damage: str = ""
    """What is wrong with the journal; empty where it is what was written."""

    def inputs(self) -> list[Input]:
        """What the desk gets the damage: no entries until the operator has looked, then `resume`."""
        if not self.damage:
            return []
        why = f"The journal is damaged: {self.damage}. What could be read was restored"
        return [
            EngineFault(kind="journal_damaged", active=True, why=why),
            EngineFault(kind="journal_damaged", active=False, why="Compare positions and orders with the broker"),
        ]


def recover_run(home: Home, account: Account, mode: TradeMode, on_step: StepReporter) -> Found:
    """What to continue from; nothing where this account has no past in this mode. Raises NewerTape."""
    try:
        with TapeReader(home.journal) as reader:
            mine = [run for run in reader.runs() if (run.mode, run.account, run.server) == (mode, account.login, account.server)]
            gone = _lost_run(home, account, mode, mine)
            found = recovery_state(reader, mode=mode, account=account.login, server=account.server)
            if found is None:
                return Found(damage=gone)
            desk, until, damage = _restored(reader, *found, on_step)
            known = reader.rows(_KNOWN, mode, account.login, account.server, until - KNOWN_DEALS_NS)
            past = RecoveredRun(
                state=desk.checkpoint(),
                until_utc_ns=until,
                known_deals={int(ticket): float(money) for ticket, money in known},
                died_utc_ns=until if mine[-1].ended_utc_ns is None else None,
                first_utc_ns=min(run.started_utc_ns for run in mine),
                not_owner=any(reason.code == "not_owner" for reason in desk.view().reasons),
            )
            return Found(past=past, damage=damage or gone)
    except NewerTape:
        raise
    except StorageError as error:
        return Found(damage=error.one_line())


def _lost_run(home: Home, account: Account, mode: TradeMode, runs: list[Run]) -> str:
    """What the heartbeat of the last engine says of a run that the journal does not know; empty where it knows it."""
    beat = read_heartbeat(home.heartbeat)
    if beat is None or (beat.mode, beat.account, beat.server) != (mode, account.login, account.server):
        return ""
    if any(run.run_id == beat.run_id for run in runs):
        return ""
    return f"it lacks run {beat.run_id}, which traded this account until {beat.wall}"


def _restored(reader: TapeReader, run: Run, places: list[int], on_step: StepReporter) -> tuple[Desk, UtcNs, str]:
    """A desk fed the past from the newest place that serves, the last instant it knows, and the damage met on the way.

    Raises:
        StorageError: no place serves.
    """
    damage = ""
    for place in places:
        try:
            past = RecoveryState(reader, run, place)
            on_step(f"restoring {past.count} inputs since the last checkpoint")
            fed = _fed(past)
        except NewerTape:
            raise
        except StorageError as error:
            damage = damage or str(error)
            continue
        if isinstance(fed, tuple):
            return (*fed, damage or past.damage)
        damage = damage or fed
    raise StorageError(damage)


def _fed(past: RecoveryState) -> tuple[Desk, UtcNs] | str:
    """A desk fed a past; or, in words, why its checkpoint does not serve.

    An input that the desk cannot book is left out where more follow: it is damaged. The last one may be what the run ended by:
    what was known before it is what is restored.
    """
    skipped: set[int] = set()
    while True:
        desk, until, broken, why = Desk(), 0, -1, ""
        for seq, stamped in past.inputs(skipped):
            if broken >= 0:
                break
            try:
                desk.on(stamped)
            except (InvariantError, msgspec.MsgspecError, ValueError, TypeError, LookupError, ArithmeticError) as error:
                if isinstance(stamped.input, Restored):
                    return f"the checkpoint of run {past.run.run_id} at input {seq} does not fit: {error}"
                broken, why = seq, f"input {seq} of run {past.run.run_id} cannot be booked: {error}"
            else:
                until = stamped.at_utc_ns
        else:
            return (desk, until) if until else "it is empty"
        past.damage = past.damage or why
        if len(skipped) == _SKIPPED_MAX:
            return desk, until
        skipped.add(broken)


def confirm_real_account(journal: Path, account: Account, yes_real: int) -> None:
    """Let a real account pass that this home has traded before, or that the operator named now. Raises BrokerError."""
    if account.mode != "real" or account.login == yes_real:
        return
    with TapeReader(journal) as reader:
        if any((run.mode, run.account, run.server) == ("real", account.login, account.server) for run in reader.runs()):
            return
    raise BrokerError(
        f"{account.login} on {account.server} is a real account, and this home has never traded it",
        what_to_do=f"to trade it, start once with --yes-real {account.login}",
    )
