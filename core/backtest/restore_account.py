"""The broker's books at an instant of a tape, made from the desk that knew them, for a simulated terminal to continue from.

Promises: our positions with their stops, targets and swap, foreign ones whose prices the tape has, balance and credit; the desk's
peaks, breakers, results and reservations stay its own. Tickets continue above all that were ever given. What had to be left out
is reported. Does not: bring pending orders that the desk did not send: it does not judge them.
"""

from __future__ import annotations

from collections.abc import Container

from msgspec.structs import replace

from quarterdeck.core.brokers.simulator.books import LedgerSnapshot
from quarterdeck.core.brokers.simulator.ledger_rows import REASON_EXPERT, LedgerPosition
from quarterdeck.core.brokers.simulator.simulated_server_time import next_rollover_ns
from quarterdeck.core.brokers.simulator.terminal_builder import SIMULATED_LOGIN, SIMULATED_SERVER, account_terms
from quarterdeck.core.desk.desk_state import DeskState, encoded
from quarterdeck.core.engine.simulated_venues import REPLAY_RUN_ID
from quarterdeck.core.model.errors import DataError
from quarterdeck.core.model.units import NS_PER_MS, UtcNs
from quarterdeck.core.risk.balance import BalanceState
from quarterdeck.core.settings.schema import Settings

_FIRST_TICKET = 60_000_001
"""Above what the simulated broker gives by itself."""


def restored_desk(state: DeskState, settings: Settings) -> bytes:
    """The desk as a checkpoint of the run to come, on the simulated account; the real broker's numbers are forgotten."""
    account = state.account
    if account is None:
        raise DataError("the account had not been read yet at that time", what_to_do="ask for a later time")
    terms = account_terms(settings)
    state.account = replace(account, login=terms.login, server=terms.server, currency=terms.currency, hedging=terms.hedging)
    state.run_id = REPLAY_RUN_ID
    # tickets of the real broker say nothing here, and one that came again would be taken for booked
    state.deals.clear()
    state.fills.clear()
    state.recently_closed.clear()
    state.external_left.clear()
    state.early_deal_costs.clear()
    state.early_deal_lots.clear()
    state.pending.clear()
    state.balance, state.balance_ahead_money = BalanceState(), 0.0
    state.deal_money.clear()
    state.credit_ahead_money = 0.0
    state.results_without_trade.clear()
    state.results_dated_utc_ns.clear()
    return encoded(state)


def restored_books(
    state: DeskState, settings: Settings, symbols: Container[str], at_utc_ns: UtcNs
) -> tuple[LedgerSnapshot, tuple[str, ...]]:
    """(the books, what was left out of them in words)."""
    account = state.account
    if account is None:
        raise DataError("the account had not been read yet at that time", what_to_do="ask for a later time")
    ours = [
        LedgerPosition(
            held.ticket, held.position_id, held.symbol, held.side, held.lots, held.open_price, held.stop_price,
            held.target_price or 0.0, held.opened_utc_ns, held.changed_utc_ns, settings.account.magic, held.client_id,
            REASON_EXPERT, held.swap_money,
        )
        for held in state.positions.values()
    ]  # fmt: skip
    others = [one.at_broker for one in state.external_positions.values()]
    known = [held for held in others if held.symbol in symbols]
    ours += [
        LedgerPosition(
            held.ticket, held.position_id, held.symbol, held.side, held.lots, held.open_price, held.stop_price or 0.0,
            held.target_price or 0.0, held.opened_utc_ns, held.opened_utc_ns, held.magic, held.comment, REASON_EXPERT,
            held.swap_money,
        )
        for held in known
    ]  # fmt: skip
    notes = []
    if len(known) < len(others):
        notes.append(f"{len(others) - len(known)} external positions are left out: the tape has no prices of their symbols")
    if state.pending:
        notes.append(f"{len(state.pending)} pending orders that the desk did not send are left out")
    tickets = (
        _FIRST_TICKET - 1,
        *(row.ticket for row in ours),
        *(row.position_id for row in ours),
        *state.recently_closed,
        *state.fills,
    )
    books = LedgerSnapshot(
        login=settings.account.login or SIMULATED_LOGIN,
        server=settings.account.server or SIMULATED_SERVER,
        currency=account.currency,
        hedging=account.hedging,
        now_utc_ns=at_utc_ns - NS_PER_MS,  # as every recording begins: the quarter hour that ends here is still to be closed
        next_rollover_ns=next_rollover_ns(at_utc_ns),
        balance_money=state.balance_money,
        credit_money=account.credit_money,
        orders_made=max(tickets) + 1,
        positions=ours,
        orders=[],
        history=[],
        history_utc_ns=[],
        deals=[],
        quotes={},
    )
    return books, tuple(notes)
