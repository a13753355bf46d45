"""A journal against its broker's own rows, in SQL that shares no code with the product.

The broker's side is four tables: its deals, marks of its balance and equity (one before and one after each movement of money), the
spans in which market, line or engine were away, and the operator's resets. All figures are derived from these and from the
journal's tables. Shares of equity are those of a unit value, chained over transfers, as fund accounting does it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

S_NS = 1_000_000_000
H_NS = 3600 * S_NS
NEW_YORK = ZoneInfo("America/New_York")
ROLLOVER_NS = 70 * 60 * S_NS
"""From 16:55 to 18:05 of New York exits by the clock wait."""
LATE_EXIT_NS = 300 * S_NS
"""So much later than its time a position may leave."""
BOOKED_NS = 600 * S_NS
"""So much later than its date a deal may reach the journal's balance, beside spans without line or engine."""
SEEN_NS = 180 * S_NS
"""So far apart a breaker and the broker's mark behind it may be."""
MEAN_HOURS = 1e-4
"""A third of a second: a fill is booked when its answer comes, its deal is stamped by the server."""
SHARE = 0.0015
"""By so much of equity the desk's own quotes and the broker's marks may differ."""


class Mark(NamedTuple):
    """The broker's account at an instant. `flow` is money that came since the mark before, and its kind."""

    at_ns: int
    balance: float
    equity: float
    flow: float = 0.0
    kind: str = ""
    """`transfer` (credit too), `income`, or empty."""


class BrokerRecord(NamedTuple):
    """What the broker and the operator did."""

    deals: Iterable[tuple[Any, ...]]
    """(ticket, at_ns, kind, entry, magic, position_id, lots, profit, costs, balance_change, symbol, comment, order)."""
    marks: Sequence[Mark]
    away: Sequence[tuple[int, int, str]]
    """(since, until, symbol; empty is every symbol)."""
    resets: Sequence[int]
    """When the operator accepted a drawdown."""
    magic: int
    start_money: float
    day_loss_share: float
    drawdown_share: float
    time_exit_h: float


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What is wrong with a journal; all 0 where nothing is."""

    lost: int = 0
    """Deals of the broker that the journal does not have, or has with other money; orders filled that the broker never had."""
    doubled: int = 0
    """Deals or trades booked twice, and intents that the broker opened twice."""
    orphans: int = 0
    """Positions opened under our number without an intent of ours, or left open."""
    wrong_trips: int = 0
    """Breakers that tripped though the broker's equity was above the limit, and those that did not though it stayed below."""
    missed_exits: int = 0
    """Positions that outlived their time exit while market, line and engine were there."""
    wrong_balances: int = 0
    """Balances of the journal that the broker's deals never added up to at that time."""
    report_differs: int = 0
    """Figures of `report` that are not the broker's."""


class Found(NamedTuple):
    """The reconciliation, the breakers that tripped rightly, and what is wrong in words."""

    figures: Reconciliation
    trips: int
    words: list[str]


