"""What an operator, or the broker, does in a simulated terminal: money in and out, manual orders, other symbols, silent quotes.

Why: an engine must be seen to meet what no order of its own causes, before that happens with money.
Guarantees: each action writes the rows that MetaTrader 5 writes (type, reason, comment, magic number 0); an action that the
broker would refuse changes nothing and says why. What an action changes beside the ledger is a `Rehearsal`, which outlives the
process.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from quarterdeck.core.brokers.simulator import trade_server
from quarterdeck.core.brokers.simulator.ledger_changes import cancel_deal, list_symbol, rename_symbol, set_terms
from quarterdeck.core.brokers.simulator.ledger_rows import (
    BUY_TYPES,
    CREDIT_DEALS,
    DEAL_BUY_CANCELED,
    ORDER_BUY,
    ORDER_SELL,
    REASON_CLIENT,
    LedgerOrder,
    LedgerPosition,
)
from quarterdeck.core.brokers.simulator.module_constants import RETCODE_TEXTS
from quarterdeck.core.brokers.simulator.simulated_terminal import SimulatedTerminal
from quarterdeck.core.brokers.simulator.trade_server import MqlTradeRequest
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.errors import DataError, UsageError
from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.units import NS_PER_S, S_PER_MINUTE, Lots, Money, Price, UtcNs

FOR_EVER_UTC_NS: UtcNs = 2**62
_DEALS_SHOWN = 12
_ACCEPTED = (10008, 10009, 10010)
_MINUTE_NS = S_PER_MINUTE * NS_PER_S
_COMMENT_UNITS = 31
"""Characters that a deal's comment has room for."""

_LOOK = "look at `quarterdeck terminal show`"

OldSymbol = Literal["gone", "disabled", "close_only", "beside"]


class MoveMoney(Struct, frozen=True, kw_only=True, tag="money"):
    """A deal that is no trade; what is taken is negative. `deal_type` is the module's number."""

    deal_type: int
    amount_money: Money
    comment: str = ""


class OpenByHand(Struct, frozen=True, kw_only=True, tag="open"):
    """A position opened at the market; 0 is no stop and no target."""

    symbol: str
    side: Literal["buy", "sell"]
    lots: Lots
    stop_price: Price = 0.0
    target_price: Price = 0.0
    comment: str = ""


class CloseByHand(Struct, frozen=True, kw_only=True, tag="close"):
    """A position closed at the market, or a part of it; 0 lots are all."""

    ticket: int
    lots: Lots = 0.0


class MoveStops(Struct, frozen=True, kw_only=True, tag="stop"):
    """Stop and target of a position; 0 removes one, None leaves it."""

    ticket: int
    stop_price: Price | None = None
    target_price: Price | None = None


class RenameSymbol(Struct, frozen=True, kw_only=True, tag="rename"):
    """Another name for a symbol. `old`: positions move along and the old name is gone; or it stays with its positions."""

    symbol: str
    name: str
    old: OldSymbol = "gone"


class FreezeQuotes(Struct, frozen=True, kw_only=True, tag="freeze"):
    """A symbol is quoted no more for so long; None is until it is thawed, 0 thaws it."""

    symbol: str
    minutes: float | None = None


class SpikeQuote(Struct, frozen=True, kw_only=True, tag="spike"):
    """One bad tick: the quote jumps by so many pips, and the next tick comes after so many seconds; no stop is touched by it."""

    symbol: str
    pips: float
    seconds: float = 1.0


class RefuseRequests(Struct, frozen=True, kw_only=True, tag="refuse"):
    """The next trade requests are refused with that return code; 0 times takes the rest back."""

    code: int
    times: int = 1


class ChangeSpecification(Struct, frozen=True, kw_only=True, tag="specify"):
    """Fields of a symbol's specification, named as in `Instrument`."""

    symbol: str
    fields: dict[str, str]


