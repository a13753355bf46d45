"""Every parameter of the desk: its type, meaning, unit, range and moment of effect. Values stand in `settings.toml` alone.

Promises: no default stands here; a bound is given on both sides, so neither NaN nor infinity passes; the unit is part of the
name. Does not: read files (`core.settings.settings_loader`).
Percent are written as percent here; `_fraction` begins where a policy is made of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

TakesEffect = Literal["next start", "next entry", "at once"]


def number(meaning: str, unit: str, low: float, high: float, effect: TakesEffect = "next entry", step: float = 0.0) -> Meta:
    """Meaning, unit, inclusive range and moment of effect of a numeric parameter."""
    return Meta(ge=low, le=high, description=meaning, extra={"unit": unit, "takes_effect": effect, "step": step})


def words(meaning: str, effect: TakesEffect = "next entry", pattern: str | None = None, unit: str = "") -> Meta:
    """Meaning and moment of effect of a parameter that is no number."""
    return Meta(description=meaning, pattern=pattern, extra={"unit": unit, "takes_effect": effect})


def choice(meaning: str, effect: TakesEffect = "next entry") -> Meta:
    """Meaning and moment of effect of a switch or a choice among words."""
    return Meta(description=meaning, extra={"unit": "", "takes_effect": effect})


_HOURS = r"^([01]\d|2[0-4]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
_DAY_CLOCK = r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01]\d|2[0-3]):[0-5]\d$"


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: unknown keys are errors."""


class DeskSection(Section, frozen=True):
    """What is traded."""

    pairs: Annotated[tuple[str, ...], words("Traded pairs; their order breaks ties", "next start")]
    mode: Annotated[
        Literal["simulated", "paper", "live"],
        choice("Where `run` trades: the simulated market, paper fills on a live feed, or the broker's account", "next start"),
    ]


class AccountSection(Section, frozen=True):
    """The account that may be traded, and how its orders are marked."""

    login: Annotated[int, number("Login of the account that may be traded; 0 takes any demo", "", 0, 2**62, "next start")]
    server: Annotated[str, words("Server of that account; empty takes any demo server", "next start")]
    allow_real: Annotated[bool, choice("A real account may be traded, if login and server name it", "next start")]
    magic: Annotated[int, number("Number that marks orders and positions as ours", "", 1, 2**62, "next start")]
    manage_external_positions: Annotated[bool, choice("Care for positions opened by hand as for our own", "at once")]
    low_balance_warn_usd: Annotated[float, number("Warn at the start below the worth of so much", "USD", 0, 1e9, "next start")]
    unexplained_wait_s: Annotated[
        float, number("A balance lower than its deals explain stops entries after", "s", 0, 3600, "at once")
    ]
    result_words: Annotated[
        tuple[str, ...],
        words("A balance operation counts as a result if a word of its comment begins with one of these", "at once"),
    ]
    terminal_path: Annotated[str, words("Path of terminal64.exe; empty: the only terminal there is", "next start")]
    gateway: Annotated[str, words("Address of a gateway (ws://, wss://); empty: the terminal on this machine", "next start")]
    symbol_suffix: Annotated[str, words("What the broker appends to pair names; empty: found out", "next start")]


class SimulationSection(Section, frozen=True):
    """The simulated account, and the simulated market that feeds it by default."""

    seed: Annotated[int, number("Seed of the simulated market", "", 0, 2**31, "next start")]
    speed: Annotated[float, number("How much faster than life the simulated market runs", "x", 0.1, 1e6, "next start")]
    currency: Annotated[Literal["USD", "EUR", "GBP", "JPY", "CHF"], choice("Account currency", "next start")]
    balance_money: Annotated[float, number("Balance at the start", "money", 1, 1e12, "next start")]
    leverage: Annotated[int, number("Leverage of the account, one to", "", 1, 3000, "next start")]
    hedging: Annotated[bool, choice("Hedging account; false is netting", "next start")]
    history_days: Annotated[int, number("Days of simulated past rolled in before the start", "days", 30, 400, "next start")]


