"""What an account's figures are by its deals and its prices alone, as the rules state them; it shares nothing with the product.

The broker's events come in the order of their dates. A transfer or a change of credit scales the day's base and the peak by
equity after / equity before; income scales the base, so that it lessens no loss of the day; every other deal is a result. A day
begins at its hour in its zone with the greater of balance and equity. Figures that nobody could observe exactly, because the desk
slept while a position was open, are spans.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from quarterdeck.core.model.units import NS_PER_S

CONTRACT = 100_000.0
SPREAD = 0.0001


class Span(NamedTuple):
    """A figure between two bounds; equal where it is exact."""

    low: float
    high: float

    def times(self, scale: Span) -> Span:
        """Both bounds scaled."""
        return Span(self.low * scale.low, self.high * scale.high)

    def holds(self, value: float) -> bool:
        """Whether `value` lies in it."""
        within = 1e-9 * abs(self.high) + 1e-6
        return self.low - within <= value <= self.high + within


class Open(NamedTuple):
    """A position at the broker."""

    symbol: str
    side: int
    lots: float
    price: float


def next_start(at: int, zone: ZoneInfo, clock: str) -> int:
    """The first `clock` of the zone's wall after an instant; where the clock skips it, the moment after the skip."""
    hour, minute = map(int, clock.split(":"))
    day = datetime.fromtimestamp(at / NS_PER_S, UTC).astimezone(zone).date()
    while True:
        wanted = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        start = round(wanted.timestamp())
        while datetime.fromtimestamp(start - 60, zone) >= wanted:  # of one zone: by its wall
            start -= 60
        if start * NS_PER_S > at:
            return start * NS_PER_S
        day += timedelta(days=1)