def reconcile(journal: Path, broker: BrokerRecord, report: dict[str, Any]) -> Found:
    """Compare; `report` is what `quarterdeck report --json` gives."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        _load(db, broker)
        words: list[str] = []

        def ask(what: str, sql: str, **values: Any) -> int:
            rows = db.execute(sql, {"magic": broker.magic, "start": broker.start_money} | values).fetchall()
            words.extend(f"{what}: {row}" for row in rows[:5])
            return len(rows)

        trips = _trips(db, broker)
        found = Reconciliation(
            lost=sum(ask("lost", sql) for sql in _LOST),
            doubled=sum(ask("doubled", sql) for sql in _DOUBLED),
            orphans=sum(ask("orphan", sql) for sql in _ORPHANS),
            wrong_trips=ask("wrong trip", _WRONG_TRIPS, share=SHARE, seen=SEEN_NS)
            + ask(
                "missed trip",
                _MISSED_TRIPS,
                share=SHARE,
                seen=SEEN_NS,
                day_loss=broker.day_loss_share,
                drawdown=broker.drawdown_share,
            ),
            missed_exits=ask("missed exit", _MISSED_EXITS, late=LATE_EXIT_NS, hold=round(broker.time_exit_h * H_NS)),
            wrong_balances=ask("balance", _WRONG_BALANCES, late=BOOKED_NS),
            report_differs=_report_differs(db, broker, report, words),
        )
    return Found(found, trips, words)


def day_starts(from_ns: int, to_ns: int, hour: int = 17, minute: int = 0) -> list[int]:
    """Each 17:00 of New York from the day before `from_ns` on."""
    day = datetime.fromtimestamp(from_ns / S_NS, UTC).astimezone(NEW_YORK).date() - timedelta(days=1)
    found = []
    while not found or found[-1] < to_ns:
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)
        found.append(round(local.timestamp()) * S_NS)
        day += timedelta(days=1)
    return found


def _weekends(days: Sequence[int]) -> list[tuple[int, int, str]]:
    """Friday 17:00 to Sunday 17:00 New York, with the thin hour after it."""
    friday = [at for at in days if datetime.fromtimestamp(at / S_NS, NEW_YORK).weekday() == 4]
    sunday = [at for at in days if datetime.fromtimestamp(at / S_NS, NEW_YORK).weekday() == 6]
    return [(at - H_NS // 12, next((end for end in sunday if end > at), at + 48 * H_NS) + H_NS * 13 // 12, "") for at in friday]


def _load(db: sqlite3.Connection, broker: BrokerRecord) -> None:
    marks = broker.marks
    days = day_starts(marks[0].at_ns, marks[-1].at_ns)
    rollovers = [(at, at + ROLLOVER_NS, "") for at in day_starts(marks[0].at_ns, marks[-1].at_ns, 16, 55)]
    db.executescript(_TABLES)
    db.executemany("INSERT INTO b VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", broker.deals)
    db.executemany("INSERT INTO mark (at_ns, balance, equity, flow, kind) VALUES (?,?,?,?,?)", marks)
    db.executemany("INSERT INTO away VALUES (?,?,?)", [*broker.away, *_weekends(days)])
    db.executemany("INSERT INTO shut VALUES (?,?,?)", [*broker.away, *_weekends(days), *rollovers])
    db.executemany("INSERT INTO day VALUES (?,?)", zip(days, [*days[1:], 2**62], strict=True))
    db.executemany("INSERT INTO reset VALUES (?)", [(at,) for at in broker.resets])
    db.executescript(_UNITS)


_TABLES = """
CREATE TEMP TABLE b (ticket INTEGER PRIMARY KEY, at_ns INTEGER, kind, entry, magic, position_id, lots, profit, costs, money, symbol, comment,
    order_ticket);
CREATE TEMP TABLE mark (n INTEGER PRIMARY KEY, at_ns INTEGER, balance, equity, flow, kind);
CREATE TEMP TABLE away (since, until, symbol);
CREATE TEMP TABLE shut (since, until, symbol);
CREATE TEMP TABLE day (since INTEGER PRIMARY KEY, until);
CREATE TEMP TABLE reset (at_ns);
"""

_UNITS = """
-- the value of a unit: what a day's loss counts leaves out transfers and income, what a drawdown counts leaves out transfers
CREATE TEMP TABLE unit AS
    WITH step AS (
        SELECT n, at_ns, balance, equity, lag(equity, 1, equity) OVER (ORDER BY n) AS before, flow, kind FROM mark)
    SELECT n, at_ns, balance, equity,
        exp(sum(ln((equity - flow) / before)) OVER (ORDER BY n)) AS of_day,
        exp(sum(ln((equity - iif(kind = 'transfer', flow, 0.0)) / before)) OVER (ORDER BY n)) AS of_peak
    FROM step;
CREATE UNIQUE INDEX unit_n ON unit (n);
CREATE INDEX unit_at ON unit (at_ns);
-- a day begins with the greater of balance and equity
CREATE TEMP TABLE base AS
    SELECT d.since, d.until, u.of_day * max(1.0, u.balance / u.equity) AS value
    FROM day AS d JOIN unit AS u ON u.n = (SELECT max(n) FROM unit WHERE at_ns < d.since);
CREATE TEMP TABLE fall AS
    SELECT u.n, u.at_ns, u.equity, 1.0 - u.of_day / b.value AS day_loss, b.since AS day,
        1.0 - u.of_peak / max(u.of_peak) OVER (PARTITION BY (SELECT count(*) FROM reset WHERE at_ns <= u.at_ns) ORDER BY u.n) AS drawdown,
        1.0 - u.of_peak / max(u.of_peak) OVER (ORDER BY u.n) AS drawdown_of_all
    FROM unit AS u LEFT JOIN base AS b ON b.since <= u.at_ns AND u.at_ns < b.until;
CREATE INDEX fall_at ON fall (at_ns);
CREATE TEMP TABLE ours AS SELECT DISTINCT position_id FROM b WHERE symbol != '' AND entry = 0 AND magic = (SELECT max(magic) FROM b);
CREATE TEMP TABLE trip (at_ns, name, share);
CREATE TEMP TABLE total AS SELECT ticket, at_ns, sum(money) OVER (ORDER BY at_ns, ticket) AS balance,
    lead(at_ns, 1, 1 << 62) OVER (ORDER BY at_ns, ticket) AS next_ns FROM b;