class CostsSection(Section, frozen=True):
    """How recorded and simulated markets are priced; the broker's own prices are never touched."""

    intrabar_order: Annotated[
        Literal["pessimistic", "neutral", "optimistic"],
        choice("What happened first inside a bar without finer data", "next start"),
    ]
    commission_usd_per_lot_side: Annotated[float, number("Commission", "USD per lot and side", 0, 100, "next start")]
    default_spread_pips: Annotated[
        float, number("Spread for data that carry none; 0 refuses such data", "pips", 0, 100, "next start")
    ]
    spread_floor_pips: Annotated[float, number("Least added to the recorded minimum", "pips", 0, 100, "next start")]
    spread_intrabar_x: Annotated[float, number("Spread inside a bar, times that at its open", "x", 1, 20, "next start")]
    spread_typical_percentile: Annotated[
        float, number("Inside a bar never under this percentile of the pair's minute of the week", "%", 50, 100, "next start")
    ]
    rollover_spread_pips_min: Annotated[float, number("Least spread 17:00-18:00 New York", "pips", 0, 500, "next start")]
    slippage_pips: Annotated[float, number("Added against us to each market fill", "pips", 0, 100, "next start")]
    swap: Annotated[bool, choice("Book swap at rollover, at the recorded rates of one day", "next start")]


class StrategySection(Section, frozen=True):
    """Which strategy, and what its signals must be worth."""

    name: Annotated[str, words("`trend` is the shipped one; else a class name in `file`", "next start")]
    file: Annotated[str, words("Python file with a strategy of your own; empty: the shipped one", "next start")]
    time_limit_ms: Annotated[float, number("Longest a strategy of your own may take for one pair", "ms", 1, 60_000, "next start")]
    load_timeout_s: Annotated[
        float,
        number("Longest it may take to load, and for one pair of a recorded day; then the run ends", "s", 1, 3600, "next start"),
    ]
    memory_max_mb: Annotated[
        int, number("Most memory that a strategy of your own may take, its libraries not counted", "MB", 64, 65_536, "next start")
    ]
    confidence_min: Annotated[float, number("Least confidence of a candidate", "0..1", 0, 1, step=0.01)]
    net_reward_risk_min: Annotated[float, number("Least net reward for the risk, costs included", "x", 0, 20, step=0.1)]
    parameters: Annotated[
        dict[str, float | int | str | bool], choice("The strategy's own parameters; it declares their ranges", "next start")
    ]


