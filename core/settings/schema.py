"""Every parameter of the desk: its type, meaning, unit, range and moment of effect. Values are in `settings.toml` alone.

Promises: no default is here; a bound is given on both sides, so neither NaN nor infinity passes; the unit is part of the
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

    login: Annotated[
        int, number("Login of the account that may be traded; 0 allows any demo account", "", 0, 2**62, "next start")
    ]
    server: Annotated[str, words("Server of that account; empty allows any demo server", "next start")]
    allow_real: Annotated[bool, choice("Allow a real account, if login and server name it", "next start")]
    magic: Annotated[int, number("Magic number that marks the orders and positions of this desk", "", 1, 2**62, "next start")]
    manage_external_positions: Annotated[
        bool, choice("Manage positions that were opened manually like the desk's own", "at once")
    ]
    low_balance_warn_usd: Annotated[
        float, number("Warn at the start if the balance is worth less than", "USD", 0, 1e9, "next start")
    ]
    unexplained_wait_s: Annotated[
        float, number("Money missing from the balance without a deal stops entries after", "s", 0, 3600, "at once")
    ]
    broker_gap_max_pct: Annotated[
        float, number("Alert once a day if the broker's margin differs from the desk's by more than", "%", 0.1, 100, "at once")
    ]
    result_words: Annotated[
        tuple[str, ...],
        words("A balance operation counts as a result if a word of its comment begins with one of these", "at once"),
    ]
    terminal_path: Annotated[str, words("Path of terminal64.exe; empty: the only installed terminal", "next start")]
    gateway: Annotated[str, words("Address of a gateway (ws://, wss://); empty: the terminal on this machine", "next start")]
    symbol_suffix: Annotated[str, words("What the broker appends to pair names; empty: detected", "next start")]
    time_server: Annotated[
        str, words("Network time server (NTP) that may confirm this machine's clock; empty: none is asked", "next start")
    ]


class SimulationSection(Section, frozen=True):
    """The simulated account and the simulated market."""

    seed: Annotated[int, number("Seed of the simulated market", "", 0, 2**31, "next start")]
    speed: Annotated[float, number("Speed of the simulated market, times real time", "x", 0.1, 1e6, "next start")]
    currency: Annotated[Literal["USD", "EUR", "GBP", "JPY", "CHF"], choice("Account currency", "next start")]
    balance_money: Annotated[float, number("Balance at the start", "money", 1, 1e12, "next start")]
    leverage: Annotated[int, number("Leverage of the account, one to", "", 1, 3000, "next start")]
    hedging: Annotated[bool, choice("Hedging account; false is netting", "next start")]
    history_days: Annotated[int, number("Days of simulated history before the start", "days", 30, 400, "next start")]


class CostsSection(Section, frozen=True):
    """Trading costs on recorded and simulated markets; a broker's own prices are never changed."""

    intrabar_order: Annotated[
        Literal["pessimistic", "neutral", "optimistic"],
        choice("Which of stop and target is hit first inside a bar without finer data", "next start"),
    ]
    commission_usd_per_lot_side: Annotated[float, number("Commission", "USD per lot and side", 0, 100, "next start")]
    default_spread_pips: Annotated[
        float, number("Spread for data without spreads; 0 rejects such data", "pips", 0, 100, "next start")
    ]
    spread_floor_pips: Annotated[float, number("Minimum added to the recorded minimum spread", "pips", 0, 100, "next start")]
    spread_intrabar_x: Annotated[float, number("Spread inside a bar, relative to that at its open", "x", 1, 20, "next start")]
    spread_typical_percentile: Annotated[
        float,
        number("Spread inside a bar is never below this percentile of the pair's minute of the week", "%", 50, 100, "next start"),
    ]
    rollover_spread_pips_min: Annotated[float, number("Minimum spread 17:00-18:00 New York", "pips", 0, 500, "next start")]
    slippage_pips: Annotated[float, number("Slippage added against you to each market fill", "pips", 0, 100, "next start")]
    swap: Annotated[bool, choice("Charge swap at rollover, at the recorded rates of one day", "next start")]


