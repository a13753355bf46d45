"""What the desk's rooms share while one input is booked: the state, the settings in force, the instant, and the answers so far.

Promises: all that is kept here besides the state follows from state and settings, so a desk restored from a checkpoint is the
same desk. Does not: decide. An effect is emitted in the order in which it should be performed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from quarterdeck.core.clock.time_zones import NEW_YORK
from quarterdeck.core.desk.desk_state import DeskState, PairState
from quarterdeck.core.filters.news_window import NewsPolicy, PairReleases
from quarterdeck.core.filters.spread import UsualSpreads
from quarterdeck.core.filters.trading_hours import (
    DailyHours,
    EarlyClose,
    early_closes_of,
    is_open,
    next_open,
    parse_clock,
    parse_day_clock,
    parse_hours,
)
from quarterdeck.core.model.effects import CloseReason, Effect, LogEvent, QueryBook
from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.money import CENT_CURRENCIES, Valuer, resolve_conversion
from quarterdeck.core.model.units import NS_PER_S, S_PER_DAY, Money, Price, PriceDistance, UtcNs
from quarterdeck.core.risk.breakers import BreakerPolicy
from quarterdeck.core.risk.commission import LearnedCommission
from quarterdeck.core.risk.correlation import CloseSeriesCache
from quarterdeck.core.risk.exposure import ExposurePolicy
from quarterdeck.core.risk.kelly import KellyCache, KellyPolicy
from quarterdeck.core.risk.open_risk import SlippagePolicy
from quarterdeck.core.risk.prop_firm import PropFirmPolicy
from quarterdeck.core.risk.sizing import SizingPolicy
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import for_pair

_ASKS_AT_ONCE = 4
"""A clock that stands still while a broker answers must not make the desk ask for ever."""
LogLevel = Literal["debug", "info", "warning", "error"]


def ns(seconds: float) -> int:
    """Seconds as nanoseconds."""
    return round(seconds * NS_PER_S)


class PositionPolicy(Struct, frozen=True, kw_only=True):
    """Management of one pair's positions: what each quote is measured against."""

    retrace_enabled: bool
    retrace_keep_fraction: float
    """Of its peak, what a position may not fall to."""
    retrace_from_equity_fraction: float
    retrace_from_r: float
    retrace_from_costs_x: float
    trail_x_atr: float
    trail_from_r: float
    trail_initial_lock_fraction: float
    trail_step_x_atr: float
    time_exit_ns: int
    """0: no limit."""
    tighten_before_news: bool


def position_policy(own: Settings) -> PositionPolicy:
    """Make it out of the settings that hold for the pair."""
    care = own.position
    return PositionPolicy(
        retrace_enabled=care.profit_retrace_pct < 100.0,
        retrace_keep_fraction=1.0 - care.profit_retrace_pct / 100.0,
        retrace_from_equity_fraction=care.profit_retrace_from_equity_pct / 100.0,
        retrace_from_r=care.profit_retrace_from_r,
        retrace_from_costs_x=care.profit_retrace_from_costs_x,
        trail_x_atr=care.trail_x_atr,
        trail_from_r=care.trail_from_r,
        trail_initial_lock_fraction=care.trail_initial_lock_pct / 100.0,
        trail_step_x_atr=care.trail_step_x_atr,
        time_exit_ns=ns(care.time_exit_hours * 3600.0) if care.time_exit_hours > 0.0 else 0,
        tighten_before_news=own.news.tighten_stops,
    )


class PairPolicy(Struct, frozen=True, kw_only=True):
    """The settings that hold for one pair, shares as fractions."""

    settings: Settings
    commission_usd_per_lot_side: Money
    """As assumed until the account's deals show it."""
    management: PositionPolicy
    sizing: SizingPolicy
    slippage: SlippagePolicy
    exposure: ExposurePolicy
    entry_hours: tuple[DailyHours, ...]
    rollover: DailyHours
    exit_rollover: DailyHours
    no_entries_week_s: int
    close_week_s: int
    early_closes: tuple[EarlyClose, ...]
    """Those that concern the pair, in order of time."""
    news: NewsPolicy
    signal_age_max_ns: int
    quote_age_max_ns: int
    early_close_no_entries_ns: int