class ScanSection(Section, frozen=True):
    """When the desk looks, and how long a candidate stays fresh."""

    h1_tolerance_ticks: Annotated[float, number("The broker's H1 may differ from our own by", "ticks", 0, 1000, "at once")]
    bar_close_wait_s: Annotated[float, number("A bar without a later tick counts as closed after", "s", 0, 60, "at once")]
    round_wait_s: Annotated[float, number("Candidates of one bar close wait for each other at most", "s", 0, 60, "at once")]
    reevaluate_calm_s: Annotated[float, number("Waiting candidates are judged again: calm market", "s", 1, 600, "at once")]
    reevaluate_volatile_s: Annotated[
        float, number("Waiting candidates are judged again: volatile market", "s", 1, 600, "at once")
    ]
    signal_age_max_s: Annotated[float, number("Oldest tradable signal, from its bar's end", "s", 1, 900)]
    price_moved_max_pct: Annotated[float, number("Price may have moved by so much of the stop distance", "% of stop", 0, 500)]
    queue_max: Annotated[int, number("Signals waiting at most", "", 1, 10_000, "next start")]
    redis: Annotated[
        str, words("Address of the Redis over which machines scan (redis://, rediss://, unix://); empty: scan here", "next start")
    ]
    redis_prefix: Annotated[str, words("Beginning of all keys there", "next start", pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    response_timeout_s: Annotated[float, number("A scanning machine has answered after, at most", "s", 0.1, 900, "next start")]
    worker_timeout_s: Annotated[float, number("The work of a silent machine is another's after", "s", 1, 300, "next start")]
    no_worker_action: Annotated[
        Literal["scan_here", "no_entries"],
        choice("While no scanning machine answers: this machine scans, or there are no entries", "next start"),
    ]


class FiltersSection(Section, frozen=True):
    """Vetoes on a candidate."""

    spread_stop_max_pct: Annotated[float, number("Widest spread, as share of the stop distance", "% of stop", 0.1, 100, step=1)]
    spread_pips_max: Annotated[float, number("Widest spread; 0 is no cap of its own", "pips", 0, 1000, step=0.5)]
    spread_typical_max_x: Annotated[float, number("Widest spread, times the usual one of that minute", "x", 1, 100, step=0.5)]
    entry_hours: Annotated[
        tuple[str, ...], words("When entries are allowed, each `Zone/City HH:MM-HH:MM`; any one of them will do")
    ]
    rollover_hours: Annotated[str, words("No entries around rollover, New York time", pattern=_HOURS)]
    atr_price_max_pct: Annotated[float, number("Highest ATR(M15) of price", "% of price", 0.001, 10, step=0.01)]
    atr_percentile_min: Annotated[float, number("Calmest allowed, in the pair's own past", "percentile", 0, 100)]
    atr_percentile_max: Annotated[float, number("Wildest allowed, in the pair's own past", "percentile", 0, 100)]
    atr_percentile_days: Annotated[int, number("How far back that past goes", "days", 5, 250, "next start")]
    quote_age_max_s: Annotated[float, number("Oldest quote to trade on", "s", 1, 3600)]
    silence_min_s: Annotated[float, number("A pair's quotes are silent after, at least", "s", 5, 3600, "at once")]
    silence_usual_x: Annotated[
        float, number("and after so many times its usual longest gap of that hour", "x", 1, 100, "at once")
    ]
    silence_all_minutes: Annotated[
        float, number("Silence of a pair with open risk stops all entries after", "minutes", 0, 1440, "at once")
    ]
    opposite_signal_action: Annotated[
        Literal["ignore", "close", "reverse"],
        choice("A candidate against an own position in that pair: ignore it, close the position, or close and reverse"),
    ]


class NewsSection(Section, frozen=True):
    """Calendar of economic releases and the windows around them."""

    impacts: Annotated[
        tuple[Literal["high", "medium", "low", "holiday"], ...],
        words("Impacts that close the window around a release; holiday closes a currency's whole bank holiday"),
    ]
    before_minutes: Annotated[float, number("No entries before a release", "minutes", 0, 1440)]
    after_minutes: Annotated[float, number("No entries after a release", "minutes", 0, 1440)]
    no_calendar_action: Annotated[Literal["trade", "hold"], choice("What to do without a calendar", "at once")]
    urls: Annotated[tuple[str, ...], words("Weekly calendars over HTTP, JSON or XML", "next start")]
    files: Annotated[tuple[str, ...], words("Calendar files, CSV, JSON or XML", "next start")]
    files_clock: Annotated[str, words("Clock of tables without a zone: auto (proved), utc, new_york, eet, utc+8", "next start")]
    refresh_minutes: Annotated[float, number("Fetch again after", "minutes", 5, 1440, "at once")]
    tighten_stops: Annotated[bool, choice("Tighten stops ahead of such a release", "at once")]


class CorrelationSection(Section, frozen=True):
    """Risk of the book as a whole."""

    lookback_bars: Annotated[int, number("H1 returns looked at", "bars", 50, 5000, "next start")]
    lookback_bars_min: Annotated[
        int, number("Fewest common returns; below, pairs that share a currency count as one", "bars", 10, 5000)
    ]
    risk_max_pct: Annotated[float, number("Highest correlated risk of the book", "% of equity", 0.1, 100, step=0.1)]
    offset_max_pct: Annotated[float, number("Offsetting positions may lower it by at most", "%", 0, 100)]
    over_limit_action: Annotated[Literal["skip", "shrink", "hedge"], choice("What happens to a candidate over the limit")]


class RiskSection(Section, frozen=True):
    """How large a position may be."""

    risk_per_trade_pct: Annotated[float, number("Lost when the stop is hit", "% of equity", 0.01, 5, step=0.05)]
    open_risk_max_pct: Annotated[float, number("Open and reserved risk together", "% of equity", 0.05, 50, step=0.5)]
    slippage_pips_min: Annotated[float, number("Slippage allowed for in open risk, at least", "pips", 0, 100)]
    slippage_stop_pct: Annotated[float, number("Slippage allowed for in open risk, of the stop distance", "% of stop", 0, 100)]
    external_stop_x_atr: Annotated[float, number("A foreign position without a stop counts with one at", "x ATR(H1)", 0.1, 50)]
    stop_spread_min_x: Annotated[float, number("Nearest stop", "x spread", 0, 100)]
    stop_atr_min_x: Annotated[float, number("Nearest stop", "x ATR(M15)", 0, 20)]
    round_trip_cost_max_pct: Annotated[float, number("Dearest round trip", "% of stop", 0.1, 100)]
    effective_risk_warn_pct: Annotated[float, number("Effective risk is pointed out below", "% of the asked", 0, 100)]
    tick_value_deviation_max_pct: Annotated[
        float, number("Broker's tick value may differ from its own calculation by", "%", 0, 100)
    ]
    fill_risk_max_pct: Annotated[float, number("Risk after the fill is acted on above", "% of the asked", 100, 1000)]
    fill_risk_action: Annotated[Literal["report", "trim"], choice("What to do about it")]


class KellySection(Section, frozen=True):
    """Size from the desk's own results."""

    enabled: Annotated[bool, choice("Use it")]
    lookback_trades: Annotated[int, number("Closed trades looked at", "trades", 10, 5000)]
    lookback_trades_min: Annotated[int, number("Fixed risk under so many", "trades", 1, 5000)]
    shrink_trades: Annotated[int, number("Shrunk by n/(n + this)", "trades", 0, 5000)]
    fraction: Annotated[float, number("Share of the optimum that is used", "x", 0.01, 1)]
    risk_min_pct: Annotated[float, number("Least risk per trade", "% of equity", 0.01, 5)]
    negative_action: Annotated[Literal["go_on", "reduce_only"], choice("What to do when the optimum is not positive")]


class BreakersSection(Section, frozen=True):
    """What stops entries for the day, or for longer."""

    day_loss_max_pct: Annotated[float, number("Loss of the day", "% of the day's base", 0.1, 100, "at once", 0.5)]
    drawdown_max_pct: Annotated[float, number("Drawdown from the peak", "% of peak", 0.1, 100, "at once", 0.5)]
    consecutive_losses_max: Annotated[int, number("Losses in a row", "trades", 1, 1000, "at once")]
    scratch_r: Annotated[float, number("Results nearer to zero neither break nor lengthen a run", "R", 0, 1, "at once")]
    entries_per_day_max: Annotated[int, number("Entries a day", "entries", 1, 10_000, "at once")]
    positions_max: Annotated[int, number("Positions at a time", "positions", 1, 1000, "at once")]
    positions_per_pair_max: Annotated[int, number("Positions at a time in one pair", "positions", 1, 100, "at once")]
    margin_level_min_pct: Annotated[float, number("Margin level", "%", 0, 100_000, "at once")]
    day_start: Annotated[str, words("Start of the day", "next start", _CLOCK)]
    day_zone: Annotated[str, words("Time zone of the day", "next start")]
    spike_spread_x: Annotated[float, number("A quote waits for the next one above a spread of", "x usual", 2, 1000, "at once")]
    spike_atr_x: Annotated[float, number("or above a jump of", "x ATR(M15)", 0.5, 1000, "at once")]
    spike_wait_s: Annotated[float, number("It counts without a next one after", "s", 0, 60, "at once")]
    trip_action: Annotated[Literal["stop", "flatten"], choice("Tripping stops entries, or closes everything too", "at once")]


class ExposureSection(Section, frozen=True):
    """Leverage and gaps."""

    position_max_x_equity: Annotated[float, number("Notional of one position", "x equity", 0.1, 1000)]
    currency_max_x_equity: Annotated[float, number("Net notional of one currency", "x equity", 0.1, 1000)]
    total_max_x_equity: Annotated[float, number("Notional of all positions", "x equity", 0.1, 1000)]
    gap_pct: Annotated[float, number("Gap beyond each stop, on a weekday", "% of price", 0, 20)]
    gap_weekend_pct: Annotated[float, number("Gap beyond each stop, over a weekend", "% of price", 0, 20)]
    gap_risk_max_pct: Annotated[float, number("All stops hit, with the gap", "% of equity", 0.1, 100)]


class PropFirmSection(Section, frozen=True):
    """Rules of a funded account."""

    enabled: Annotated[bool, choice("Apply them", "at once")]
    day_start: Annotated[str, words("Start of its day; empty: as breakers.day_start", "next start", f"^$|{_CLOCK}")]
    day_zone: Annotated[str, words("Time zone of its day; empty: as breakers.day_zone", "next start")]
    day_loss_pct: Annotated[float, number("Daily loss", "% of the base", 0.1, 100, "at once")]
    day_loss_money: Annotated[float, number("Daily loss in money; 0 takes the percent", "money", 0, 1e12, "at once")]
    day_base: Annotated[
        Literal["greater", "balance", "equity"],
        choice("What the daily loss is counted from: balance or equity at the day's start, or the greater", "at once"),
    ]
    overall_loss_pct: Annotated[float, number("Overall loss", "% of the start", 0.1, 100, "at once")]
    overall_loss_money: Annotated[float, number("Overall loss in money; 0 takes the percent", "money", 0, 1e12, "at once")]
    overall_base: Annotated[
        Literal["static", "trailing_balance", "trailing_equity"], choice("What the overall loss is counted from", "at once")
    ]
    trailing_locks_at_starting_balance: Annotated[
        bool, choice("A trailing limit stops rising at the starting balance", "at once")
    ]
    starting_balance_money: Annotated[float, number("Starting balance; 0 takes the first seen", "money", 0, 1e12, "at once")]
    reduce_only_buffer_pct: Annotated[
        float, number("Entries stop with so much of the limit left", "% of limit", 0, 100, "at once")
    ]
    close_buffer_pct: Annotated[float, number("All is closed with so much of the limit left", "% of limit", 0, 100, "at once")]
    lots_max: Annotated[float, number("Lots of all positions; 0 is no cap", "lots", 0, 1e6)]
    news_minutes: Annotated[float, number("No entries around red news; 0 leaves it to the news section", "minutes", 0, 1440)]
    weekend_flat: Annotated[bool, choice("Nothing is held over a weekend", "at once")]
    best_day_max_pct: Annotated[float, number("Largest day's share of the profit; 100 is no rule", "%", 1, 100)]


class PositionSection(Section, frozen=True):
    """What happens to an open position."""

    profit_retrace_pct: Annotated[float, number("Give-back of the peak that acts; 100 is off", "% of peak", 1, 100, "at once", 1)]
    profit_retrace_close_pct: Annotated[float, number("Share of the position it closes", "% of lots", 1, 100, "at once", 5)]
    profit_retrace_from_equity_pct: Annotated[float, number("Armed from a peak of", "% of equity", 0, 10, "at once")]
    profit_retrace_from_r: Annotated[float, number("Armed from a peak of", "R", 0, 10, "at once")]
    profit_retrace_from_costs_x: Annotated[float, number("Armed from a peak of", "x round trip", 0, 100, "at once")]
    profit_retrace_below_min_lot: Annotated[
        Literal["leave", "close"], choice("Where the share is under the least volume: leave it, or close all", "at once")
    ]
    trail_from_r: Annotated[float, number("The stop follows from a peak of", "R", 0, 20, "at once", 0.1)]
    trail_initial_lock_pct: Annotated[float, number("Its first step locks so much of the peak", "% of peak", 0, 100, "at once")]
    trail_x_atr: Annotated[float, number("Then it follows at; 0 switches the trail off", "x ATR(M15)", 0, 20, "at once", 0.1)]
    trail_step_x_atr: Annotated[float, number("In steps of at least", "x ATR(M15)", 0, 5, "at once")]
    time_exit_hours: Annotated[float, number("Longest life of a position; 0 is no limit", "hours", 0, 1000, "at once", 0.5)]
    weekend_no_entries_from: Annotated[str, words("No entries before the weekend from, New York", "at once", _DAY_CLOCK)]
    weekend_close_from: Annotated[str, words("Close before the weekend from, New York; `Sat 00:00` never", "at once", _DAY_CLOCK)]
    early_close_minutes: Annotated[float, number("Close before a known early close", "minutes", 0, 600, "at once")]
    early_close_no_entries_minutes: Annotated[float, number("No entries before a known early close", "minutes", 0, 1440)]
    early_closes: Annotated[
        tuple[str, ...],
        words("Early closes and holidays, New York: `2026-11-26 13:00 XAUUSD`, `2026-12-25`; without pairs: all", "at once"),
    ]
    exit_rollover_hours: Annotated[str, words("Exits by age or care wait out, New York time", "at once", _HOURS)]
    pyramid: Annotated[bool, choice("Add to winners on a pullback")]
    pyramid_adds_max: Annotated[int, number("Adds per position", "adds", 0, 10)]
    pyramid_from_r: Annotated[float, number("Adds begin at a peak of", "R", 0, 20)]
    pyramid_pullback_x_atr: Annotated[float, number("after a pullback of", "x ATR(M15)", 0, 10)]
    stop_restore_s: Annotated[float, number("A stop removed by hand is set again within", "s", 0, 600, "at once")]


class FlattenSection(Section, frozen=True):
    """How everything is closed."""

    reopen_action: Annotated[
        Literal["at_once", "when_spread_normal", "ask"],
        choice("What could not be closed in a closed market: close at the open, when the spread is normal, or ask", "at once"),
    ]
    reopen_spread_max_x: Annotated[float, number("Normal is a spread under", "x usual", 1, 100, "at once")]
    reopen_wait_max_minutes: Annotated[float, number("but wait no longer than", "minutes", 0, 600, "at once")]


class ExecutionSection(Section, frozen=True):
    """How orders go out."""

    deviation_pips: Annotated[float, number("Worst fill accepted on instant execution", "pips", 0, 100)]
    unknown_order_scope: Annotated[
        Literal["all", "pair"], choice("An unknown fate stops entries in all pairs, or in its own", "at once")
    ]
    order_query_s: Annotated[float, number("Ask after an unknown fate again every", "s", 0.1, 600, "at once")]
    alert_repeat_minutes: Annotated[float, number("Alert about it again every", "minutes", 0.5, 1440, "at once")]
    reconcile_s: Annotated[float, number("Read the broker's book again every", "s", 1, 3600, "at once")]
    close_retry_s: Annotated[float, number("Try a refused close again after", "s", 0.1, 600, "at once")]
    close_retry_max_s: Annotated[float, number("and at most so far apart while the market moves away", "s", 0.1, 60, "at once")]
    refused_waits_s: Annotated[
        tuple[float, ...],
        words("Waits after a refusal that the same request cannot cure, first to last and so on", "at once", unit="s"),
    ]
    requests_per_minute_max: Annotated[
        int, number("Requests that change one position, a minute", "requests", 1, 10_000, "at once")
    ]
    requests_per_day_max: Annotated[
        int,
        number("Requests of a day; past 80 % no entries and no trail steps", "requests", 1, 1_000_000, "at once"),
    ]


class EngineSection(Section, frozen=True):
    """The machine around the desk."""

    broker_start_timeout_s: Annotated[float, number("Longest wait for the broker at the start", "s", 1, 600, "next start")]
    read_timeout_s: Annotated[float, number("Deadline of a read", "s", 0.1, 60, "at once")]
    send_timeout_s: Annotated[float, number("Deadline of an order", "s", 0.5, 120, "at once")]
    shutdown_action: Annotated[
        Literal["flatten", "keep"], choice("What happens to positions when the engine is stopped", "at once")
    ]
    shutdown_timeout_s: Annotated[float, number("Longest a shutdown may take", "s", 1, 600, "at once")]
    quote_poll_ms: Annotated[float, number("Quotes of a pair in play are read every", "ms", 20, 60_000, "at once")]
    quote_idle_ms: Annotated[float, number("Other quotes are read every", "ms", 100, 60_000, "at once")]
    retry_min_s: Annotated[float, number("First wait after a failure", "s", 0.1, 60, "at once")]
    retry_max_s: Annotated[float, number("Longest wait after failures", "s", 1, 3600, "at once")]
    alert_after_failures: Annotated[int, number("Alert after so many failures in a row", "", 1, 100, "at once")]
    heartbeat_s: Annotated[float, number("Heartbeat every", "s", 1, 600, "at once")]


class JournalSection(Section, frozen=True):
    """What is kept, and for how long."""

    group_commit_ms: Annotated[float, number("Rows are committed together after", "ms", 1, 5000, "next start")]
    quotes_days: Annotated[int, number("Quotes of the tape are kept", "days", 1, 4000, "next start")]
    decisions_days: Annotated[int, number("All else of the tape is kept", "days", 7, 4000, "next start")]
    reserve_kib: Annotated[int, number("Reserve file for closes when the disk is full", "KiB", 64, 65_536, "next start")]
    log_file_mb: Annotated[float, number("Size of one log file", "MB", 0.1, 1000, "next start")]
    log_files: Annotated[int, number("Log files kept", "", 1, 100, "next start")]
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], choice("Least level that is written", "at once")]