class SetCommission(Struct, frozen=True, kw_only=True, tag="commission"):
    """How the broker charges deals from here on."""

    per_lot_money: Money
    currency: str = "USD"
    on: Literal["both", "open", "close"] = "both"
    minimum_money: Money = 0.0


class CancelDeal(Struct, frozen=True, kw_only=True, tag="cancel"):
    """The broker takes a deal back."""

    ticket: int


class LoseServer(Struct, frozen=True, kw_only=True, tag="disconnect"):
    """The terminal is without its trade server for so long; 0 brings it back."""

    minutes: float


class ShowTerminal(Struct, frozen=True, kw_only=True, tag="show"):
    """Say what is in the terminal."""


TerminalAction = (
    MoveMoney
    | OpenByHand
    | CloseByHand
    | MoveStops
    | RenameSymbol
    | FreezeQuotes
    | SpikeQuote
    | RefuseRequests
    | ChangeSpecification
    | SetCommission
    | CancelDeal
    | LoseServer
    | ShowTerminal
)
_CHANGEABLE = tuple(
    name for name in Instrument.__struct_fields__ if name not in ("symbol", "base_currency", "profit_currency", "sessions")
)


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What actions changed beside the ledger."""

    names: dict[str, str] = {}
    """Symbols beside the market's own, and which of its symbols prices each."""
    instruments: tuple[Instrument, ...] = ()
    """All that is offered, where something was renamed or changed; empty: what settings say."""
    frozen: dict[str, UtcNs] = {}
    commission: SetCommission | None = None
    offline_until_utc_ns: UtcNs = 0