def pair_policy(settings: Settings, symbol: str) -> PairPolicy:
    """Make the policy of one pair out of the settings laid over by its own."""
    own = for_pair(settings, symbol)
    risk, exposure = own.risk, own.exposure
    return PairPolicy(
        settings=own,
        commission_usd_per_lot_side=own.costs.commission_usd_per_lot_side,
        management=position_policy(own),
        sizing=SizingPolicy(
            risk_fraction=risk.risk_per_trade_pct / 100.0,
            stop_spread_min_x=risk.stop_spread_min_x,
            stop_atr_min_x=risk.stop_atr_min_x,
            round_trip_cost_max_fraction=risk.round_trip_cost_max_pct / 100.0,
            effective_risk_warn_fraction=risk.effective_risk_warn_pct / 100.0,
            tick_value_deviation_max_fraction=risk.tick_value_deviation_max_pct / 100.0,
        ),
        slippage=SlippagePolicy(pips_min=risk.slippage_pips_min, stop_fraction=risk.slippage_stop_pct / 100.0),
        exposure=ExposurePolicy(
            position_max_x_equity=exposure.position_max_x_equity,
            currency_max_x_equity=exposure.currency_max_x_equity,
            total_max_x_equity=exposure.total_max_x_equity,
        ),
        entry_hours=tuple(parse_hours(text) for text in own.filters.entry_hours),
        rollover=parse_hours(own.filters.rollover_hours, NEW_YORK),
        exit_rollover=parse_hours(own.position.exit_rollover_hours, NEW_YORK),
        no_entries_week_s=parse_day_clock(own.position.weekend_no_entries_from),
        close_week_s=parse_day_clock(own.position.weekend_close_from),
        early_closes=early_closes_of(own.position.early_closes, symbol),
        news=news_policy(own),
        signal_age_max_ns=ns(own.scan.signal_age_max_s),
        quote_age_max_ns=ns(own.filters.quote_age_max_s),
        early_close_no_entries_ns=ns(60.0 * own.position.early_close_no_entries_minutes),
    )


def news_policy(settings: Settings) -> NewsPolicy:
    """Which releases close the window; a funded account's own minutes count where they are more."""
    own, rules = settings.news, settings.prop_firm
    extra = rules.news_minutes if rules.enabled else 0.0
    return NewsPolicy(
        impacts=tuple(own.impacts),
        before_ns=ns(60.0 * max(own.before_minutes, extra)),
        after_ns=ns(60.0 * max(own.after_minutes, extra)),
    )


class AccountPolicy(Struct, frozen=True, kw_only=True):
    """The settings that hold for the account as a whole, shares as fractions."""

    breakers: BreakerPolicy
    prop_firm: PropFirmPolicy
    kelly: KellyPolicy
    open_risk_max_fraction: float
    report_wait_ns: int
    """After so long without a report a request is queried."""
    day_start_s: int
    day_zone: str
    prop_firm_day_start_s: int
    prop_firm_day_zone: str
    """The funded account's own day; the account's where its rules name none."""


def account_policy(settings: Settings) -> AccountPolicy:
    """Make it out of the settings."""
    limits, rules, kelly = settings.breakers, settings.prop_firm, settings.kelly
    return AccountPolicy(
        breakers=BreakerPolicy(
            day_loss_max_fraction=limits.day_loss_max_pct / 100.0,
            drawdown_max_fraction=limits.drawdown_max_pct / 100.0,
            consecutive_losses_max=limits.consecutive_losses_max,
            scratch_r=limits.scratch_r,
            entries_per_day_max=limits.entries_per_day_max,
            positions_max=limits.positions_max,
            positions_per_pair_max=limits.positions_per_pair_max,
            margin_level_min_pct=limits.margin_level_min_pct,
        ),
        prop_firm=PropFirmPolicy(
            day_loss_fraction=rules.day_loss_pct / 100.0,
            overall_loss_fraction=rules.overall_loss_pct / 100.0,
            day_loss_money=rules.day_loss_money or None,
            overall_loss_money=rules.overall_loss_money or None,
            day_base=rules.day_base,
            overall_base=rules.overall_base,
            trailing_locks_at_starting_balance=rules.trailing_locks_at_starting_balance,
            reduce_only_buffer_fraction=rules.reduce_only_buffer_pct / 100.0,
            close_buffer_fraction=rules.close_buffer_pct / 100.0,
            lots_max=rules.lots_max,
            best_day_max_fraction=rules.best_day_max_pct / 100.0,
            day_loss_of=rules.day_loss_of,
            overall_loss_of=rules.overall_loss_of,
            trailing_lock_plus_money=rules.trailing_lock_plus_money,
            floor_after_payout=rules.floor_after_payout,
            requests_per_day_max=rules.requests_per_day_max,
        ),
        kelly=KellyPolicy(
            trades=kelly.lookback_trades,
            trades_min=kelly.lookback_trades_min,
            shrink_trades=float(kelly.shrink_trades),
            fraction=kelly.fraction,
            risk_min_fraction=kelly.risk_min_pct / 100.0,
            risk_fixed_fraction=settings.risk.risk_per_trade_pct / 100.0,
        ),
        open_risk_max_fraction=settings.risk.open_risk_max_pct / 100.0,
        report_wait_ns=ns(2.0 * settings.engine.send_timeout_s),
        day_start_s=parse_clock(limits.day_start),
        day_zone=limits.day_zone,
        prop_firm_day_start_s=parse_clock(rules.day_start or limits.day_start),
        prop_firm_day_zone=rules.day_zone or limits.day_zone,
    )


