"""Margin: what is in use, what an entry needs, and where the broker's figure and ours differ.

Guarantees: what is open counts by the broker's figure once the account was read after the last deal, else by the greater of the
broker's and ours; a broker's figure of zero beside open positions is no figure. What cannot be reckoned is None, never zero.
Does not: hold the formulas (`core.model.money`) or judge a level (`core.risk.breakers`).
Units: money in account currency.
"""

from __future__ import annotations

from msgspec import Struct

from quarterdeck.core.desk.context import Context
from quarterdeck.core.desk.equity import LOTS_NOISE
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.inputs import AccountRead
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.money import Valuer
from quarterdeck.core.model.units import Lots, Money, Price, UtcNs

_FLOATING_UNITS = 2.0
"""Smallest units by which two sums of the same rounded margins may differ."""


class _SymbolMargin(Struct):
    """Volume of one symbol: lots and lots times price, by side."""

    buy_lots: Lots = 0.0
    buy_value: float = 0.0
    sell_lots: Lots = 0.0
    sell_value: float = 0.0


class OwnMargin(Struct, frozen=True):
    """Our own figure; without `complete`, an external position in a symbol that we cannot value is missing from it."""

    money: Money
    complete: bool


def traded(ctx: Context, at_utc_ns: UtcNs) -> None:
    """A deal or a fill changed what is open: a margin that was read before does not hold it."""
    ctx.state.margin_read = False
    ctx.state.traded_utc_ns = max(ctx.state.traded_utc_ns, at_utc_ns)


def account_margin_read(ctx: Context, read: AccountRead) -> None:
    """The broker's margin was read; a reading that began before the last deal says nothing of it."""
    state = ctx.state
    state.margin_read = not read.read_utc_ns or read.read_utc_ns >= state.traded_utc_ns
    if state.margin_read:
        _compare(ctx, read.account)


def used_margin_money(ctx: Context) -> Money | None:
    """Margin of all that is open; None while neither the broker's figure nor a rate is known."""
    account = ctx.state.account
    if account is None:
        return None
    if ctx.state.margin_read and account.margin_money > 0.0:
        return account.margin_money
    ours = own_margin(ctx, account)
    return None if ours is None else max(ours.money, account.margin_money)


def own_margin(ctx: Context, account: Account) -> OwnMargin | None:
    """Margin of all that is open by our own reckoning, hedged volume as the instruments say; None while a rate is missing."""
    books: dict[str, _SymbolMargin] = {}
    ours: dict[str, bool] = {}
    for position in ctx.state.positions.values():
        if position.lots > LOTS_NOISE:
            _count(books, position.symbol, position.side, position.lots, position.open_price)
            ours[position.symbol] = True
    for foreign in ctx.state.external_positions.values():
        held = foreign.at_broker
        _count(books, held.symbol, held.side, held.lots, held.open_price)
    total, complete = 0.0, True
    for symbol, book in books.items():
        valuer = ctx.valuer(symbol)
        one = None if valuer is None else _of_symbol(ctx, account, valuer, book)
        if one is not None:
            total += one
        elif symbol in ours:
            return None
        else:
            complete = False
    return OwnMargin(total, complete)


def _count(books: dict[str, _SymbolMargin], symbol: str, side: Side, lots: Lots, price: Price) -> None:
    book = books.get(symbol)
    if book is None:
        book = books[symbol] = _SymbolMargin()
    if side is Side.BUY:
        book.buy_lots += lots
        book.buy_value += lots * price
    else:
        book.sell_lots += lots
        book.sell_value += lots * price


def _of_symbol(ctx: Context, account: Account, valuer: Valuer, book: _SymbolMargin) -> Money | None:
    buys = (book.buy_lots, book.buy_value / book.buy_lots if book.buy_lots > 0.0 else 0.0)
    sells = (book.sell_lots, book.sell_value / book.sell_lots if book.sell_lots > 0.0 else 0.0)
    if account.hedging:
        return valuer.hedged_margin_money(buys, sells, account.leverage, ctx.rates)
    side, (lots, price) = (Side.BUY, buys) if book.buy_lots >= book.sell_lots else (Side.SELL, sells)
    return valuer.margin_money(side, lots, price, account.leverage, ctx.rates)


def entry_margin_money(ctx: Context, symbol: str, side: Side, lots: Lots, price: Price) -> Money | None:
    """Margin that an entry adds: what the broker asks for a lot as the specification was read last, else by our own reckoning."""
    account, valuer = ctx.state.account, ctx.valuer(symbol)
    if account is None or valuer is None:
        return None
    spec = valuer.instrument
    asked = spec.order_margin_buy_money if side is Side.BUY else spec.order_margin_sell_money
    if asked > 0.0:
        return asked * lots
    return valuer.margin_money(side, lots, price, account.leverage, ctx.rates)


def margin_level_pct(ctx: Context, extra_money: Money = 0.0) -> float | None:
    """Equity as percent of the margin in use and `extra_money`; None where no margin is in use or a figure is unknown."""
    margin, equity = used_margin_money(ctx), ctx.state.equity_money
    if margin is None or equity is None or margin + extra_money <= 0.0:
        return None
    return 100.0 * equity / (margin + extra_money)


def _compare(ctx: Context, account: Account) -> None:
    """Alert once a day that the broker's margin differs from our own figure."""
    state = ctx.state
    if account.margin_money <= 0.0 or not (state.positions or state.external_positions):
        return
    if state.margin_gap_day_utc_ns == state.day_end_utc_ns and state.day_end_utc_ns:
        return
    ours = own_margin(ctx, account)
    if ours is None or not ours.complete:
        return
    most, gap = ctx.settings.account.broker_gap_max_pct / 100.0, abs(account.margin_money - ours.money)
    if gap <= most * account.margin_money or gap <= _FLOATING_UNITS * 10.0**-account.currency_digits:
        return
    state.margin_gap_day_utc_ns = state.day_end_utc_ns
    text = (
        f"The broker reports a margin of {account.margin_money:.2f} {account.currency} in use; by contract sizes and leverage it "
        f"is {ours.money:.2f}. The desk uses the broker's figure. Ask the broker which margin rates apply to this account."
    )
    ctx.emit(Alert(kind="risk", level="warning", text=text))
