"""Money from prices: profit, margin, swap and tick value of a position, in whatever currency the account has.

Why: sizing, floating profit, the simulated ledger and the audit must agree to the cent, so each formula is here alone.
Promises: a rate that is not known gives None, never 1 and never 0; results are rounded to the account currency's smallest unit.
Does not: know how a broker writes its symbols. `QuoteLookup` is asked for plain pair names ("EURUSD"); suffixes are its own
concern.
Rules: MetaTrader 5 platform manual ("Profit calculation", "Margin calculation: retail Forex"). FX profit rounds each leg to the
profit currency; "by deal" converts at the ask when a buy is closed and at the bid when a sell is; all else at the worse rate.

Code that values the same position at each quote keeps a `Valuer` per (instrument, account currency): its path is resolved once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Literal, Protocol

from msgspec import Struct

from quarterdeck.core.model.market_data import Instrument, Side
from quarterdeck.core.model.units import Lots, Money, Price

ConversionRule = Literal["by_deal", "by_market"]
"""The server's option for FX symbols: by the closing deal's direction (usual), or the worse rate for the client."""

_PIVOT = "USD"
CENT_CURRENCIES = {"USC": "USD", "USX": "USD", "EUC": "EUR", "EUX": "EUR", "GBX": "GBP", "GBC": "GBP"}
"""Currencies of cent accounts, as brokers call them, and the currency of which each is a hundredth."""
_CENTS = 100.0
_CENT_PAIRS = tuple(unit + cent for cent, unit in CENT_CURRENCIES.items())
"""Pairs that nobody quotes: one unit is a hundred cents."""
_WHOLE_UNIT_CURRENCIES = ("BIF", "CLP", "IDR", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF")
_THOUSANDTH_CURRENCIES = ("BHD", "JOD", "KWD", "OMR", "TND")
_EIGHT_DIGIT_CURRENCIES = ("BTC", "ETH")
_DAYS_OF_INTEREST_YEAR = 360.0
_SWAP_IN_POINTS = (1, 7, 8)
"""Numbers of the broker's swap modes: points, and reopening at a price that is moved by points."""
_SWAP_IN_PERCENT = (5, 6)
"""Yearly interest on the current or the opening price."""
_SWAP_IN_MONEY = (2, 3, 4, 9)
"""Base, margin, account or profit currency, per lot."""
_POWERS = tuple(10.0**digits for digits in range(16))
_FLOAT_NOISE = 1e-6
"""Far under half a unit, far over the error of a few products: 0.285 held as 0.28499999999999998 still rounds to 0.29."""


_HALF = 0.5 + _FLOAT_NOISE


class QuoteLookup(Protocol):
    """Where current quotes come from."""

    def bid_ask(self, symbol: str) -> tuple[float, float] | None:
        """Newest (bid, ask) of a plain pair name such as "EURUSD"; None when there is no such pair or no quote of it."""
        ...


def round_half_away(x: float, digits: int) -> float:
    """Round to `digits` decimals, halves away from zero, as the trade server does; binary noise is forgiven."""
    power = _POWERS[digits]
    if x >= 0.0:
        return floor(x * power + _HALF) / power
    return -floor(_HALF - x * power) / power


def currency_digits(ccy: str) -> int:
    """Decimals of a currency's smallest unit: 0 for JPY and its like, 3 for dinars, 8 for coins, else 2."""
    if ccy in _WHOLE_UNIT_CURRENCIES:
        return 0
    if ccy in _THOUSANDTH_CURRENCIES:
        return 3
    return 8 if ccy in _EIGHT_DIGIT_CURRENCIES else 2


class Conversion(Struct, frozen=True, kw_only=True):
    """A resolved path between two currencies: no leg where they are one, one pair, or two pairs through the dollar."""

    from_currency: str
    to_currency: str
    legs: tuple[tuple[str, bool], ...]
    """(plain pair name, reversed) in order; a reversed pair is quoted the other way round."""

    @property
    def pairs(self) -> tuple[str, ...]:
        """Plain names of the pairs whose quotes are needed."""
        return tuple(pair for pair, _ in self.legs if pair not in _CENT_PAIRS)

    def rate(self, rates: QuoteLookup, *, ask: bool) -> float | None:
        """Units of `to_currency` for one of `from_currency`, at each step's ask or bid; None while a quote is missing."""
        total = 1.0
        for pair, reverse in self.legs:
            if pair in _CENT_PAIRS:
                total = total / _CENTS if reverse else total * _CENTS
                continue
            quote = rates.bid_ask(pair)
            if quote is None:
                return None
            price = quote[1] if ask is not reverse else quote[0]
            if not price > 0.0:
                return None
            total = total / price if reverse else total * price
        return total