class QuietEquityBand(NamedTuple):
    """Between which equities no breaker and no rule has anything to judge."""

    above_money: Money
    most_money: Money
    breakers: Struct
    """It holds while the state has this one, and the rest alike."""
    funded: Struct
    policy: AccountPolicy
    balance_money: Money


class DeskQuotes:
    """Current quotes by plain pair name, as the money formulas ask for them."""

    __slots__ = ("_names", "_quotes")

    def __init__(self, names: dict[str, str], quotes: dict[str, Quote]) -> None:
        """`names` leads from the plain pair name to the broker's symbol."""
        self._names = names
        self._quotes = quotes

    def bid_ask(self, symbol: str) -> tuple[float, float] | None:
        """Newest (bid, ask), or None."""
        quote = self._quotes.get(self._names.get(symbol, symbol))
        return None if quote is None else (quote.bid, quote.ask)

    def symbol_of(self, plain: str) -> str:
        """The broker's symbol of a plain pair name."""
        return self._names.get(plain, plain)

    def exists(self, symbol: str) -> bool:
        """Whether the broker has such a pair."""
        return symbol in self._names


class Context:
    """See the module."""

    __slots__ = (
        "_movers",
        "_pair_policies",
        "_releases",
        "_valuers",
        "_watched",
        "account_policy",
        "closed",
        "flatten_requested",
        "hours",
        "kelly",
        "magic",
        "now",
        "pairs",
        "pending_effects",
        "quiet_band",
        "rates",
        "settings",
        "state",
        "valuation_changed",
        "wake_changed",
        "weekend_exit_spans",
        "weekend_exits",
    )

    def __init__(self, state: DeskState, settings: Settings) -> None:
        """A context over `state`; policies are made when first asked for."""
        self.state = state
        self.settings = settings
        self.pairs: tuple[str, ...] = settings.desk.pairs
        self.magic = settings.account.magic
        self.now: UtcNs = state.at_utc_ns
        self.pending_effects: list[Effect] = []
        self.wake_changed = True
        """Something was booked that may change when the desk next cares."""
        self.valuation_changed = True
        """Other positions, or other instruments or an account to value them by: which quotes move them is worked out anew."""
        self.flatten_requested: CloseReason | None = None
        """A breaker or a rule wants everything of ours closed; carried out before the same input is done."""
        self.account_policy = account_policy(settings)
        self.kelly = KellyCache()
        self.hours: dict[str, CloseSeriesCache] = {}
        """By symbol, the hours that correlation looked at last."""
        self.weekend_exits: dict[int, UtcNs | None] = {}
        """By position, when it has to leave before a long closure; follows from its opening, settings and sessions."""
        self.weekend_exit_spans: dict[str, tuple[UtcNs, UtcNs]] = {}
        """By pair, an opening and when it has to leave: what is opened between them leaves then as well."""
        self._pair_policies: dict[str, PairPolicy] = {}
        self._releases: dict[str, PairReleases] = {}
        self._valuers: dict[str, Valuer] = {}
        self._movers: dict[str, tuple[str, ...]] = {}
        self._watched: dict[str, tuple[int, ...]] = {}
        self.closed: list[int] = []
        """Positions whose trade ended within this input."""
        self.quiet_band: QuietEquityBand | None = None
        """As worked out last (`core.desk.breaker_watch`)."""
        self.rates = DeskQuotes({}, state.quotes)
        self.use_instruments()

    def use_settings(self, settings: Settings) -> None:
        """Take new settings; pairs, magic number and the zones of days keep to the start of the run."""
        day = self.account_policy
        self.settings = settings
        made = account_policy(settings)
        self.account_policy = AccountPolicy(
            breakers=made.breakers,
            prop_firm=made.prop_firm,
            kelly=made.kelly,
            open_risk_max_fraction=made.open_risk_max_fraction,
            report_wait_ns=made.report_wait_ns,
            day_start_s=day.day_start_s,
            day_zone=day.day_zone,
            prop_firm_day_start_s=day.prop_firm_day_start_s,
            prop_firm_day_zone=day.prop_firm_day_zone,
        )
        self._pair_policies.clear()
        self.weekend_exits.clear()
        self.weekend_exit_spans.clear()
        self.wake_changed = self.valuation_changed = True

    def use_instruments(self) -> None:
        """Take the instruments of the state anew."""
        names: dict[str, str] = {}
        for symbol, spec in self.state.instruments.items():
            names.setdefault(spec.base_currency + spec.profit_currency, symbol)
            names.setdefault(symbol, symbol)
        self.rates = DeskQuotes(names, self.state.quotes)
        self.forget_valuers()
        self.weekend_exits.clear()
        self.weekend_exit_spans.clear()
        self.wake_changed = self.valuation_changed = True

    def emit(self, effect: Effect) -> None:
        """Answer with one more effect."""
        self.pending_effects.append(effect)

    def policy(self, symbol: str) -> PairPolicy:
        """The settings that hold for a pair."""
        found = self._pair_policies.get(symbol)
        if found is None:
            found = self._pair_policies[symbol] = pair_policy(self.settings, symbol)
        return found

    def releases(self, spec: Instrument) -> PairReleases:
        """The releases known that concern a pair under its policy."""
        book, policy, found = self.state.news, self.policy(spec.symbol).news, self._releases.get(spec.symbol)
        if found is None or found.book is not book or found.policy is not policy or found.currencies != spec.currencies:
            found = self._releases[spec.symbol] = PairReleases(book, spec.currencies, policy)
        return found

    def is_open(self, spec: Instrument, at_utc_ns: UtcNs) -> bool:
        """Whether a symbol's market is open at an instant: its own hours, and the early closes that settings name."""
        return is_open(spec, at_utc_ns, self.policy(spec.symbol).early_closes)

    def market_accepts_closes(self, spec: Instrument) -> bool:
        """Whether something can be closed now: where quotes come, positions are managed although an early close was listed."""
        return self.is_open(spec, self.now) or (is_open(spec, self.now) and self.quote_is_fresh(spec.symbol))

    def next_open(self, spec: Instrument) -> UtcNs:
        """When a symbol's market opens next."""
        return next_open(spec, self.now, self.policy(spec.symbol).early_closes)

    def valuer(self, symbol: str) -> Valuer | None:
        """The money of a symbol; None while its instrument or the account is unknown."""
        found = self._valuers.get(symbol)
        if found is None:
            spec, account = self.state.instruments.get(symbol), self.state.account
            if spec is None or account is None:
                return None
            found = Valuer.of(spec, account.currency, self.rates.exists, account_digits=account.currency_digits)
            self._valuers[symbol] = found
        return found

    def forget_valuers(self) -> None:
        """The instruments or the account's currency changed."""
        self._valuers.clear()
        self._movers.clear()

    def spec(self, symbol: str) -> Instrument | None:
        """The instrument, where it is known."""
        return self.state.instruments.get(symbol)

    def pair(self, symbol: str) -> PairState:
        """The pair's state; made when first asked for."""
        found = self.state.pairs.get(symbol)
        if found is None:
            found = self.state.pairs[symbol] = PairState(symbol=symbol)
        return found

    def positions_by_quote(self) -> dict[str, tuple[int, ...]]:
        """Which positions a quote of a symbol moves: its own, and those that it converts."""
        if self.valuation_changed:
            found: dict[str, list[int]] = {}
            for position in self.state.positions.values():
                for name in self.valuation_symbols(position.symbol):
                    found.setdefault(name, []).append(position.position_id)
            for foreign in self.state.external_positions.values():
                for name in self.valuation_symbols(foreign.at_broker.symbol):
                    found.setdefault(name, []).append(foreign.at_broker.position_id)
            self._watched = {symbol: tuple(ids) for symbol, ids in found.items()}
            self.valuation_changed = False
        return self._watched

    def valuation_symbols(self, symbol: str) -> tuple[str, ...]:
        """Symbols whose quotes move what a position in this one is worth: its own, and those that convert it."""
        known = self._movers.get(symbol)
        if known is None:
            valuer = self.valuer(symbol)
            if valuer is None:
                return (symbol,)
            known = self._movers[symbol] = tuple(dict.fromkeys([symbol, *map(self.rates.symbol_of, valuer.pairs)]))
        return known

    def exit_price(self, symbol: str, side: Side) -> Price | None:
        """Where a position of `side` could be closed now: the bid for a buy, the ask for a sell."""
        quote = self.state.quotes.get(symbol)
        if quote is None:
            return None
        return quote.bid if side is Side.BUY else quote.ask

    def quote_is_fresh(self, symbol: str) -> bool:
        """Whether the newest quote is young enough to act on."""
        quote = self.state.quotes.get(symbol)
        if quote is None:
            return False
        return self.now - quote.at_utc_ns <= self.policy(symbol).quote_age_max_ns

    def typical_spread(self, symbol: str) -> PriceDistance | None:
        """What the spread of a pair usually is at this time of the week; None where nothing was seen."""
        pair = self.state.pairs.get(symbol)
        return None if pair is None else UsualSpreads(price=pair.typical_spread_price).typical(self.now)

    def next_id(self) -> str:
        """The next client id: run and number, at most 16 ASCII characters."""
        number = self.state.next_number
        self.state.next_number = number + 1
        return f"{self.state.run_id}-{number}"

    def query_book(self, why: str) -> None:
        """Have the book read again, unless a reading is on its way."""
        state = self.state
        if state.book_asked_utc_ns and self.now - state.book_asked_utc_ns < ns(self.settings.engine.read_timeout_s):
            self.query_book_later()
            return
        if self.now != state.book_query_instant_ns:
            state.book_query_instant_ns, state.book_queries_at_instant = self.now, 0
        state.book_queries_at_instant += 1
        if state.book_queries_at_instant > _ASKS_AT_ONCE:
            self.query_book_later()
            return
        state.book_asked_utc_ns = self.now
        state.book_retry_utc_ns = self.now + ns(max(self.settings.execution.order_query_s, self.settings.engine.read_timeout_s))
        self.wake_changed = True
        self.emit(QueryBook(why=why))

    def query_book_later(self) -> None:
        """Have the book read again after the usual wait, unless it is wanted sooner."""
        at = self.now + ns(self.settings.execution.order_query_s)
        again = self.state.book_retry_utc_ns
        self.state.book_retry_utc_ns = min(again, at) if again else at
        self.wake_changed = True

    def note(self, kind: str, text: str, *, symbol: str = "", ticket: int = 0, level: LogLevel = "info") -> None:
        """A line for journal and log."""
        self.emit(LogEvent(kind=kind, text=text, symbol=symbol, ticket=ticket, level=level))

    def commission_money_per_lot(self, symbol: str) -> Money | None:
        """Commission of one side and lot: as settled trades showed it, else as settings assume; None without a rate."""
        learned = self.learned_commission(symbol)
        return self.assumed_commission_money_per_lot(symbol) if learned is None else learned.side_money_per_lot

    def close_commission_money_per_lot(self, symbol: str) -> Money | None:
        """The same of a close alone: an account may pay at one end only."""
        learned = self.learned_commission(symbol)
        return self.assumed_commission_money_per_lot(symbol) if learned is None else learned.close_money_per_lot

    def learned_commission(self, symbol: str) -> LearnedCommission | None:
        """What settled trades showed, unless it is too old."""
        seen = self.state.pairs.get(symbol)
        found = None if seen is None else seen.learned_commission
        if found is None:
            return None
        lasts_ns = round(self.policy(symbol).settings.risk.learned_cost_days * S_PER_DAY * NS_PER_S)
        return found if self.now - found.newest_utc_ns <= lasts_ns else None

    def assumed_commission_money_per_lot(self, symbol: str) -> Money | None:
        """Commission of one side and lot as settings assume it; None without a rate."""
        assumed = self.policy(symbol).commission_usd_per_lot_side
        rate = self.dollar_rate() if assumed > 0.0 else 1.0
        return None if rate is None else assumed * rate

    def dollar_rate(self) -> float | None:
        """What one dollar is worth in account currency at the ask; None while no rate is known."""
        account = self.state.account
        if account is None:
            return None
        if account.currency == "USD":
            return 1.0
        if account.currency in CENT_CURRENCIES:
            path = resolve_conversion("USD", account.currency, self.rates.exists)
            return None if path is None else path.rate(self.rates, ask=True)
        direct = self.rates.bid_ask("USD" + account.currency)
        if direct is not None:
            return direct[1]
        reverse = self.rates.bid_ask(account.currency + "USD")
        return 1.0 / reverse[0] if reverse is not None and reverse[0] > 0.0 else None