class AccountModel:
    """The account, one event after the other."""

    def __init__(self, balance: float, rules: dict[str, object], at: int, prices: dict[str, float], day_limit: float) -> None:
        """`rules` are those of a funded account; `prices` are bids."""
        self.balance, self.credit, self.swap = balance, 0.0, 0.0
        self.prices, self.open, self.rules = dict(prices), dict[int, Open](), rules
        self.first = balance
        self.day_balance = self.day_equity = balance
        self.base, self.peak = Span(balance, balance), Span(balance, balance)
        self.moved = 0.0
        self.day_end = next_start(at, ZoneInfo("America/New_York"), "17:00")
        self.zone, self.clock = ZoneInfo(str(rules["day_zone"])), str(rules["day_start"])
        self.firm_end = next_start(at, self.zone, self.clock)
        self.start = float(str(rules["starting_balance_money"])) or balance
        self.firm_base = max(self.start, balance)
        self.high, self.paid = Span(balance, balance), False
        self.day_start = self.firm_start = 0
        self.day_limit, self.awake, self.must_trip, self.may_trip = day_limit, True, False, False

    # ------------------------------------------------------------------------------------------------------- figures
    def floating(self) -> float:
        """Of all that is open, at the prices known."""
        return sum(self.worth(one) for one in self.open.values()) + self.swap

    def worth(self, one: Open) -> float:
        """Floating result of one position: a buy leaves at the bid, a sell at the ask."""
        now = self.prices[one.symbol] if one.side > 0 else round(self.prices[one.symbol] + SPREAD, 5)
        return one.side * (now - one.price) * one.lots * CONTRACT

    def equity(self) -> float:
        """Balance, credit and floating result."""
        return self.balance + self.credit + self.floating()

    def day_result(self) -> float:
        """What the day brought, moved money aside."""
        return self.equity() - self.day_equity - self.moved

    def floors(self) -> tuple[float, Span]:
        """Where the firm's daily and overall loss are reached."""
        rules, trailing = self.rules, self.rules["overall_base"] != "static"
        of_day = self.firm_base if rules["day_loss_of"] == "base" else self.start
        day = self.firm_base - float(str(rules["day_loss_pct"])) / 100 * of_day

        def floor(high: float) -> float:
            high = max(high, self.start) if trailing else self.start
            allowed = (
                float(str(rules["overall_loss_pct"])) / 100 * (high if rules["overall_loss_of"] == "high_water" else self.start)
            )
            found, lock = high - allowed, self.start + float(str(rules["trailing_lock_plus_money"]))
            if trailing and rules["trailing_locks_at_starting_balance"]:
                found = min(found, lock)
            return max(found, lock) if self.paid and rules["floor_after_payout"] == "start" else found

        return day, Span(floor(self.high.low), floor(self.high.high))

    # -------------------------------------------------------------------------------------------------------- events
    def until(self, at: int) -> None:
        """Begin every day that starts by then."""
        while min(self.day_end, self.firm_end) <= at:
            started, equity = min(self.day_end, self.firm_end), self.equity()
            if started == self.firm_end:
                self._firm_day(equity)
                self.firm_start, self.firm_end = started, next_start(started, self.zone, self.clock)
            if started == self.day_end:
                self.base = Span(max(self.balance, equity), max(self.balance, equity))
                self.day_balance, self.day_equity, self.moved = self.balance, equity, 0.0
                self.must_trip = self.may_trip = False
                self.day_start, self.day_end = started, next_start(started, ZoneInfo("America/New_York"), "17:00")
            self.seen()

    def _firm_day(self, equity: float) -> None:
        greater = max(self.balance, equity)
        self.firm_base = {"balance": self.balance, "equity": equity}.get(str(self.rules["day_base"]), greater)
        ends = {"trailing_day_end_balance": self.balance, "trailing_day_end_equity": equity, "trailing_day_end_greater": greater}
        end = ends.get(str(self.rules["overall_base"]))
        if end is not None:
            self.high = Span(max(self.high.low, end), max(self.high.high, end))

    def seen(self, error: float = 0.0) -> None:
        """Equity as it is now counts for the peaks, known to within `error`."""
        equity = self.equity()
        self.peak = Span(max(self.peak.low, equity - error), max(self.peak.high, equity + error))
        self._judge(error)
        if self.rules["overall_base"] == "trailing_balance":
            self.high = Span(max(self.high.low, self.balance), max(self.high.high, self.balance))
        if self.rules["overall_base"] == "trailing_equity":
            self.high = Span(max(self.high.low, equity - error), max(self.high.high, equity + error))

    def _judge(self, error: float) -> None:
        """Whether the day's loss must have tripped its breaker, or may have."""
        if self.awake:
            left = 1.0 - self.day_limit
            self.must_trip = self.must_trip or self.equity() + error < self.base.low * left - 1e-6
            self.may_trip = self.may_trip or self.equity() - error < self.base.high * left + 1e-6

    def wakes(self, error: float) -> None:
        """The desk runs again, and judges by the last bars first."""
        self.awake = True
        self._judge(error)

    def quoted(self, symbol: str, bid: float, error: float = 0.0) -> None:
        """A price that the desk observes."""
        self.prices[symbol] = bid
        self.seen(error)

    def booked(self, money: float, error: float = 0.0) -> None:
        """A result of any kind."""
        self.balance = round(self.balance + money, 2)
        self.seen(error)

    def income(self, money: float, error: float = 0.0) -> None:
        """Positive money that no trade earned."""
        self._scale(money, error, peak=False)
        self.booked(money, error)

    def transfer(self, money: float, error: float = 0.0, *, firm: str = "transfer") -> None:
        """A deposit or withdrawal; `firm` is what it is to a funded account."""
        self._scale(money, error)
        self.firm_base += money
        if firm == "transfer":
            self.start_moves(money)
        self.paid = self.paid or firm == "payout"
        self.booked(money, error)

    def start_moves(self, money: float) -> None:
        """The firm made the account larger or smaller."""
        self.start += money
        self.high = Span(self.high.low + money, self.high.high + money)

    def credited(self, money: float, error: float = 0.0) -> None:
        """Credit is equity and no balance."""
        self._scale(money, error)
        self.credit = round(self.credit + money, 2)
        if self.rules["day_base"] != "balance":
            self.firm_base += money
        if self.rules["overall_base"] in ("trailing_equity", "trailing_day_end_equity", "trailing_day_end_greater"):
            self.high = Span(self.high.low + money, self.high.high + money)
        self.seen(error)

    def was_transfer(self, money: float, dated: int) -> None:
        """The operator says that a result booked before was a transfer: a day that began since began without that money."""
        before = self.equity() - money
        scale = Span((before + money) / before, (before + money) / before)
        self.peak = self.peak.times(scale)
        if dated >= self.day_start:
            self.base, self.moved = self.base.times(scale), self.moved + money
            self.must_trip = self.may_trip = False
        if dated >= self.firm_start:
            self.firm_base += money
        self.start_moves(money)
        self.seen()

    def _scale(self, money: float, error: float, *, peak: bool = True) -> None:
        equity = self.equity()
        scales = sorted((one + money) / one for one in (equity - error, equity + error))
        self.base = self.base.times(Span(scales[0], scales[1]))
        if peak:
            self.peak = self.peak.times(Span(scales[0], scales[1]))
        self.moved += money
