"""The short way to the simulated broker: the adapter's own functions make the request, the ledger carries it out.

Why: the module's face, its records and their readers are most of the cost of an order, and a backtest needs none of them.
Promises: the same requests, the same ledger rows, and to the desk the same reports, deals, account and book as the adapter's;
what is not plain (a refusal, a change that stands already, a cancellation, a question) takes the adapter's way.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.brokers.mt5.trade_requests import RequestDict as Fields
from quarterdeck.core.brokers.mt5.trade_requests import (
    close_requests,
    filling_candidates,
    grid_price,
    modify_request,
    open_request,
    stops_problem,
)
from quarterdeck.core.brokers.simulator.ledger_rows import DEAL_BUY, DEAL_CREDIT, DEAL_SELL, LedgerDeal, LedgerPosition
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.trade_server import MqlTradeResult, execute, refusal, request_of
from quarterdeck.core.engine.lockstep import broker_inputs, run_without_loop
from quarterdeck.core.model.broker_account import Account, BrokerPosition, Deal, DealEntry, DealReason
from quarterdeck.core.model.decimals import rounded
from quarterdeck.core.model.effects import BrokerRequest as Effect
from quarterdeck.core.model.effects import Close, Modify, Submit
from quarterdeck.core.model.inputs import (
    AccountRead,
    BrokerBook,
    ExecutionReport,
    Filled,
    Input,
    NewDeal,
    OrderOutcome,
    RequestDone,
)
from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.units import NS_PER_MS, Money, Price, UtcNs

_DONE = 10009
_ENTRIES: tuple[DealEntry, ...] = ("in", "out", "inout", "out_by")
_REASONS: tuple[DealReason, ...] = ("client", "client", "client", "expert", "stop", "target", "stop_out")


class DirectBroker:
    """Performs on one simulated terminal; `adapter` is the long way to the same one."""

    def __init__(
        self, terminal: SimulatedTerminal, adapter: Broker, account: Account, instruments: Sequence[Instrument], magic: int
    ) -> None:
        """`account` and `instruments` as the adapter read them at the start."""
        self._terminal, self._adapter, self._account, self._magic = terminal, adapter, account, magic
        self._specs = {spec.symbol: spec for spec in instruments}
        self._told = len(terminal.ledger.deals)
        """How many deals of the ledger were handed out."""

    def perform(self, effect: Effect) -> Sequence[Input]:
        """Carry out one effect; what the desk must learn, in order."""
        fate = self._plain(effect)
        if fate is None:
            answer = run_without_loop(self._adapter.execute_request(effect))
            self._told = len(self._terminal.ledger.deals)
            return answer
        return [ExecutionReport(client_id=effect.client_id, order_outcome=fate), *self._news()]  # type: ignore[union-attr] # questions have no plain outcome

    def news(self) -> Sequence[Input]:
        """What the broker did on its own: new deals, the account and the book."""
        if self._terminal.ledger.orders:
            self._told = len(self._terminal.ledger.deals)
            return list(run_without_loop(broker_inputs(self._adapter)))
        return self._news()

    # ------------------------------------------------------------------------------------------------------ orders
    def _plain(self, effect: Effect) -> OrderOutcome | None:
        """What became of it, where nothing was in the way; None, and nothing done, for everything else."""
        spec = self._specs.get(getattr(effect, "symbol", ""))
        if spec is None or self._terminal.ledger.orders:
            return None
        if isinstance(effect, Submit):
            return self._submit(effect, spec)
        if isinstance(effect, Close):
            return self._close(effect, spec)
        return self._modify(effect, spec) if isinstance(effect, Modify) else None

    def _submit(self, effect: Submit, spec: Instrument) -> OrderOutcome | None:
        ledger, quote = self._terminal.ledger, self._quote(spec)
        if not ledger.terms.hedging:
            held = ledger.position_in(spec.symbol)
            if held is not None and (held.magic != self._magic or held.side is not effect.side or effect.target_price is None):
                return None
        if stops_problem(spec, effect.side, quote, effect.stop_price, effect.target_price):
            return None
        fields = open_request(
            effect,
            spec,
            quote,
            broker_symbol=spec.symbol,
            filling=filling_candidates(spec)[0],
            magic=self._magic,
            target_price=effect.target_price,
        )
        return self._deal(fields, effect.adds_to_position_id)

    def _close(self, effect: Close, spec: Instrument) -> OrderOutcome | None:
        held = self._terminal.ledger.positions.get(effect.ticket)
        if held is None or held.side is not effect.side:
            return None
        filling = filling_candidates(spec)[0]
        pieces = close_requests(
            effect, spec, self._quote(spec), broker_symbol=spec.symbol, filling=filling, magic=self._magic, open_lots=held.lots
        )
        return self._deal(pieces[0], effect.position_id) if len(pieces) == 1 else None

    def _modify(self, effect: Modify, spec: Instrument) -> OrderOutcome | None:
        held = self._terminal.ledger.positions.get(effect.ticket)
        if held is None:
            return None
        wanted = (grid_price(spec, effect.stop_price), grid_price(spec, effect.target_price))
        if wanted == (held.stop_price, held.target_price):
            return None
        outcome = self._carried(modify_request(effect, spec, broker_symbol=spec.symbol, magic=self._magic))
        return RequestDone() if outcome is not None else None

    def _deal(self, fields: Fields, position_id: int) -> OrderOutcome | None:
        outcome = self._carried(fields)
        if outcome is None:
            return None
        row = self._terminal.ledger.deals[-1]
        return Filled(
            order_ticket=row.order,
            position_id=row.position_id or position_id,
            deal_ticket=row.ticket,
            lots=rounded(row.lots, 8),
            price=row.price,
            bid=outcome.bid,
            ask=outcome.ask,
        )

    def _carried(self, fields: Fields) -> MqlTradeResult | None:
        """Send a request that the server will take; None, and nothing done, where it will not."""
        ledger, request = self._terminal.ledger, request_of(fields)
        if refusal(ledger, request):
            return None
        outcome = execute(ledger, request, checked=True)
        return outcome if outcome.retcode == _DONE else None

    def _quote(self, spec: Instrument) -> Quote:
        return shown_quote(spec.symbol, self._terminal.ledger.quotes[spec.symbol])

    # ------------------------------------------------------------------------------------------------------- reads
    def _news(self) -> list[Input]:
        ledger = self._terminal.ledger
        profits = ledger.profits_money()
        account = replace(
            self._account,
            balance_money=ledger.balance_money,
            credit_money=ledger.credit_money,
            equity_money=ledger.equity_money(profits),
            margin_money=ledger.margin_money(),
        )
        positions = tuple([_position_of(held, profit) for held, profit in zip(ledger.positions.values(), profits, strict=True)])
        deals: list[Input] = [NewDeal(deal=_deal_of(row)) for row in ledger.deals[self._told :]]
        self._told = len(ledger.deals)
        return [
            *deals,
            AccountRead(account=account, read_utc_ns=ledger.now_utc_ns),
            BrokerBook(known=True, at_utc_ns=ledger.now_utc_ns, positions=positions),
        ]


def shown_quote(symbol: str, quote: tuple[Price, Price, UtcNs]) -> Quote:
    """A quote of the ledger (bid, ask, when) as the terminal shows it."""
    return Quote(symbol=symbol, at_utc_ns=_to_ms(quote[2]), bid=quote[0], ask=quote[1])


def _position_of(held: LedgerPosition, profit_money: Money) -> BrokerPosition:
    return BrokerPosition(
        ticket=held.ticket,
        position_id=held.position_id or held.ticket,
        symbol=held.symbol,
        side=held.side,
        lots=rounded(held.lots, 8),
        open_price=held.open_price,
        stop_price=held.stop_price or None,
        target_price=held.target_price or None,
        opened_utc_ns=_to_ms(held.opened_utc_ns),
        magic=held.magic,
        comment=held.comment,
        swap_money=held.swap_money,
        profit_money=profit_money,
    )


def _deal_of(row: LedgerDeal) -> Deal:
    trade, credit = row.kind in (DEAL_BUY, DEAL_SELL), row.kind == DEAL_CREDIT
    whole = row.profit_money + row.commission_money + row.swap_money + row.fee_money
    return Deal(
        deal_ticket=row.ticket,
        order_ticket=row.order,
        position_id=row.position_id,
        symbol=row.symbol if trade else "",
        side=Side.SELL if row.kind == DEAL_SELL else Side.BUY,
        entry=_ENTRIES[row.entry],
        reason=_REASONS[row.reason],
        lots=rounded(row.lots, 8),
        price=row.price,
        at_utc_ns=_to_ms(row.at_utc_ns),
        profit_money=row.profit_money if trade else 0.0,
        commission_money=row.commission_money if trade else 0.0,
        fee_money=row.fee_money if trade else 0.0,
        swap_money=row.swap_money if trade else 0.0,
        balance_money=0.0 if trade or credit else whole,
        deal_type=row.kind,
        credit_money=whole if credit else 0.0,
        magic=row.magic,
        comment=row.comment,
        rule=row.rule,
    )


def _to_ms(utc_ns: UtcNs) -> UtcNs:
    """The instant as the terminal shows it, in whole milliseconds."""
    return utc_ns - utc_ns % NS_PER_MS