class AlertsSection(Section, frozen=True):
    """Who is told outside the screen."""

    urls: Annotated[tuple[str, ...], words("Apprise URLs; they are secrets, and belong into secrets.toml", "next start")]
    level_min: Annotated[Literal["info", "warning", "critical"], choice("Least level that is sent", "at once")]
    per_minute_max: Annotated[int, number("Alerts a minute at most; the rest is folded", "", 1, 600, "at once")]
    daily_summary: Annotated[bool, choice("Send a summary at the end of the day", "at once")]
    remind_minutes: Annotated[
        float, number("Remind of a critical state that lasts, unless acknowledged, every", "minutes", 5, 1440, "at once")
    ]
    quiet_hours: Annotated[
        str, words("Hours in which alerts wait that cost no money, e.g. `Europe/Berlin 22:00-07:00`; empty: none", "at once")
    ]
    routes: Annotated[
        tuple[str, ...],
        words("Kinds of alert and the places of the addresses that get them, e.g. `fill,close 2`; others go to all", "at once"),
    ]


class MetricsSection(Section, frozen=True):
    """Figures for a monitoring system."""

    port: Annotated[
        int, number("Port on 127.0.0.1 for /metrics, /healthz and /readyz; 0 opens none", "", 0, 65_535, "next start")
    ]
    text_file: Annotated[
        str, words("File for the textfile collector of node_exporter, `*.prom`; empty: none is written", "next start")
    ]
    account_labels: Annotated[bool, choice("Account number and server are part of the figures", "at once")]