def resolve_conversion(from_ccy: str, to_ccy: str, exists: Callable[[str], bool]) -> Conversion | None:
    """The path from one currency to another over pairs that exist: direct, reverse, or through USD; None when there is none.

    A cent account's currency is reached through the unit of which it is a hundredth.
    """
    if from_ccy == to_ccy:
        return Conversion(from_currency=from_ccy, to_currency=to_ccy, legs=())
    unit = CENT_CURRENCIES.get(to_ccy)
    if unit is not None:
        whole = resolve_conversion(from_ccy, unit, exists)
        if whole is None:
            return None
        return Conversion(from_currency=from_ccy, to_currency=to_ccy, legs=(*whole.legs, (unit + to_ccy, False)))
    unit = CENT_CURRENCIES.get(from_ccy)
    if unit is not None:
        whole = resolve_conversion(unit, to_ccy, exists)
        if whole is None:
            return None
        return Conversion(from_currency=from_ccy, to_currency=to_ccy, legs=((unit + from_ccy, True), *whole.legs))
    single = _one_leg(from_ccy, to_ccy, exists)
    if single is not None:
        return Conversion(from_currency=from_ccy, to_currency=to_ccy, legs=(single,))
    if _PIVOT in (from_ccy, to_ccy):
        return None
    first = _one_leg(from_ccy, _PIVOT, exists)
    second = _one_leg(_PIVOT, to_ccy, exists)
    if first is None or second is None:
        return None
    return Conversion(from_currency=from_ccy, to_currency=to_ccy, legs=(first, second))


def _one_leg(from_ccy: str, to_ccy: str, exists: Callable[[str], bool]) -> tuple[str, bool] | None:
    if exists(from_ccy + to_ccy):
        return (from_ccy + to_ccy, False)
    if exists(to_ccy + from_ccy):
        return (to_ccy + from_ccy, True)
    return None


def conversion_rate(
    from_ccy: str,
    to_ccy: str,
    rates: QuoteLookup,
    *,
    side: Side,
    own: str | None = None,
    own_price: Price | None = None,
    rule: ConversionRule = "by_deal",
    profit_positive: bool = True,
) -> float | None:
    """Rate that turns a result in `from_ccy` into `to_ccy` when a position of `side` is closed; None when no pair leads there.

    `own` is the traded pair's plain name, `own_price` its exit price: where that pair itself converts by deal, its price counts.
    Two steps through USD take the worse rate of each, whatever the rule.
    """
    path = resolve_conversion(from_ccy, to_ccy, _quoted_by(rates))
    return _profit_rate(path, rates, side, own or "", own_price, rule == "by_deal", profit_positive)


def _profit_rate(
    path: Conversion | None, rates: QuoteLookup, side: Side, own: str, own_price: Price | None, by_deal: bool, positive: bool
) -> float | None:
    if path is None:
        return None
    legs = path.legs
    if not legs:
        return 1.0
    if by_deal and len(legs) == 1:
        if legs[0][0] == own and own_price:
            return 1.0 / own_price if legs[0][1] else own_price
        return path.rate(rates, ask=side is Side.BUY)
    return path.rate(rates, ask=not positive)


def _quoted_by(rates: QuoteLookup) -> Callable[[str], bool]:
    return lambda pair: rates.bid_ask(pair) is not None