"""

_LOST = (
    "SELECT ticket, kind, money FROM b WHERE ticket NOT IN (SELECT deal_ticket FROM deals)",
    """SELECT b.ticket, b.money, d.money FROM b JOIN (SELECT deal_ticket, round(sum(
        profit_money + commission_money + fee_money + swap_money + balance_money), 2) AS money FROM deals GROUP BY deal_ticket) AS d
        ON d.deal_ticket = b.ticket WHERE abs(d.money - b.money) > 0.005""",
    """SELECT client_id, fate FROM intents WHERE kind = 'submit' AND fate IN ('filled', 'partly_filled')
        AND client_id NOT IN (SELECT comment FROM b WHERE entry = 0 AND symbol != '')""",
)
_DOUBLED = (
    "SELECT deal_ticket FROM deals GROUP BY deal_ticket HAVING count(*) > 1",
    "SELECT position_id FROM trades GROUP BY position_id HAVING count(*) > 1",
    """SELECT comment FROM b WHERE symbol != '' AND entry = 0 AND magic = :magic
        GROUP BY comment HAVING count(DISTINCT order_ticket) > 1""",
)
_ORPHANS = (
    """SELECT ticket, comment FROM b WHERE symbol != '' AND entry = 0 AND magic = :magic
        AND comment NOT IN (SELECT client_id FROM intents WHERE kind = 'submit')""",
    """SELECT position_id, sum(iif(entry = 0, lots, -lots)) AS left_lots FROM b WHERE symbol != '' AND position_id IN ours
        GROUP BY position_id HAVING abs(left_lots) > 1e-6""",
    "SELECT position_id FROM ours WHERE position_id NOT IN (SELECT position_id FROM trades)",
)
_WRONG_TRIPS = """
    WITH seen AS (
        SELECT name, share, at_ns, at_ns - :seen - coalesce((
            SELECT max(until - since) FROM away WHERE since <= at_ns AND at_ns - :seen < until), 0) AS from_ns FROM trip)
    SELECT name, datetime(at_ns / 1000000000, 'unixepoch'), share, (
        SELECT max(iif(t.name = 'day', f.day_loss, f.drawdown)) FROM fall AS f
        WHERE f.n >= (SELECT max(n) FROM fall WHERE at_ns <= t.from_ns) AND f.at_ns <= t.at_ns + :seen) AS truth
    FROM seen AS t WHERE truth IS NULL OR truth < share - :share
"""
# below the limit at two marks that lie apart, with market, line and engine there: a breaker must have tripped
_MISSED_TRIPS = """
    WITH limit_of (name, share) AS (SELECT 'day', :day_loss UNION ALL SELECT 'drawdown', :drawdown),
    low AS (
        SELECT l.name, l.share, f.at_ns, f.day, iif(l.name = 'day', f.day_loss, f.drawdown) AS fallen,
            min(iif(l.name = 'day', f.day_loss, f.drawdown)) OVER (
                PARTITION BY l.name ORDER BY f.at_ns RANGE BETWEEN 180000000000 PRECEDING AND CURRENT ROW) AS least
        FROM fall AS f, limit_of AS l)
    SELECT name, datetime(min(at_ns) / 1000000000, 'unixepoch'), max(fallen), share FROM low
    WHERE least > share + :share
        AND NOT EXISTS (SELECT 1 FROM away AS a WHERE low.at_ns BETWEEN a.since - :seen AND a.until + 2 * :seen)
        AND NOT EXISTS (SELECT 1 FROM trip AS t WHERE t.name = low.name AND t.at_ns <= low.at_ns + :seen
            AND iif(low.name = 'day', t.at_ns >= low.day - :seen,
                NOT EXISTS (SELECT 1 FROM reset AS r WHERE r.at_ns > t.at_ns AND r.at_ns <= low.at_ns)))
    GROUP BY name, day
"""
# an exit that fell due while the market was shut or in rollover comes after it; time without line or engine is added
_MISSED_EXITS = """
    WITH RECURSIVE hold AS (
        SELECT position_id, symbol, min(iif(entry = 0, at_ns, NULL)) + :hold AS due, max(iif(entry != 0, at_ns, NULL)) AS closed
        FROM b WHERE symbol != '' AND position_id IN ours GROUP BY position_id),
    later (position_id, symbol, due, closed) AS (
        SELECT * FROM hold
        UNION
        SELECT l.position_id, l.symbol, s.until, l.closed FROM later AS l JOIN shut AS s
            ON s.since <= l.due + :late AND l.due < s.until AND s.symbol IN ('', l.symbol))
    SELECT position_id, symbol, datetime(max(due) / 1000000000, 'unixepoch') AS due_at, round((closed - max(due)) / 6e10, 1) AS minutes_late
    FROM later GROUP BY position_id HAVING closed IS NULL OR closed > max(due) + :late