class OperatorActions:
    """Carries out actions on one terminal."""

    def __init__(self, terminal: SimulatedTerminal, kept: Rehearsal | None = None) -> None:
        """`kept` is what actions of an earlier process changed. Raises DataError when its commission cannot be converted."""
        self._terminal = terminal
        self.rehearsal = kept or Rehearsal()
        for spec in self.rehearsal.instruments:
            like = self.rehearsal.names.get(spec.symbol)
            if like is None:
                list_symbol(terminal.ledger, spec)
            else:
                terminal.list_symbol(spec, like)
        offered = {spec.symbol for spec in self.rehearsal.instruments}
        for symbol in [name for name in terminal.ledger.instruments if offered and name not in offered]:
            successor = next(name for name, like in self.rehearsal.names.items() if like == symbol and name in offered)
            rename_symbol(terminal.ledger, symbol, successor)
        terminal.faults.frozen.update(self.rehearsal.frozen)
        if self.rehearsal.commission is not None:
            self._charge_as(self.rehearsal.commission)
        terminal.faults.lose_server(self.rehearsal.offline_until_utc_ns)

    def act(self, text: str) -> str:
        """Carry out an action given as JSON, and say what was done. Raises UsageError for one that cannot be done."""
        try:
            action = msgspec.json.decode(text, type=TerminalAction)
        except msgspec.DecodeError as error:
            raise UsageError(f"no action of a terminal: {error}", what_to_do="use the same Quarterdeck on both sides") from error
        return self.carry_out(action)

    def carry_out(self, action: TerminalAction) -> str:
        """As `act`."""
        match action:
            case MoveMoney():
                return self._money(action)
            case OpenByHand():
                return self._open(action)
            case CloseByHand():
                return self._close(action)
            case MoveStops():
                return self._stops(action)
            case RenameSymbol():
                return self._rename(action)
            case FreezeQuotes():
                return self._freeze(action)
            case SpikeQuote():
                return self._spike(action)
            case RefuseRequests():
                return self._refuse_next(action)
            case ChangeSpecification():
                return self._specify(action)
            case SetCommission():
                self._charge_as(action)
                self._remember(commission=action)
                least = f", at least {action.minimum_money:g} a deal" if action.minimum_money else ""
                return f"commission: {action.per_lot_money:g} {action.currency} per lot on {action.on}{least}"
            case CancelDeal():
                return self._cancel(action)
            case LoseServer():
                until = self._terminal.now_utc_ns + int(action.minutes * _MINUTE_NS)
                self._terminal.faults.lose_server(until)
                self._remember(offline_until_utc_ns=until)
                return f"no trade server until {iso(until)}" if action.minutes else "the trade server is back"
            case ShowTerminal():
                return self._show()

    # ------------------------------------------------------------------------------------------------ money

    def _money(self, action: MoveMoney) -> str:
        ledger = self._terminal.ledger
        amount = action.amount_money
        if action.deal_type not in range(2, 21) or action.deal_type in (DEAL_BUY_CANCELED, DEAL_BUY_CANCELED + 1):
            raise UsageError(
                f"deal type {action.deal_type} moves no money by itself", what_to_do="give one of 2 to 12 or 15 to 20"
            )
        free = ledger.equity_money() - ledger.margin_money()
        if amount < 0.0 and action.deal_type == 2 and -amount > free:
            raise UsageError(f"{-amount:,.2f} is more than the free margin of {free:,.2f}", what_to_do="take less")
        deal = ledger.cash(amount, action.comment[:_COMMENT_UNITS], kind=action.deal_type)
        word = "credit" if action.deal_type in CREDIT_DEALS else "balance"
        now = ledger.credit_money if action.deal_type in CREDIT_DEALS else ledger.balance_money
        return f"deal {deal.ticket} of type {deal.kind}: {amount:+,.2f} {ledger.terms.currency}; {word} {now:,.2f}"

    def _cancel(self, action: CancelDeal) -> str:
        deal = cancel_deal(self._terminal.ledger, action.ticket)
        if deal is None:
            raise UsageError(f"there is no trade with deal ticket {action.ticket}", what_to_do=_LOOK)
        return f"deal {deal.ticket} is cancelled (type {deal.kind}); balance {self._terminal.ledger.balance_money:,.2f}"

    def _charge_as(self, action: SetCommission) -> None:
        ledger = self._terminal.ledger
        try:
            set_terms(
                ledger,
                structs.replace(
                    ledger.terms,
                    commission_per_lot_money=action.per_lot_money,
                    commission_currency=action.currency,
                    commission_on=action.on,
                    commission_minimum_money=action.minimum_money,
                ),
            )
        except DataError as error:
            raise UsageError(str(error), what_to_do="name a currency that a traded pair converts") from error

    # ------------------------------------------------------------------------------------------------ trades

    def _open(self, action: OpenByHand) -> str:
        self._known(action.symbol)
        kind = ORDER_BUY if action.side == "buy" else ORDER_SELL
        spec = self._terminal.ledger.instruments[action.symbol]
        request = MqlTradeRequest(
            action=trade_server.DEAL, symbol=action.symbol, volume=action.lots, sl=action.stop_price, tp=action.target_price,
            type=kind, type_filling=0 if spec.filling_flags & 1 else 1, comment=action.comment[:_COMMENT_UNITS],
        )  # fmt: skip
        price = self._fill(request, None)
        return f"{action.side} {action.lots:g} {action.symbol} at {price:g}: ticket {self._newest(action.symbol)}"

    def _close(self, action: CloseByHand) -> str:
        held = self._held(action.ticket)
        lots = action.lots or held.lots
        kind = ORDER_SELL if held.side is Side.BUY else ORDER_BUY
        spec = self._terminal.ledger.instruments[held.symbol]
        request = MqlTradeRequest(
            action=trade_server.DEAL, symbol=held.symbol, volume=lots, type=kind, position=held.ticket,
            type_filling=0 if spec.filling_flags & 1 else 1,
        )  # fmt: skip
        price = self._fill(request, held)
        return f"closed {lots:g} of {action.ticket} {held.symbol} at {price:g}"

    def _fill(self, request: MqlTradeRequest, closing: LedgerPosition | None) -> Price:
        ledger = self._terminal.ledger
        self._refuse(trade_server.refusal(ledger, request))
        bid, ask, _ = ledger.quotes[request.symbol]
        price = ask if request.type in BUY_TYPES else bid
        order = LedgerOrder(
            0, request.symbol, request.type, request.volume, price, request.sl, request.tp, ledger.now_utc_ns, 0,
            request.comment, REASON_CLIENT,
        )  # fmt: skip
        ledger.fill(ledger.new_order(order), request.volume, price, "market", closing=closing)
        return price

    def _stops(self, action: MoveStops) -> str:
        held = self._held(action.ticket)
        stop = held.stop_price if action.stop_price is None else action.stop_price
        target = held.target_price if action.target_price is None else action.target_price
        request = MqlTradeRequest(action=trade_server.SLTP, symbol=held.symbol, position=held.ticket, sl=stop, tp=target)
        self._refuse(trade_server.refusal(self._terminal.ledger, request))
        self._terminal.ledger.set_stops(held, stop, target)
        return f"{action.ticket} {held.symbol}: stop {stop:g}, target {target:g}"

    # ------------------------------------------------------------------------------------------------ symbols

    def _rename(self, action: RenameSymbol) -> str:
        self._known(action.symbol)
        ledger = self._terminal.ledger
        if not action.name or action.name in ledger.instruments:
            raise UsageError(f"{action.name!r} cannot be the new name: it is offered already", what_to_do="choose another")
        spec = ledger.instruments[action.symbol]
        self._terminal.list_symbol(structs.replace(spec, symbol=action.name), action.symbol)
        moved = sum(row.symbol == action.symbol for row in ledger.positions.values())
        if action.old == "gone":
            rename_symbol(ledger, action.symbol, action.name)
            if self._terminal.state.watch.pop(action.symbol, None) is not None:
                self._terminal.state.watch[action.name] = ledger.now_utc_ns
        elif action.old != "beside":
            list_symbol(ledger, structs.replace(spec, trade_mode=action.old))
        self._remember_symbols()
        if action.old == "gone":
            return f"{action.symbol} is {action.name} now, with {moved} positions"
        return f"{action.name} is offered beside {action.symbol}, which is {'open' if action.old == 'beside' else action.old}"

    def _freeze(self, action: FreezeQuotes) -> str:
        self._known(action.symbol)
        frozen = self._terminal.faults.frozen
        if action.minutes == 0.0:
            frozen.pop(action.symbol, None)
            said = f"{action.symbol} is quoted again"
        else:
            minutes = action.minutes
            until = FOR_EVER_UTC_NS if minutes is None else self._terminal.now_utc_ns + int(minutes * _MINUTE_NS)
            frozen[action.symbol] = until
            said = f"{action.symbol} is frozen until " + ("it is thawed" if minutes is None else iso(until))
        self._remember(frozen=dict(frozen))
        return said

    def _spike(self, action: SpikeQuote) -> str:
        self._known(action.symbol)
        ledger = self._terminal.ledger
        spec = ledger.instruments[action.symbol]
        bid, ask, _ = ledger.quotes[action.symbol]
        bad_bid, bad_ask = (round(price + action.pips * spec.pip, spec.digits) for price in (bid, ask))
        if bad_bid <= 0.0:
            raise UsageError(f"{action.symbol} cannot be quoted at {bad_bid:g}", what_to_do="give fewer pips")
        now = ledger.now_utc_ns
        ledger.quotes[action.symbol] = (bad_bid, bad_ask, now)
        self._terminal.faults.frozen[action.symbol] = now + int(action.seconds * NS_PER_S)
        return f"{action.symbol} is quoted {bad_bid:g} / {bad_ask:g} for {action.seconds:g} s, after {bid:g} / {ask:g}"

    def _refuse_next(self, action: RefuseRequests) -> str:
        if action.code not in RETCODE_TEXTS or action.code in _ACCEPTED:
            refusals = ", ".join(str(code) for code in sorted(RETCODE_TEXTS) if code not in _ACCEPTED)
            raise UsageError(f"{action.code} refuses nothing", what_to_do=f"give one of {refusals}")
        self._terminal.faults.refuse_next(action.code, action.times)
        return f"the next {action.times} trade requests are refused with {action.code} ({RETCODE_TEXTS[action.code]})"

    def _specify(self, action: ChangeSpecification) -> str:
        self._known(action.symbol)
        ledger = self._terminal.ledger
        strange = [name for name in action.fields if name not in _CHANGEABLE]
        if strange:
            raise UsageError(f"a specification has no {', '.join(strange)}", what_to_do=f"name one of {', '.join(_CHANGEABLE)}")
        changed: dict[str, Any] = structs.asdict(ledger.instruments[action.symbol]) | action.fields
        try:
            spec = msgspec.convert(changed, Instrument, strict=False)
        except msgspec.ValidationError as error:
            raise UsageError(f"{action.symbol} cannot be specified so: {error}", what_to_do="see docs/metatrader5.md") from error
        list_symbol(ledger, spec)
        self._remember_symbols()
        return f"{action.symbol}: " + ", ".join(f"{name} {getattr(spec, name)}" for name in action.fields)

    # ------------------------------------------------------------------------------------------------ inside

    def _show(self) -> str:
        ledger = self._terminal.ledger
        currency = ledger.terms.currency
        lines = [
            (
                f"{iso(ledger.now_utc_ns)}  balance {ledger.balance_money:,.2f} {currency}, credit {ledger.credit_money:,.2f}, "
                f"equity {ledger.equity_money():,.2f}, margin {ledger.margin_money():,.2f}"
            )
        ]
        lines += [
            f"deal {deal.ticket} type {deal.kind} entry {deal.entry} {deal.lots:g} {deal.symbol} {deal.profit_money:+,.2f} "
            f"commission {deal.commission_money:+,.2f} magic {deal.magic} {deal.comment}".rstrip()
            for deal in ledger.deals[-_DEALS_SHOWN:]
        ]
        for symbol, spec in ledger.instruments.items():
            if symbol in ledger.quotes:
                bid, ask, at = ledger.quotes[symbol]
                lines.append(f"{symbol} {bid:.{spec.digits}f} {ask:.{spec.digits}f} {iso(at)} {spec.trade_mode}")
        lines += [
            f"position {held.ticket} {held.side.word} {held.lots:g} {held.symbol} at {held.open_price:g}, "
            f"stop {held.stop_price:g}, target {held.target_price:g}, magic {held.magic}"
            for held in ledger.positions.values()
        ]
        return "\n".join(lines)

    def _known(self, symbol: str) -> None:
        offered = self._terminal.ledger.instruments
        if symbol not in offered:
            raise UsageError(f"the broker has no {symbol}", what_to_do=f"it has {', '.join(offered)}")

    def _held(self, ticket: int) -> LedgerPosition:
        held = self._terminal.ledger.positions.get(ticket)
        if held is None:
            open_now = ", ".join(map(str, self._terminal.ledger.positions)) or "none"
            raise UsageError(f"there is no position {ticket}", what_to_do=f"open are: {open_now}")
        return held

    def _newest(self, symbol: str) -> int:
        tickets = [held.ticket for held in self._terminal.ledger.positions.values() if held.symbol == symbol]
        return tickets[-1] if tickets else 0

    def _refuse(self, code: int) -> None:
        if code:
            raise UsageError(
                f"the broker refuses it: {RETCODE_TEXTS[code]} ({code})", what_to_do="see `quarterdeck terminal show`"
            )

    def _remember_symbols(self) -> None:
        self._remember(names=dict(self._terminal.names), instruments=tuple(self._terminal.ledger.instruments.values()))

    def _remember(self, **changed: Any) -> None:
        self.rehearsal = structs.replace(self.rehearsal, **changed)
        self._terminal.ledger.changes += 1