class Valuer(Struct, frozen=True, kw_only=True):
    """The money of one instrument in one account currency, its conversion paths resolved; build it with `Valuer.of`."""

    instrument: Instrument
    account_currency: str
    account_digits: int
    profit_path: Conversion | None
    margin_path: Conversion | None
    swap_path: Conversion | None
    """From the currency in which the instrument's swap mode counts."""
    pair_name: str
    """Plain name of the instrument as a pair, so that its own price can convert; empty where it is no FX symbol."""
    profit_digits: int
    by_deal: bool
    per_leg: bool
    pairs: tuple[str, ...]
    """Plain names of the pairs whose quotes value this instrument, without doubles."""
    own_price_only: bool
    """Whether a result depends on the instrument's own price only, and is the better the better that is."""
    margin_own_price_only: bool
    """Whether a margin depends on prices of its own instrument only, so that it stands while a position does."""

    @classmethod
    def of(
        cls,
        instrument: Instrument,
        account_currency: str,
        exists: Callable[[str], bool],
        *,
        rule: ConversionRule = "by_deal",
        account_digits: int | None = None,
    ) -> Valuer:
        """Resolve both paths over the pairs that exist; a path that cannot be found makes its figures None (`complete` tells)."""
        is_fx = instrument.calc_mode in ("forex", "forex_no_leverage")
        own = instrument.base_currency + instrument.profit_currency if is_fx else ""

        def known(name: str) -> bool:
            return name == own or exists(name)

        profit_path = resolve_conversion(instrument.profit_currency, account_currency, known)
        margin_path = resolve_conversion(_margin_currency(instrument), account_currency, known)
        swap_path = resolve_conversion(_swap_currency(instrument, account_currency), account_currency, known)
        by_deal = is_fx and rule == "by_deal"
        paths = [path for path in (profit_path, margin_path, swap_path) if path is not None]
        legs = None if profit_path is None else profit_path.legs
        margin_legs = () if margin_path is None else margin_path.legs
        return cls(
            instrument=instrument,
            account_currency=account_currency,
            account_digits=currency_digits(account_currency) if account_digits is None else account_digits,
            profit_path=profit_path,
            margin_path=margin_path,
            swap_path=swap_path,
            pair_name=own,
            profit_digits=currency_digits(instrument.profit_currency),
            by_deal=by_deal,
            per_leg=is_fx,
            pairs=tuple(dict.fromkeys(pair for path in paths for pair in path.pairs)),
            own_price_only=legs is not None and (not legs or (by_deal and len(legs) == 1 and legs[0][0] == own)),
            margin_own_price_only=not margin_legs or (len(margin_legs) == 1 and margin_legs[0][0] == own),
        )

    @property
    def complete(self) -> bool:
        """Whether the account's currency can be reached from both profit and margin currency."""
        return self.profit_path is not None and self.margin_path is not None

    def profit_money(self, side: Side, lots: Lots, open_price: Price, close_price: Price, rates: QuoteLookup) -> Money | None:
        """Profit in account currency at `close_price` (bid for a buy, ask for a sell); None while a quote is missing.

        FX rounds each leg to the profit currency, everything else the difference.
        """
        units = self.instrument.contract_size * lots
        if self.per_leg:
            # `round_half_away` of two amounts that are never negative, without its calls: nothing is asked for so often
            power = _POWERS[self.profit_digits]
            moved = floor(close_price * units * power + _HALF) / power - floor(open_price * units * power + _HALF) / power
        else:
            moved = round_half_away((close_price - open_price) * units, self.profit_digits)
        amount = moved if side is Side.BUY else -moved
        path = self.profit_path
        if path is not None and not path.legs:
            return round_half_away(amount, self.account_digits)
        rate = _profit_rate(path, rates, side, self.pair_name, close_price, self.by_deal, amount >= 0.0)
        return None if rate is None else round_half_away(amount * rate, self.account_digits)

    def commission_money(self, lots: Lots, per_lot_money: Money) -> Money:
        """What a position of `lots` pays to open and to close, positive; each deal's `per_lot_money` is rounded for itself."""
        return 2.0 * round_half_away(lots * per_lot_money, self.account_digits)

    def margin_money(self, side: Side, lots: Lots, price: Price, leverage: float, rates: QuoteLookup) -> Money | None:
        """Margin of a lone position opened at `price`, account currency, margin rate 1; None while a quote is missing."""
        amount = _margin_amount(self.instrument, lots, price, leverage, self.instrument.contract_size)
        rate = self._margin_rate(side, price, rates)
        return None if rate is None else round_half_away(amount * rate, self.account_digits)

    def hedged_margin_money(
        self,
        buys: tuple[Lots, Price],
        sells: tuple[Lots, Price],
        leverage: float,
        rates: QuoteLookup,
        *,
        margin_rates: tuple[float, float] = (1.0, 1.0),
    ) -> Money | None:
        """Margin of one symbol's whole book on a hedging account, account currency; None while a quote is missing.

        `buys` and `sells` are (lots, volume-weighted open price), `margin_rates` the broker's for (buy, sell). Covered volume
        pays `Instrument.margin_hedged` as contract size at the mean rate and price, uncovered volume the larger side's own. Where
        `Instrument.margin_hedged_use_leg` is set, each side is calculated alone and the larger one is all.
        """
        if self.instrument.margin_hedged_use_leg:
            return self._dearer_leg_money(buys, sells, leverage, rates, margin_rates)
        larger, side = (buys, Side.BUY) if buys[0] >= sells[0] else (sells, Side.SELL)
        covered = min(buys[0], sells[0])
        side_rate = margin_rates[0] if side is Side.BUY else margin_rates[1]
        alone = self._margin_rate(side, larger[1], rates)
        if alone is None:
            return None
        open_part = _margin_amount(self.instrument, larger[0] - covered, larger[1], leverage, self.instrument.contract_size)
        total = round_half_away(open_part * alone * side_rate, self.account_digits)
        if covered <= 0.0 or self.instrument.margin_hedged <= 0.0:
            return total
        mean_price = (buys[0] * buys[1] + sells[0] * sells[1]) / (buys[0] + sells[0])
        at_ask, at_bid = self._margin_rate(Side.BUY, mean_price, rates), self._margin_rate(Side.SELL, mean_price, rates)
        if at_ask is None or at_bid is None:
            return None
        size = self.instrument.margin_hedged
        covered_part = _margin_amount(self.instrument, covered, mean_price, leverage, size, fixed=False)
        mean_rate = (at_ask + at_bid) / 2.0 * (margin_rates[0] + margin_rates[1]) / 2.0
        return total + round_half_away(covered_part * mean_rate, self.account_digits)

    def _dearer_leg_money(
        self,
        buys: tuple[Lots, Price],
        sells: tuple[Lots, Price],
        leverage: float,
        rates: QuoteLookup,
        margin_rates: tuple[float, float],
    ) -> Money | None:
        dearest = 0.0
        for side, (lots, price), side_rate in ((Side.BUY, buys, margin_rates[0]), (Side.SELL, sells, margin_rates[1])):
            if lots <= 0.0:
                continue
            rate = self._margin_rate(side, price, rates)
            if rate is None:
                return None
            amount = _margin_amount(self.instrument, lots, price, leverage, self.instrument.contract_size)
            dearest = max(dearest, round_half_away(amount * rate * side_rate, self.account_digits))
        return dearest

    def swap_money(self, side: Side, lots: Lots, nights: int, price: Price, rates: QuoteLookup) -> Money | None:
        """Swap of `nights` rollovers (3 on the triple day), account currency; None when mode or rate is unknown.

        `price` is the opening price where `Instrument.swap_mode` is 6, else the current one. Modes 7 and 8 reopen the position at
        a price moved by the points: their money is that of mode 1.
        """
        spec = self.instrument
        per_lot = spec.swap_long if side is Side.BUY else spec.swap_short
        if spec.swap_mode == 0 or per_lot == 0.0:
            return 0.0
        if spec.swap_mode in _SWAP_IN_POINTS:
            amount = lots * spec.contract_size * spec.point * per_lot * nights
        elif spec.swap_mode in _SWAP_IN_PERCENT:
            amount = lots * spec.contract_size * price * per_lot / 100.0 / _DAYS_OF_INTEREST_YEAR * nights
        elif spec.swap_mode in _SWAP_IN_MONEY:
            amount = lots * per_lot * nights
        else:
            return None
        rate = _profit_rate(self.swap_path, rates, side, self.pair_name, price, self.by_deal, amount >= 0.0)
        return None if rate is None else round_half_away(amount * rate, self.account_digits)

    def tick_value_money(self, rates: QuoteLookup, *, result: Literal["profit", "loss"]) -> Money | None:
        """Worth of one tick for one lot, account currency, not rounded: at the bid for a profit, at the ask for a loss."""
        spec = self.instrument
        rate = None if self.profit_path is None else self.profit_path.rate(rates, ask=result == "loss")
        return None if rate is None else spec.contract_size * (spec.tick_size or spec.point) * rate

    def notional_money(self, lots: Lots, price: Price, rates: QuoteLookup) -> Money | None:
        """The worth of `lots` at `price` in account currency, at the worse rate, not rounded; None while a quote is missing."""
        rate = _rate_at(self.profit_path, rates, self.pair_name, price, ask=True)
        return None if rate is None else lots * self.instrument.contract_size * price * rate

    def _margin_rate(self, side: Side, price: Price, rates: QuoteLookup) -> float | None:
        single = self.margin_path is not None and len(self.margin_path.legs) == 1
        return _rate_at(self.margin_path, rates, self.pair_name, price, ask=side is Side.BUY or not single)