"""
_WRONG_BALANCES = """
    SELECT e.run, e.seq, datetime(e.at_utc_ns / 1000000000, 'unixepoch'), e.balance_money FROM equity AS e
    WHERE abs(e.balance_money - :start) > 0.005 AND NOT EXISTS (
        SELECT 1 FROM total AS t WHERE abs(t.balance + :start - e.balance_money) < 0.005 AND t.at_ns <= e.at_utc_ns + 1000000000
            AND t.next_ns > e.at_utc_ns - :late - coalesce((SELECT max(until - since) FROM away AS a
                WHERE a.since <= e.at_utc_ns AND e.at_utc_ns - :late < a.until), 0))
"""


def _trips(db: sqlite3.Connection, broker: BrokerRecord) -> int:
    """Breakers of equity as the journal alerted them."""
    for name, head, share in (
        ("day", "Daily loss limit reached: %, limit %", broker.day_loss_share),
        ("drawdown", "Maximum drawdown reached: %, limit %", broker.drawdown_share),
    ):
        sql = "INSERT INTO trip SELECT at_utc_ns, ?, ? FROM alerts WHERE kind = 'breaker' AND text LIKE ?"
        db.execute(sql, (name, share, head))
    (count,) = db.execute("SELECT count(*) FROM trip").fetchone()
    return int(count)


_GROUP = """
    WITH closed AS (
        SELECT position_id, symbol, sum(money) AS net, sum(costs) AS costs,
            min(iif(entry = 0, at_ns, NULL)) AS opened, max(iif(entry != 0, at_ns, NULL)) AS closed
        FROM b WHERE symbol != '' AND position_id IN ours GROUP BY position_id)
    SELECT count(*), sum(net > 0.004), sum(net), sum(costs), -sum(iif(net < -0.004, net, 0.0)), sum(iif(net > 0.004, net, 0.0)),
        avg(closed - opened) / 3.6e12
    FROM closed WHERE :pair IN ('', symbol)
"""
_LONGEST_RUN = """
    WITH closed AS (
        SELECT sum(money) AS net, max(iif(entry != 0, at_ns, NULL)) AS closed, position_id
        FROM b WHERE symbol != '' AND position_id IN ours GROUP BY position_id),
    numbered AS (
        SELECT net, sum(net > -0.004) OVER (ORDER BY closed, position_id) AS run FROM closed)
    SELECT coalesce(max(losses), 0) FROM (SELECT count(*) AS losses FROM numbered WHERE net < -0.004 GROUP BY run)
"""
_MARKED_FALL = """
    SELECT max(drawdown_of_all) FROM fall AS f WHERE n IN (
        SELECT (SELECT max(n) FROM fall WHERE at_ns <= e.at_utc_ns) FROM equity AS e)
"""


def _report_differs(db: sqlite3.Connection, broker: BrokerRecord, report: dict[str, Any], words: list[str]) -> int:
    """Figures of trades to the cent, overall and per pair; the deepest drawdown between the broker's marks and the journal's."""
    differ = 0

    def same(what: str, told: Any, truth: Any, within: float) -> None:
        nonlocal differ
        if (told is None) != (truth is None) or (told is not None and abs(told - truth) > within):
            differ += 1
            words.append(f"report {what}: {told}, broker {truth}")

    groups = {"": report["performance"]["trades"], **report["by_pair"]}
    symbols = [row[0] for row in db.execute("SELECT DISTINCT symbol FROM b WHERE symbol != '' AND position_id IN ours")]
    for pair in ("", *symbols):
        count, won, net, costs, lost, gained, hours = db.execute(_GROUP, {"pair": pair}).fetchone()
        told = groups.get(pair) or dict.fromkeys(("trades", "won", "net_money", "costs_money", "profit_factor", "mean_hours"))
        same(f"{pair} trades", told["trades"], count or None if pair else count, 0)
        same(f"{pair} won", told["won"], won or 0, 0)
        same(f"{pair} net", told["net_money"], net or 0.0, 0.005)
        same(f"{pair} costs", told["costs_money"], costs or 0.0, 0.005)
        same(f"{pair} profit factor", told["profit_factor"], gained / lost if lost else None, 1e-6)
        same(f"{pair} mean hours", told["mean_hours"], hours, MEAN_HOURS)
    (run,) = db.execute(_LONGEST_RUN).fetchone()
    same("losses in a row", report["performance"]["trades"]["losses_in_row_max"], run, 0)
    (deepest,) = db.execute("SELECT max(drawdown_of_all) FROM fall").fetchone()
    (marked,) = db.execute(_MARKED_FALL).fetchone()
    fraction = report["performance"]["drawdown"]["fraction"]
    same("drawdown", fraction, min(max(fraction, marked), deepest), SHARE)
    return differ