class StrategySection(Section, frozen=True):
    """The strategy and the minimum quality of its signals."""

    name: Annotated[str, words("`trend` is the built-in strategy; otherwise a class name in `file`", "next start")]
    file: Annotated[str, words("Python file with your own strategy; empty: the built-in one", "next start")]
    time_limit_ms: Annotated[float, number("Maximum time your own strategy may take for one pair", "ms", 1, 60_000, "next start")]
    load_timeout_s: Annotated[
        float,
        number(
            "Maximum time to load it, and for one pair of a recorded day; after that the run ends", "s", 1, 3600, "next start"
        ),
    ]
    memory_max_mb: Annotated[
        int, number("Maximum memory of your own strategy, without its libraries", "MB", 64, 65_536, "next start")
    ]
    confidence_min: Annotated[float, number("Minimum confidence of a signal", "0..1", 0, 1, step=0.01)]
    net_reward_risk_min: Annotated[float, number("Minimum net reward/risk, costs included", "x", 0, 20, step=0.1)]
    parameters: Annotated[
        dict[str, float | int | str | bool], choice("The strategy's own parameters; it declares their ranges", "next start")
    ]


class ScanSection(Section, frozen=True):
    """When bars are scanned, and how long a signal stays valid."""

    h1_tolerance_ticks: Annotated[
        float, number("The broker's H1 bars may differ from those built from M15 by", "ticks", 0, 1000, "at once")
    ]
    bar_close_wait_s: Annotated[float, number("A bar without a later tick counts as closed after", "s", 0, 60, "at once")]
    round_wait_s: Annotated[float, number("Signals of the same bar close wait for each other at most", "s", 0, 60, "at once")]
    reevaluate_calm_s: Annotated[
        float, number("Waiting signals are checked again every, in a calm market", "s", 1, 600, "at once")
    ]
    reevaluate_volatile_s: Annotated[
        float, number("Waiting signals are checked again every, in a volatile market", "s", 1, 600, "at once")
    ]
    signal_age_max_s: Annotated[float, number("Maximum age of a signal, from its bar's close", "s", 1, 900)]
    price_moved_max_pct: Annotated[
        float, number("Maximum price move since the signal, as share of the stop distance", "% of stop", 0, 500)
    ]
    queue_max: Annotated[int, number("Maximum number of waiting signals", "", 1, 10_000, "next start")]
    redis: Annotated[
        str,
        words("Address of the Redis for scan workers (redis://, rediss://, unix://); empty: scan on this machine", "next start"),
    ]
    redis_prefix: Annotated[str, words("Prefix of all keys there", "next start", pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    response_timeout_s: Annotated[float, number("Scan worker response timeout", "s", 0.1, 900, "next start")]
    worker_timeout_s: Annotated[float, number("Reassign a silent worker's job after", "s", 1, 300, "next start")]
    no_worker_action: Annotated[
        Literal["scan_here", "no_entries"],
        choice("While no scan worker answers: scan on this machine, or make no entries", "next start"),
    ]


class FiltersSection(Section, frozen=True):
    """Filters that reject a signal."""

    spread_stop_max_pct: Annotated[float, number("Maximum spread, as share of the stop distance", "% of stop", 0.1, 100, step=1)]
    spread_pips_max: Annotated[float, number("Maximum spread; 0 is no limit", "pips", 0, 1000, step=0.5)]
    spread_typical_max_x: Annotated[float, number("Maximum spread, times the typical one of that minute", "x", 1, 100, step=0.5)]
    entry_hours: Annotated[
        tuple[str, ...], words("Entry hours, each `Zone/City HH:MM-HH:MM`; inside any one of them entries are allowed")
    ]
    rollover_hours: Annotated[str, words("No entries around rollover, New York time", pattern=_HOURS)]
    atr_price_max_pct: Annotated[float, number("Maximum ATR(M15), as share of the price", "% of price", 0.001, 10, step=0.01)]
    atr_percentile_min: Annotated[
        float, number("Minimum volatility, as percentile of the pair's own history", "percentile", 0, 100)
    ]
    atr_percentile_max: Annotated[
        float, number("Maximum volatility, as percentile of the pair's own history", "percentile", 0, 100)
    ]
    atr_percentile_days: Annotated[int, number("Length of that history", "days", 5, 250, "next start")]
    quote_age_max_s: Annotated[float, number("Maximum age of a quote to trade on", "s", 1, 3600)]
    silence_min_s: Annotated[float, number("A pair counts as silent when no quote arrives for at least", "s", 5, 3600, "at once")]
    silence_usual_x: Annotated[
        float, number("and for so many times its typical longest gap of that hour", "x", 1, 100, "at once")
    ]
    silence_all_minutes: Annotated[
        float, number("A silent pair with open risk stops all entries after", "minutes", 0, 1440, "at once")
    ]
    opposite_signal_action: Annotated[
        Literal["ignore", "close", "reverse"],
        choice("A signal opposite to an open position in that pair: ignore it, close the position, or close and reverse"),
    ]


class NewsSection(Section, frozen=True):
    """The economic calendar, and the time around releases without entries."""

    impacts: Annotated[
        tuple[Literal["high", "medium", "low", "holiday"], ...],
        words("No entries around releases of these impacts; holiday: a currency's bank holiday; none: no news rules"),
    ]
    before_minutes: Annotated[float, number("No entries before a release", "minutes", 0, 1440)]
    after_minutes: Annotated[float, number("No entries after a release", "minutes", 0, 1440)]
    no_calendar_action: Annotated[Literal["trade", "hold"], choice("What to do without a calendar", "at once")]
    urls: Annotated[
        tuple[str, ...], words("Weekly calendars over HTTP, JSON or XML, each asked at most once an hour", "next start")
    ]
    files: Annotated[tuple[str, ...], words("Calendar files, CSV, JSON or XML", "next start")]
    files_clock: Annotated[str, words("Clock of tables without a zone: auto (proved), utc, new_york, eet, utc+8", "next start")]
    refresh_minutes: Annotated[float, number("Fetch again after", "minutes", 5, 1440, "next start")]
    tighten_stops: Annotated[bool, choice("Tighten stops ahead of such a release", "at once")]


class CorrelationSection(Section, frozen=True):
    """Correlated risk of all positions together."""

    lookback_bars: Annotated[int, number("H1 returns used", "bars", 50, 5000, "next start")]
    lookback_bars_min: Annotated[
        int, number("Minimum common returns; with fewer, pairs that share a currency count as one", "bars", 10, 5000)
    ]
    risk_max_pct: Annotated[float, number("Maximum correlated risk of all positions", "% of equity", 0.1, 100, step=0.1)]
    offset_max_pct: Annotated[float, number("Offsetting positions may reduce it by at most", "%", 0, 100)]
    over_limit_action: Annotated[Literal["skip", "shrink", "hedge"], choice("What to do with a signal over the limit")]


class RiskSection(Section, frozen=True):
    """Position size and open risk."""

    risk_per_trade_pct: Annotated[
        float, number("Risk per trade: the loss when the stop is hit", "% of equity", 0.01, 5, step=0.05)
    ]
    open_risk_max_pct: Annotated[float, number("Maximum open and pending risk together", "% of equity", 0.05, 50, step=0.5)]
    slippage_pips_min: Annotated[float, number("Slippage included in open risk, at least", "pips", 0, 100)]
    slippage_stop_pct: Annotated[
        float, number("Slippage included in open risk, as share of the stop distance", "% of stop", 0, 100)
    ]
    external_stop_x_atr: Annotated[
        float,
        number("A position that the desk did not open and that has no stop counts as if it had one at", "x ATR(H1)", 0.1, 50),
    ]
    stop_spread_min_x: Annotated[float, number("Minimum stop distance", "x spread", 0, 100)]
    stop_atr_min_x: Annotated[float, number("Minimum stop distance", "x ATR(M15)", 0, 20)]
    round_trip_cost_max_pct: Annotated[float, number("Maximum round-trip cost", "% of stop", 0.1, 100)]
    learned_cost_trades_min: Annotated[
        int, number("Commission is learned from settled trades, once there are", "trades of a pair", 1, 20)
    ]
    learned_cost_days: Annotated[float, number("Learned commission is measured again after", "days without a trade", 1, 3650)]
    effective_risk_warn_pct: Annotated[float, number("Report when the effective risk is below", "% of planned risk", 0, 100)]
    tick_value_deviation_max_pct: Annotated[
        float, number("Broker's tick value may differ from its own calculation by", "%", 0, 100)
    ]
    fill_risk_max_pct: Annotated[float, number("Act on a fill whose risk is above", "% of planned risk", 100, 1000)]
    fill_risk_action: Annotated[Literal["report", "trim"], choice("What to do then: report it, or close part of the position")]


class KellySection(Section, frozen=True):
    """Kelly sizing from the desk's own results."""

    enabled: Annotated[bool, choice("Use Kelly sizing")]
    lookback_trades: Annotated[int, number("Closed trades used", "trades", 10, 5000)]
    lookback_trades_min: Annotated[int, number("Fixed risk below so many trades", "trades", 1, 5000)]
    shrink_trades: Annotated[int, number("Shrunk by n/(n + this)", "trades", 0, 5000)]
    fraction: Annotated[float, number("Share of the Kelly fraction that is used", "x", 0.01, 1)]
    risk_min_pct: Annotated[float, number("Minimum risk per trade", "% of equity", 0.01, 5)]
    negative_action: Annotated[Literal["go_on", "reduce_only"], choice("What to do when the Kelly fraction is not positive")]


class BreakersSection(Section, frozen=True):
    """Circuit breakers: limits that stop entries for the day or longer."""

    day_loss_max_pct: Annotated[float, number("Maximum daily loss", "% of the day's base", 0.1, 100, "at once", 0.5)]
    drawdown_max_pct: Annotated[float, number("Maximum drawdown from the equity peak", "% of peak", 0.1, 100, "at once", 0.5)]
    consecutive_losses_max: Annotated[int, number("Maximum consecutive losses", "trades", 1, 1000, "at once")]
    scratch_r: Annotated[float, number("Results closer to zero neither end nor extend a losing streak", "R", 0, 1, "at once")]
    entries_per_day_max: Annotated[int, number("Maximum entries a day", "entries", 1, 10_000, "at once")]
    positions_max: Annotated[int, number("Maximum open positions", "positions", 1, 1000, "at once")]
    positions_per_pair_max: Annotated[int, number("Maximum open positions in one pair", "positions", 1, 100, "at once")]
    margin_level_min_pct: Annotated[float, number("Minimum margin level", "%", 0, 100_000, "at once")]
    day_start: Annotated[str, words("Start of the day", "next start", _CLOCK)]
    day_zone: Annotated[str, words("Time zone of the day", "next start")]
    spike_spread_x: Annotated[
        float, number("A quote counts only if the next one confirms it, above a spread of", "x typical", 2, 1000, "at once")
    ]
    spike_atr_x: Annotated[float, number("or above a jump of", "x ATR(M15)", 0.5, 1000, "at once")]
    spike_wait_s: Annotated[float, number("It counts without confirmation after", "s", 0, 60, "at once")]
    trip_action: Annotated[
        Literal["stop", "flatten"], choice("When a breaker trips: stop entries, or also close all positions", "at once")
    ]


class ExposureSection(Section, frozen=True):
    """Leverage and gap risk."""

    position_max_x_equity: Annotated[float, number("Maximum notional of one position", "x equity", 0.1, 1000)]
    currency_max_x_equity: Annotated[float, number("Maximum net notional of one currency", "x equity", 0.1, 1000)]
    total_max_x_equity: Annotated[float, number("Maximum notional of all positions", "x equity", 0.1, 1000)]
    gap_pct: Annotated[float, number("Assumed gap beyond each stop, on a weekday", "% of price", 0, 20)]
    gap_weekend_pct: Annotated[float, number("Assumed gap beyond each stop, over a weekend", "% of price", 0, 20)]
    gap_risk_max_pct: Annotated[float, number("Maximum loss when all stops are hit with that gap", "% of equity", 0.1, 100)]


class PropFirmSection(Section, frozen=True):
    """Rules of a prop firm's account."""

    enabled: Annotated[bool, choice("Apply the prop-firm rules", "at once")]
    day_start: Annotated[str, words("Start of its day; empty: as breakers.day_start", "next start", f"^$|{_CLOCK}")]
    day_zone: Annotated[str, words("Time zone of its day; empty: as breakers.day_zone", "next start")]
    day_loss_pct: Annotated[float, number("Maximum daily loss", "% of the base", 0.1, 100, "at once")]
    day_loss_of: Annotated[
        Literal["base", "starting_balance"],
        choice("The daily loss is a percentage of the day's base, or of the starting balance", "at once"),
    ]
    day_loss_money: Annotated[float, number("Maximum daily loss in money; 0 uses the percentage", "money", 0, 1e12, "at once")]
    day_base: Annotated[
        Literal["greater", "balance", "equity"],
        choice("What the daily loss is measured from: balance or equity at the day's start, or the greater", "at once"),
    ]
    overall_loss_pct: Annotated[float, number("Maximum overall loss", "% of the start", 0.1, 100, "at once")]
    overall_loss_money: Annotated[
        float, number("Maximum overall loss in money; 0 uses the percentage", "money", 0, 1e12, "at once")
    ]
    overall_loss_of: Annotated[
        Literal["starting_balance", "high_water"],
        choice("The overall loss is a percentage of the starting balance, or of what a trailing limit follows", "at once"),
    ]
    overall_base: Annotated[
        Literal[
            "static",
            "trailing_balance",
            "trailing_equity",
            "trailing_day_end_balance",
            "trailing_day_end_equity",
            "trailing_day_end_greater",
        ],
        choice(
            "What the overall loss is measured from: the start, or the highest at any moment or at the end of a day", "at once"
        ),
    ]
    trailing_locks_at_starting_balance: Annotated[
        bool, choice("A trailing limit stops rising at the starting balance", "at once")
    ]
    trailing_lock_plus_money: Annotated[
        float, number("It stops rising so much above the starting balance", "money", 0, 1e12, "at once")
    ]
    floor_after_payout: Annotated[
        Literal["stay", "start"],
        choice("After a payout the overall limit stays, or rises to where a trailing one stops", "at once"),
    ]
    payout_words: Annotated[
        tuple[str, ...],
        words("A withdrawal is a payout if its comment has one of these; for another one the desk asks you", "at once"),
    ]
    starting_balance_money: Annotated[float, number("Starting balance; 0 uses the first one read", "money", 0, 1e12, "at once")]
    reduce_only_buffer_pct: Annotated[
        float, number("Stop entries when so much of the limit is left", "% of limit", 0, 100, "at once")
    ]
    close_buffer_pct: Annotated[
        float, number("Close everything when so much of the limit is left", "% of limit", 0, 100, "at once")
    ]
    lots_max: Annotated[float, number("Maximum lots of all positions; 0 is no limit", "lots", 0, 1e6)]
    news_minutes: Annotated[float, number("No entries around high-impact news; 0: as in the news section", "minutes", 0, 1440)]
    weekend_flat: Annotated[bool, choice("Close everything before a weekend", "at once")]
    best_day_max_pct: Annotated[float, number("Maximum share of the profit from the best day; 100 is no rule", "%", 1, 100)]
    requests_per_day_max: Annotated[
        int,
        number(
            "Maximum server requests of its day, 0 is no rule; past 80 % no entries, no trail steps",
            "requests",
            0,
            1_000_000,
            "at once",
        ),
    ]


class PositionSection(Section, frozen=True):
    """Management of open positions."""

    profit_retrace_pct: Annotated[
        float, number("Profit retracement that triggers a partial close; 100 is off", "% of peak", 1, 100, "at once", 1)
    ]
    profit_retrace_close_pct: Annotated[float, number("Share of the position that it closes", "% of lots", 1, 100, "at once", 5)]
    profit_retrace_from_equity_pct: Annotated[
        float, number("Profit protection starts at a peak profit of", "% of equity", 0, 10, "at once")
    ]
    profit_retrace_from_r: Annotated[float, number("Profit protection starts at a peak profit of", "R", 0, 10, "at once")]
    profit_retrace_from_costs_x: Annotated[
        float, number("Profit protection starts at a peak profit of", "x round trip", 0, 100, "at once")
    ]
    profit_retrace_below_min_lot: Annotated[
        Literal["leave", "close"],
        choice("When that share is below the minimum lot: keep the position, or close all of it", "at once"),
    ]
    trail_from_r: Annotated[float, number("Start trailing at a peak profit of", "R", 0, 20, "at once", 0.1)]
    trail_initial_lock_pct: Annotated[
        float, number("The first step locks in so much of the peak profit", "% of peak", 0, 100, "at once")
    ]
    trail_x_atr: Annotated[float, number("Trailing distance; 0 switches trailing off", "x ATR(M15)", 0, 20, "at once", 0.1)]
    trail_step_x_atr: Annotated[float, number("Minimum trailing step", "x ATR(M15)", 0, 5, "at once")]
    time_exit_hours: Annotated[
        float, number("Maximum holding time of a position; 0 is no limit", "hours", 0, 1000, "at once", 0.5)
    ]
    weekend_no_entries_from: Annotated[str, words("No entries before the weekend from, New York", "at once", _DAY_CLOCK)]
    weekend_close_from: Annotated[str, words("Close before the weekend from, New York; `Sat 00:00` never", "at once", _DAY_CLOCK)]
    early_close_minutes: Annotated[float, number("Close before a known early close", "minutes", 0, 600, "at once")]
    early_close_no_entries_minutes: Annotated[float, number("No entries before a known early close", "minutes", 0, 1440)]
    early_closes: Annotated[
        tuple[str, ...],
        words("Early closes and holidays, New York: `2026-11-26 13:00 XAUUSD`, `2026-12-25`; without pairs: all", "at once"),
    ]
    exit_rollover_hours: Annotated[str, words("Time exits and profit protection wait during, New York time", "at once", _HOURS)]
    pyramid: Annotated[bool, choice("Add to winners on a pullback")]
    pyramid_adds_max: Annotated[int, number("Adds per position", "adds", 0, 10)]
    pyramid_from_r: Annotated[float, number("Adds start at a peak profit of", "R", 0, 20)]
    pyramid_pullback_x_atr: Annotated[float, number("after a pullback of", "x ATR(M15)", 0, 10)]
    stop_restore_s: Annotated[
        float,
        number(
            "A stop removed in the terminal is set again within; if it is not, the position is closed", "s", 0, 600, "at once"
        ),
    ]


class FlattenSection(Section, frozen=True):
    """Closing everything."""

    reopen_action: Annotated[
        Literal["at_once", "when_spread_normal", "ask"],
        choice("What could not be closed in a closed market: close it at the open, when the spread is normal, or ask", "at once"),
    ]
    reopen_spread_max_x: Annotated[float, number("A normal spread is below", "x typical", 1, 100, "at once")]
    reopen_wait_max_minutes: Annotated[float, number("but wait no longer than", "minutes", 0, 600, "at once")]


class ExecutionSection(Section, frozen=True):
    """Execution of orders."""

    deviation_pips: Annotated[float, number("Maximum deviation accepted on instant execution", "pips", 0, 100)]
    unknown_order_scope: Annotated[
        Literal["all", "pair"], choice("An unconfirmed order stops entries in all pairs, or in its own pair", "at once")
    ]
    order_query_s: Annotated[float, number("Query an unconfirmed order every", "s", 0.1, 600, "at once")]
    alert_repeat_minutes: Annotated[float, number("Repeat its alert every", "minutes", 0.5, 1440, "at once")]
    reconcile_s: Annotated[float, number("Read positions and orders from the broker every", "s", 1, 3600, "at once")]
    close_retry_s: Annotated[float, number("Retry a refused close after", "s", 0.1, 600, "at once")]
    close_retry_max_s: Annotated[float, number("and at the latest after, while the market moves away", "s", 0.1, 60, "at once")]
    refused_waits_s: Annotated[
        tuple[float, ...],
        words("Waiting times after a refusal that the same request cannot overcome; the last one repeats", "at once", unit="s"),
    ]
    requests_per_minute_max: Annotated[
        int, number("Maximum requests per minute that change one position", "requests", 1, 10_000, "at once")
    ]
    requests_per_day_max: Annotated[
        int,
        number("Maximum requests a day; above 80 % no entries and no trailing steps", "requests", 1, 1_000_000, "at once"),
    ]


class EngineSection(Section, frozen=True):
    """The engine: timeouts, polling and shutdown."""

    broker_start_timeout_s: Annotated[float, number("Maximum wait for the broker at the start", "s", 1, 600, "next start")]
    read_timeout_s: Annotated[float, number("Deadline of a read", "s", 0.1, 60, "at once")]
    send_timeout_s: Annotated[float, number("Deadline of an order", "s", 0.5, 120, "at once")]
    shutdown_action: Annotated[
        Literal["flatten", "keep"], choice("What happens to positions when the engine is stopped", "at once")
    ]
    shutdown_timeout_s: Annotated[float, number("Maximum time a shutdown may take", "s", 1, 600, "at once")]
    quote_poll_ms: Annotated[
        float, number("Quotes of pairs with positions or orders are read every", "ms", 20, 60_000, "at once")
    ]
    quote_idle_ms: Annotated[float, number("Other quotes are read every", "ms", 100, 60_000, "at once")]
    retry_min_s: Annotated[float, number("First wait after a failure", "s", 0.1, 60, "at once")]
    retry_max_s: Annotated[float, number("Maximum wait after failures", "s", 1, 3600, "at once")]
    alert_after_failures: Annotated[int, number("Alert after so many failures in a row", "", 1, 100, "at once")]
    heartbeat_s: Annotated[float, number("Heartbeat every", "s", 1, 600, "at once")]
    specifications_s: Annotated[float, number("Specifications of the pairs are read again every", "s", 10, 86_400, "at once")]


class JournalSection(Section, frozen=True):
    """The journal: what is kept, and for how long."""

    group_commit_ms: Annotated[float, number("Rows are committed together after", "ms", 1, 5000, "next start")]
    quotes_days: Annotated[int, number("Quotes of the tape are kept", "days", 1, 4000, "next start")]
    decisions_days: Annotated[int, number("Everything else on the tape is kept", "days", 7, 4000, "next start")]
    reserve_kib: Annotated[int, number("Reserve file for closes when the disk is full", "KiB", 64, 65_536, "next start")]
    log_file_mb: Annotated[float, number("Size of one log file", "MB", 0.1, 1000, "next start")]
    log_files: Annotated[int, number("Log files kept", "", 1, 100, "next start")]
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], choice("Minimum level that is written", "at once")]