def _rate_at(path: Conversion | None, rates: QuoteLookup, own: str, own_price: Price, *, ask: bool) -> float | None:
    if path is None:
        return None
    if len(path.legs) == 1 and path.legs[0][0] == own and own_price:
        return 1.0 / own_price if path.legs[0][1] else own_price
    return path.rate(rates, ask=ask)


def _swap_currency(spec: Instrument, account_currency: str) -> str:
    """The currency of a swap before it is converted, by the broker's number of the mode."""
    money = {2: spec.base_currency, 3: spec.margin_currency, 4: account_currency}
    return money.get(spec.swap_mode, spec.profit_currency)


def _margin_currency(spec: Instrument) -> str:
    """Lots x size x price is an amount of the profit currency, even where the broker names the base as margin currency."""
    priced = spec.calc_mode in ("cfd", "cfd_leverage", "other")
    if priced and spec.margin_initial <= 0.0 and spec.margin_currency == spec.base_currency:
        return spec.profit_currency
    return spec.margin_currency


def _margin_amount(spec: Instrument, lots: Lots, price: Price, leverage: float, size: float, *, fixed: bool = True) -> float:
    divided = leverage if spec.calc_mode in ("forex", "cfd_leverage") and leverage > 0.0 else 1.0
    if fixed and spec.margin_initial > 0.0:
        return lots * spec.margin_initial / divided
    if spec.calc_mode in ("forex", "forex_no_leverage"):
        return lots * size / divided
    return lots * size * price / divided


