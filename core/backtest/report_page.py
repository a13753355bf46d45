"""The report's page: one HTML text that needs nothing but itself.

Promises: everything an operator typed is escaped; light and dark follow the reader's system; it prints.
Does not: compute figures (`result_tables`), draw (`svg_charts`) or judge (`diagnosis`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from quarterdeck.core.backtest import result_tables
from quarterdeck.core.backtest.diagnosis import DiagnosisFinding
from quarterdeck.core.backtest.page_style import STYLE
from quarterdeck.core.backtest.result import BacktestResult
from quarterdeck.core.backtest.svg_charts import bar_chart, equity_chart
from quarterdeck.core.brokers.simulator.instruments import instrument
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.effects import TradeClosed
from quarterdeck.core.study.metrics import TimeInMarket, TradeFigures

_SHOWN_TRADES = 10
_MONTHS_DRAWN = 36
_LEVEL_WORDS = {"fine": "fine", "doubt": "look", "warning": "warning"}


def report_page(result: BacktestResult, findings: Sequence[DiagnosisFinding], others: Sequence[BacktestResult] = ()) -> str:
    """The whole page."""
    title = f"{', '.join(result.pairs)} {_day(result.from_utc_ns)} to {_day(result.to_utc_ns - 1)}"
    body = [
        _head(result, title),
        _section("How far to believe it", _findings(findings)),
        _section("Equity", equity_chart(_points(result), result.start_money, result.currency)),
        _section("By month", _months(result)),
        _paths(result, others),
        _section("By pair", _group_table(result_tables.by_pair(result), "pair", result.currency)),
        _section(
            "By hour of entry",
            bar_chart([(hour, row.net_money, row.trades) for hour, row in result_tables.by_hour(result).items()], result.currency)
            + ('<p class="quiet">London hours; the number under each is its trades.</p>' if result.trades else ""),
        ),
        _section("By exit", _group_table(result_tables.by_exit(result), "exit", result.currency)),
        _section("What was refused, and why", _refused(result)),
        _section("Best and worst trades", _extremes(result)),
        _section("What it was run with", _origin(result)),
        _section("What this report does not show", _caveats(result)),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _head(result: BacktestResult, title: str) -> str:
    shown, total = result_tables.performance(result), result.summary
    partial = (
        ""
        if result.complete
        else f'<p class="partial"><strong>Partial.</strong> Stopped manually at {iso(result.to_utc_ns)[:16]}; what was open then '
        "was closed at the last price.</p>"
    )
    trades, fall = shown.trades, shown.drawdown
    share = 100.0 * total.result_money / result.start_money if result.start_money else 0.0
    cards = [
        ("result", f"{total.result_money:+,.2f} {result.currency}", f"{share:+.2f} % of {result.start_money:,.0f}"),
        ("trades", f"{trades.trades}", "" if trades.win_fraction is None else f"{100 * trades.win_fraction:.0f} % won"),
        ("expectancy", _maybe(trades.expectancy_r, "{:+.3f} R"), f"profit factor {_maybe(trades.profit_factor, '{:.2f}')}"),
        ("drawdown", "none" if fall is None else f"{100 * fall.fraction:.2f} %", _inside(shown.drawdown_inside_fraction)),
        ("worst day", f"{total.worst_day_money:+,.2f} {result.currency}", "the account's own day, when marked"),
        ("exposure", *_exposure(shown.time_in_market)),
        ("Sharpe", _maybe(shown.sharpe, "{:.2f}"), f"Sortino {_maybe(shown.sortino, '{:.2f}')}, {shown.days} days"),
        ("costs", f"{total.costs_r:+.1f} R", f"commission {total.commission_money:,.0f}, swap {total.swap_money:+,.0f}"),
    ]
    tiles = "".join(
        f'<div class="tile"><span>{escape(name)}</span><b>{escape(value)}</b><i>{escape(more)}</i></div>'
        for name, value, more in cards
    )
    return (
        f"<header><h1>{escape(title)}</h1><p>{escape(result.strategy)} on {escape(result.label)}, path inside the bar: "
        f"{escape(result.path)}. Digest <code>{total.digest}</code></p>{partial}"
        f'<div class="tiles">{tiles}</div></header>'
    )


def _inside(fraction: float | None) -> str:
    return "" if fraction is None else f"at most {100 * fraction:.2f} % inside bars"


def _exposure(span: TimeInMarket | None) -> tuple[str, str]:
    if span is None:
        return "none", ""
    return f"{100 * span.any_fraction:.1f} %", f"at most {span.positions_max} positions, {span.positions_mean:.2f} on average"


def _findings(findings: Sequence[DiagnosisFinding]) -> str:
    if not findings:
        return '<p class="quiet">Not examined.</p>'
    rows = "".join(
        f'<li class="{one.level}"><b>{_LEVEL_WORDS[one.level]}</b>'
        f"<div><strong>{escape(one.name)}</strong> {escape(one.text)}</div></li>"
        for one in findings
    )
    return f'<ul class="findings">{rows}</ul>'


def _months(result: BacktestResult) -> str:
    rows = result_tables.months(result)
    bars = [(row.month[2:], row.result_money, row.trades) for row in rows]
    picture = bar_chart(bars, result.currency) if result.trades and len(rows) <= _MONTHS_DRAWN else ""
    cells = (
        (
            row.month,
            f"{row.trades}",
            _signed(row.result_money),
            _signed(100 * row.result_fraction),
            f"{100 * row.drawdown_fraction:.2f}",
        )
        for row in rows
    )
    head = ("month", "trades", f"result, {result.currency}", "% of equity", "max drawdown, %")
    return picture + _table(head, cells)


def _paths(result: BacktestResult, others: Sequence[BacktestResult]) -> str:
    if not others:
        return ""
    runs = sorted((result, *others), key=lambda one: ("optimistic", "neutral", "pessimistic").index(one.path))
    cells = (
        (
            one.path,
            f"{one.summary.trades}",
            _signed(one.summary.result_money),
            f"{one.summary.result_r:+.2f}",
            f"{one.summary.ambiguous}",
            one.summary.digest,
        )
        for one in runs
    )
    head = ("path", "trades", f"result, {result.currency}", "R", "ambiguous bars", "digest")
    note = '<p class="quiet">Three ways prices may have gone inside a bar; one exit parts what follows, so none is a bound.</p>'
    return _section("Optimistic, neutral, pessimistic", _table(head, cells) + note)


def _group_table(groups: Mapping[str, TradeFigures], name: str, currency: str) -> str:
    cells = (
        (
            key,
            f"{row.trades}",
            _maybe(None if row.win_fraction is None else 100 * row.win_fraction, "{:.0f}"),
            _maybe(row.expectancy_r, "{:+.3f}"),
            _maybe(row.profit_factor, "{:.2f}"),
            _signed(row.net_money),
            _signed(row.costs_money),
            _maybe(row.mean_hours, "{:.1f}"),
        )
        for key, row in groups.items()
    )
    head = (name, "trades", "won, %", "mean R", "profit factor", f"net, {currency}", "including costs", "hours held")
    return _table(head, cells) if groups else '<p class="quiet">No trades.</p>'


def _refused(result: BacktestResult) -> str:
    counts, total = result_tables.refusals_by_reason(result), result.summary
    if not counts:
        return f'<p class="quiet">{total.signals} candidates, none refused.</p>'
    cells = (
        (reason, f"{sum(row.values())}", *(f"{row[pair]}" if pair in row else "" for pair in result.pairs))
        for reason, row in counts.items()
    )
    refused = sum(total.refusals.values())
    told = f"<p>{total.signals} candidates: {total.entered} became orders, {refused} were refused. Each is in refused.csv.</p>"
    return told + _table(("reason", "all", *result.pairs), cells)


def _extremes(result: BacktestResult) -> str:
    ranked = sorted(result.trades, key=lambda trade: trade.result_r)
    if not ranked:
        return '<p class="quiet">No trades.</p>'
    few = ranked if len(ranked) <= 2 * _SHOWN_TRADES else [*ranked[:_SHOWN_TRADES], *ranked[-_SHOWN_TRADES:]]
    head = ("opened, UTC", "pair", "side", "lots", "open", "close", "held", "exit", f"net, {result.currency}", "R")
    note = f'<p class="quiet">All {len(ranked)} trades are in trades.csv.</p>'
    return _table(head, (_trade(trade) for trade in reversed(few)), left=(1, 2, 7)) + note


def _trade(trade: TradeClosed) -> tuple[str, ...]:
    minutes = (trade.closed_utc_ns - trade.opened_utc_ns) // 60_000_000_000
    digits = instrument(trade.symbol).digits
    return (
        iso(trade.opened_utc_ns)[:16].replace("T", " "),
        trade.symbol,
        trade.side.word,
        f"{trade.lots:g}",
        f"{trade.open_price:.{digits}f}",
        f"{trade.close_price:.{digits}f}",
        f"{minutes // 60}:{minutes % 60:02d}",
        trade.reason,
        _signed(trade.net_money),
        f"{trade.result_r:+.2f}",
    )


def _origin(result: BacktestResult) -> str:
    rows = [
        ("program", result.code_version),
        ("strategy", f"{result.strategy} ({result.strategy_hash})"),
        ("data", f"{result.label}, {iso(result.from_utc_ns)[:16]} to {iso(result.to_utc_ns)[:16]} UTC"),
        ("account", f"{result.start_money:,.2f} {result.currency}, {_account(result)}"),
        ("bars", f"{result.bars:,} in {result.elapsed_s:.1f} s ({result.bars_per_s:,.0f} a second)"),
        ("ended", result.ended),
    ]
    changed = "".join(f"<li><code>{escape(key)} = {escape(value)}</code></li>" for key, value in result.changed.items())
    listed = f"<ul>{changed}</ul>" if changed else '<p class="quiet">All as shipped.</p>'
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    told = f"<h3>What the data say of themselves</h3><ul>{notes}</ul>" if notes else ""
    lines = "".join(f"<tr><th>{escape(name)}</th><td class=text>{escape(value)}</td></tr>" for name, value in rows)
    return (
        f'<table class="plain"><tbody>{lines}</tbody></table><h3>Settings that differ from the shipped ones</h3>{listed}'
        f'<p class="quiet">All of them are in settings.toml.</p>{told}'
    )


def _account(result: BacktestResult) -> str:
    simulated = result.settings["simulation"]
    return f"{'hedging' if simulated['hedging'] else 'netting'}, leverage 1:{simulated['leverage']}"


def _caveats(result: BacktestResult) -> str:
    costs, total = result.settings["costs"], result.summary
    both = f"{total.ambiguous} of {total.trades} exits are in a bar that touched both stop and target"
    paths = {
        "pessimistic": "Inside a bar without finer data peaks, trails and profit retracement act at the bar's close only.",
        "neutral": "Inside a bar without finer data prices went to the nearer extreme, then the farther: assumed, not known.",
        "optimistic": "Inside a bar without finer data a target counts before a stop: the best case.",
    }
    spread = (
        f"Spreads are modelled from the smallest recorded one: a floor of {costs['spread_floor_pips']:g} pips, times "
        f"{costs['spread_intrabar_x']:g} inside the bar, at least {costs['rollover_spread_pips_min']:g} pips over the rollover."
    )
    paid = (
        f"Commission {costs['commission_usd_per_lot_side']:g} USD per lot and side, slippage {costs['slippage_pips']:g} pips on "
        "market orders; no order is ever refused by a lack of liquidity."
    )
    swap = "Swap is charged at the recorded rates of one day, whatever the day." if costs["swap"] else "Swap is switched off."
    notes = [
        "Settings that were chosen on these days look better here than they will be on others.",
        f"{both}; the path decided them ({result.path}).",
        paths[result.path],
        spread,
        paid,
        swap,
    ]
    if not result.settings["news"]["files"]:
        notes.append(
            "No calendar was named (news.files): news stopped no entries here; on a live desk it does, if there is a calendar."
        )
    at_end = total.exits.get("end", 0)
    if at_end:
        notes.append(
            f"{at_end} trades were open at the end and closed at the last price; they count, but the strategy did not close them."
        )
    return f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"


def _points(result: BacktestResult) -> list[tuple[int, float]]:
    return [(point.at_utc_ns, point.equity_money) for point in result_tables.equity_points(result)]


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = ()) -> str:
    def kind(place: int) -> str:
        return ' class="text"' if place == 0 or place in left else ""

    top = "".join(f"<th{kind(place)}>{escape(name)}</th>" for place, name in enumerate(head))
    body = "".join(
        f"<tr>{''.join(f'<td{kind(place)}>{escape(cell)}</td>' for place, cell in enumerate(row))}</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _maybe(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _signed(money: float) -> str:
    return f"{money:+,.2f}" if round(money, 2) else "0.00"


def _day(utc_ns: int) -> str:
    return iso(utc_ns)[:10]