class AlertsSection(Section, frozen=True):
    """Alerts to a phone or mailbox."""

    urls: Annotated[tuple[str, ...], words("Apprise URLs; they are secrets and belong in secrets.toml", "next start")]
    level_min: Annotated[Literal["info", "warning", "critical"], choice("Minimum level that is sent", "at once")]
    per_minute_max: Annotated[
        int, number("Maximum alerts per minute; the rest is combined into one message", "", 1, 600, "at once")
    ]
    daily_summary: Annotated[bool, choice("Send a summary at the end of the day", "at once")]
    remind_minutes: Annotated[
        float, number("Repeat alerts about a lasting problem, until acknowledged, every", "minutes", 5, 1440, "at once")
    ]
    quiet_hours: Annotated[
        str, words("Quiet hours: alerts that concern no money wait, e.g. `Europe/Berlin 22:00-07:00`; empty: none", "at once")
    ]
    routes: Annotated[
        tuple[str, ...],
        words(
            "Kinds of alert and the numbers of the addresses that get them, e.g. `fill,close 2`; other kinds go to all", "at once"
        ),
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


class BotSection(Section, frozen=True):
    """Orders and reports by phone: `quarterdeck bot`."""

    chats: Annotated[
        tuple[str, ...], words("Numbers of the Telegram chats and people that are obeyed; empty: none", "next start")
    ]
    base_url: Annotated[str, words("Address of the Bot API; https, or this machine", "next start")]
    commands_per_minute_max: Annotated[int, number("Maximum commands per minute from one chat", "", 1, 600, "next start")]


class UiSection(Section, frozen=True):
    """The screen."""

    theme: Annotated[str, words("Theme by name, from `themes/`", "at once")]
    ascii: Annotated[bool, choice("Draw with ASCII only", "at once")]
    max_fps: Annotated[float, number("Maximum repaints per second", "1/s", 0.5, 30, "at once")]
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
    bot: BotSection
    ui: UiSection
    pip: Annotated[dict[str, float], choice("Size of a pip where the usual rule does not fit, in price", "next start")]
    pair: Annotated[
        dict[str, dict[str, dict[str, object]]],
        choice("Any setting for one pair: `[pair.XAUUSD.filters]`", "next entry"),
    ]