def profit_money(
    instrument: Instrument,
    side: Side,
    lots: Lots,
    open_price: Price,
    close_price: Price,
    account_currency: str,
    rates: QuoteLookup,
    *,
    rule: ConversionRule = "by_deal",
) -> Money | None:
    """Profit in account currency, rounded to its smallest unit, of a position closed at `close_price`; None without a rate."""
    valuer = Valuer.of(instrument, account_currency, _quoted_by(rates), rule=rule)
    return valuer.profit_money(side, lots, open_price, close_price, rates)


def margin_money(
    instrument: Instrument, side: Side, lots: Lots, price: Price, leverage: float, account_currency: str, rates: QuoteLookup
) -> Money | None:
    """Margin in account currency, rounded, of a lone position opened at `price`; None when no pair converts it."""
    valuer = Valuer.of(instrument, account_currency, _quoted_by(rates))
    return valuer.margin_money(side, lots, price, leverage, rates)


def swap_money(
    instrument: Instrument,
    side: Side,
    lots: Lots,
    nights: int,
    price: Price,
    account_currency: str,
    rates: QuoteLookup,
    *,
    rule: ConversionRule = "by_deal",
) -> Money | None:
    """Swap in account currency, rounded, of `nights` rollovers at `price`; None when the mode or the rate is unknown."""
    valuer = Valuer.of(instrument, account_currency, _quoted_by(rates), rule=rule)
    return valuer.swap_money(side, lots, nights, price, rates)


def tick_value_money(
    instrument: Instrument, account_currency: str, rates: QuoteLookup, *, result: Literal["profit", "loss"]
) -> Money | None:
    """Account currency worth of one tick for one lot, not rounded; None when no pair converts it."""
    valuer = Valuer.of(instrument, account_currency, _quoted_by(rates))
    return valuer.tick_value_money(rates, result=result)
