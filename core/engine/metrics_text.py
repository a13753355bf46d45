"""The figures of a snapshot in the text formats of monitoring systems: OpenMetrics 1.0, and Prometheus text 0.0.4.

Promises: every figure is the snapshot's own; one that is not known is left out, never zero; names end with their unit (seconds,
bytes, ratio, pips, money in account currency); no account number unless `account_labels`. Labels are pairs, currencies, reasons,
parts and kinds of error, of which there are few.
Sources: OpenMetrics 1.0 (names, units, `# EOF`, `_total`, `_info`), and the naming page of the Prometheus documentation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from quarterdeck.core.journal.heartbeat import problems_of
from quarterdeck.core.model.snapshot import DeskView, EngineHealth, RiskView, Snapshot
from quarterdeck.core.model.units import NS_PER_S, UtcNs
from quarterdeck.core.settings.version import code_version

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
_STATES = ("STARTING", "ACTIVE", "REDUCE_ONLY", "HALTED")
_PREFIX = "quarterdeck_"
_MS_PER_S = 1000.0

Labels = tuple[tuple[str, str], ...]


class MetricFamily(Struct, frozen=True):
    """One metric with its samples; `name` has no prefix and no suffix of its kind."""

    name: str
    help: str
    samples: tuple[tuple[Labels, float], ...]
    unit: Literal["", "seconds", "bytes", "ratio", "pips", "money"] = ""
    kind: Literal["gauge", "counter", "info"] = "gauge"


def metric_families(snapshot: Snapshot, heartbeat_utc_ns: UtcNs, *, account_labels: bool) -> tuple[MetricFamily, ...]:
    """All figures for a monitoring system; `heartbeat_utc_ns` is the wall time of the newest heartbeat, 0 for none."""
    desk, engine = snapshot.desk, snapshot.engine
    found = (
        *_identity(desk, account_labels=account_labels),
        *_health(snapshot, heartbeat_utc_ns),
        *_money(desk),
        *_risk(desk.risk),
        *_book(desk),
        *_pairs(desk),
        *_machine(engine),
    )
    return tuple(family for family in found if family.samples)


def metrics_text(families: Iterable[MetricFamily], *, open_metrics: bool) -> str:
    """The families as OpenMetrics, else as Prometheus text, which has neither units nor infos, and counts with the suffix."""
    lines = []
    for family in families:
        name = sample = f"{_PREFIX}{family.name}"
        kind: str = family.kind
        if family.kind != "gauge":
            sample += "_total" if family.kind == "counter" else "_info"
            if not open_metrics:
                name, kind = sample, "counter" if family.kind == "counter" else "gauge"
        lines += [f"# TYPE {name} {kind}", f"# HELP {name} {_escaped(family.help, quotes=open_metrics)}"]
        if open_metrics and family.unit:
            lines.append(f"# UNIT {name} {family.unit}")
        lines += [f"{sample}{_label_text(labels)} {_number(value)}" for labels, value in family.samples]
    if open_metrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _identity(desk: DeskView, *, account_labels: bool) -> Iterator[MetricFamily]:
    yield MetricFamily(
        "engine",
        "Version of the program, and where it trades",
        (
            (
                (("version", code_version()), ("mode", desk.mode)),
                1.0,
            ),
        ),
        kind="info",
    )
    if desk.account is not None:
        labels: Labels = (("currency", desk.account.currency),)
        if account_labels:
            labels += (("login", str(desk.account.login)), ("server", desk.account.server))
        yield MetricFamily("account", "The account; every figure of money is in its currency", ((labels, 1.0),), kind="info")


def _health(snapshot: Snapshot, heartbeat_utc_ns: UtcNs) -> Iterator[MetricFamily]:
    desk, engine, problems = snapshot.desk, snapshot.engine, problems_of(snapshot)
    yield _flag("healthy", "1 while `quarterdeck status` finds nothing wrong", not problems)
    yield _flag("ready", "1 once the start is complete", is_ready(snapshot))
    kinds = dict.fromkeys(problem.kind for problem in problems)
    yield _labelled("problem", "1 for each thing that is wrong", "kind", ((kind, 1.0) for kind in kinds))
    yield _one("start_time_seconds", "When the engine started", _seconds(engine.started_utc_ns), "seconds")
    yield _one("heartbeat_timestamp_seconds", "When the newest heartbeat was written", _seconds(heartbeat_utc_ns), "seconds")
    yield _one("market_timestamp_seconds", "Market time of the desk", _seconds(desk.at_utc_ns), "seconds")
    states = ((state, float(state == desk.state)) for state in _STATES)
    yield _labelled("trading_state", "1 for the trading state in force", "state", states)
    yield _labelled("state_reason", "1 for each reason of the state", "reason", ((one.code, 1.0) for one in desk.reasons))
    yield _labelled(
        "part_ok", "1 while a part of the engine does its work", "part", ((p.name, float(p.ok)) for p in engine.parts)
    )
    ages = ((part.name, part.age_s) for part in engine.parts)
    yield _labelled("part_age_seconds", "Since a part of the engine did its work last", "part", ages, "seconds")
    waiting = {alarm.kind: 0 for alarm in engine.alarms}
    for alarm in engine.alarms:
        waiting[alarm.kind] += not alarm.acknowledged
    counts = ((kind, float(count)) for kind, count in waiting.items())
    yield _labelled("alarms_unacknowledged", "Alarms not acknowledged yet", "kind", counts)


def _money(desk: DeskView) -> Iterator[MetricFamily]:
    yield _one("equity_money", "Equity", desk.equity_money, "money")
    yield _one("balance_money", "Balance", desk.balance_money, "money")
    yield _one("day_result_money", "Result of the trading day, without transfers", desk.day_result_money, "money")
    yield _one("day_loss_money", "Loss of the day as its limit counts it; negative is a gain", desk.day_loss_money, "money")
    yield _one("day_loss_limit_money", "Loss of the day at which entries stop", desk.day_limit_money, "money")
    yield _one("drawdown_ratio", "Drawdown from the highest equity; 0.01 is one percent", desk.drawdown_fraction, "ratio")


def _risk(risk: RiskView) -> Iterator[MetricFamily]:
    yield _one("open_risk_money", "Lost when all stops are hit", risk.open_money, "money")
    yield _one("reserved_risk_money", "Risk of orders under way", risk.reserved_money, "money")
    yield _one("risk_limit_money", "Highest open and reserved risk", risk.cap_money, "money")
    yield _one("correlated_risk_ratio", "Correlated risk, as share of equity", risk.correlated_risk_fraction, "ratio")
    yield _one("correlated_risk_limit_ratio", "Highest correlated risk", risk.correlated_risk_cap_fraction, "ratio")
    yield _one("gap_risk_money", "Lost when all stops are hit with a gap", risk.gap_risk_money, "money")
    yield _one("gap_risk_limit_money", "Highest loss with a gap", risk.gap_risk_cap_money, "money")
    yield _one("weekend_gap_risk_money", "Lost when all stops are hit with a weekend's gap", risk.weekend_gap_risk_money, "money")
    legs = ((leg.currency, leg.net_x_equity) for leg in risk.currencies)
    yield _labelled("currency_exposure_ratio", "Net exposure of a currency, times equity", "currency", legs, "ratio")
    tripped = ((limit.name, float(limit.tripped)) for limit in risk.limits)
    yield _labelled("limit_tripped", "1 for each limit that is reached", "limit", tripped)


def _book(desk: DeskView) -> Iterator[MetricFamily]:
    owners = {"ours": 0, "external": 0}
    for position in desk.positions:
        owners["ours" if position.ours else "external"] += 1
    yield _labelled("positions", "Open positions", "owner", ((owner, float(count)) for owner, count in owners.items()))
    yield _one("positions_without_stop", "Positions without a stop at the broker", desk.positions_without_stop)
    yield _one("orders_in_flight", "Orders sent and not settled", len(desk.orders))
    yield _one("orders_unconfirmed", "Orders whose outcome is not known", desk.unconfirmed_orders)
    matches = () if desk.positions_match is None else (((), float(desk.positions_match)),)
    yield MetricFamily("positions_match", "1 while desk and broker hold the same; absent while that is unknown", matches)
    yield _one("trades_today", "Trades closed today", desk.trades_today)
    yield _one("entries_today", "Entries of today", desk.entries_today)
    yield _flag("calendar_available", "1 while the economic calendar is known", desk.calendar_available)
    news = None if desk.next_news is None else _seconds(desk.next_news.at_utc_ns)
    yield _one("next_news_timestamp_seconds", "When the next release is due", news, "seconds")


def _pairs(desk: DeskView) -> Iterator[MetricFamily]:
    quotes = ((pair.symbol, _seconds(pair.quote_utc_ns)) for pair in desk.pairs)
    yield _labelled("quote_timestamp_seconds", "Market time of the newest quote", "symbol", quotes, "seconds")
    spreads = ((pair.symbol, pair.spread_pips) for pair in desk.pairs)
    yield _labelled("spread_pips", "Spread", "symbol", spreads, "pips")
    typical = ((pair.symbol, pair.typical_spread_pips) for pair in desk.pairs)
    yield _labelled("typical_spread_pips", "Typical spread of this minute of the week", "symbol", typical, "pips")
    opened = ((pair.symbol, float(pair.session_open)) for pair in desk.pairs)
    yield _labelled("session_open", "1 while the pair trades", "symbol", opened)
    stale = ((pair.symbol, float(pair.stale)) for pair in desk.pairs)
    yield _labelled("quote_stale", "1 while the pair's quotes are too old to trade on", "symbol", stale)


def _machine(engine: EngineHealth) -> Iterator[MetricFamily]:
    round_trip_ms = engine.broker_round_trip_ms
    round_trip_s = None if round_trip_ms is None else round_trip_ms / _MS_PER_S
    yield _flag("broker_connection_up", "1 while the feed of the broker is up", engine.connection_up)
    yield _one("broker_round_trip_seconds", "Last round trip to the broker", round_trip_s, "seconds")
    yield _flag("journal_writable", "1 while the journal can be written", engine.journal_writable)
    yield _one("journal_lag_seconds", "How long entries wait for the disk", engine.journal_lag_ms / _MS_PER_S, "seconds")
    yield _one("event_loop_lag_seconds", "How late the event loop serves a timer", engine.loop_lag_ms / _MS_PER_S, "seconds")
    yield _one("tape_day_bytes", "Growth of the tape in a day", engine.tape_bytes_day, "bytes")
    yield _flag("scanning_up", "0 while scan workers are wanted and none answers", engine.scanning_up)
    yield _one("replay_progress_ratio", "How far a replay has come", engine.replay_fraction, "ratio")
    inputs: tuple[tuple[Labels, float], ...] = (((), float(engine.tape_seq)),)
    yield MetricFamily("desk_inputs", "Inputs that the desk has decided in this run", inputs, kind="counter")
    errors = tuple(((("type", name),), float(count)) for name, count in engine.errors)
    yield MetricFamily("errors", "Errors by class in this run", errors, kind="counter")


def is_ready(snapshot: Snapshot) -> bool:
    """Whether the start is complete and the end has not begun."""
    stopping = any(reason.code == "stopping" for reason in snapshot.desk.reasons)
    return snapshot.engine.ready and snapshot.desk.state != "STARTING" and not stopping


def _one(name: str, text: str, value: float | None, unit: Literal["", "seconds", "bytes", "ratio", "money"] = "") -> MetricFamily:
    known = value is not None and math.isfinite(value)
    return MetricFamily(name, text, (((), float(value)),) if known and value is not None else (), unit)


def _flag(name: str, text: str, value: bool) -> MetricFamily:
    return _one(name, text, float(value))


def _labelled(
    name: str,
    text: str,
    label: str,
    values: Iterable[tuple[str, float | None]],
    unit: Literal["", "seconds", "ratio", "pips"] = "",
) -> MetricFamily:
    samples = tuple((((label, key),), value) for key, value in values if value is not None and math.isfinite(value))
    return MetricFamily(name, text, samples, unit)


def _seconds(at_utc_ns: UtcNs) -> float | None:
    return at_utc_ns / NS_PER_S if at_utc_ns else None


def _label_text(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels) + "}" if labels else ""


def _escaped(text: str, *, quotes: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