class UiSection(Section, frozen=True):
    """The screen."""

    theme: Annotated[str, words("Theme by name, from `themes/`", "at once")]
    ascii: Annotated[bool, choice("Draw with ASCII only", "at once")]
    max_fps: Annotated[float, number("Repaints a second at most", "1/s", 0.5, 30, "at once")]
    keys: Annotated[dict[str, str], choice('Keys by action, e.g. `pause = "p,f8"`', "next start")]


class Settings(Section, frozen=True):
    """The whole tree. `pips` and `pair` are tables by symbol."""

    desk: DeskSection
    account: AccountSection
    simulation: SimulationSection
    costs: CostsSection
    strategy: StrategySection
    scan: ScanSection
    filters: FiltersSection
    news: NewsSection
    correlation: CorrelationSection
    risk: RiskSection
    kelly: KellySection
    breakers: BreakersSection
    exposure: ExposureSection
    prop_firm: PropFirmSection
    position: PositionSection
    flatten: FlattenSection
    execution: ExecutionSection
    engine: EngineSection
    journal: JournalSection
    alerts: AlertsSection
    metrics: MetricsSection
    ui: UiSection
    pip: Annotated[dict[str, float], choice("Size of a pip where the rule of the trade does not fit, in price", "next start")]
    pair: Annotated[
        dict[str, dict[str, dict[str, object]]],
        choice("Any setting for one pair: `[pair.XAUUSD.filters]`", "next entry"),
    ]
