"""`quarterdeck status`: how the engine of a home is, for a human, a script, or a watcher that only sees the exit code.

Asks the engine itself; where none answers, says what the last heartbeat said and how old it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from quarterdeck.cli.engine_client import NotReached, Unreachable, with_engine
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, say
from quarterdeck.core.clock.wall import WallClock, iso
from quarterdeck.core.journal.heartbeat import problems_of
from quarterdeck.core.link.engine_watch import fresh_snapshot
from quarterdeck.core.model.errors import UNREADABLE, CheckFailedError, EngineNotRunningError
from quarterdeck.core.model.snapshot import DeskView, EngineHealth, PartView, ReasonView, Snapshot
from quarterdeck.core.model.units import NS_PER_S, S_PER_HOUR, S_PER_MINUTE
from quarterdeck.core.settings.home import Home, resolve_home
from quarterdeck.core.settings.safe_files import read_small

_ORDERS = {"open": "entry order", "close": "close order", "modify": "stop change", "cancel": "cancellation"}


def command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show the engine's state and what is wrong with it.

    Ends with 0 when all is well (your own pause or flatten is), with 9 when something is wrong, with 8 when no engine is running.
    """
    place = resolve_home(home)
    try:
        snapshot = with_engine(place.root, fresh_snapshot, watch=True)
    except NotReached as error:
        last = last_heartbeat(place)
        if as_json:
            print_json({"running": False, "last": last})
        raise EngineNotRunningError(str(error), what_to_do=error.what_to_do) from error
    except Unreachable as error:
        if as_json:
            print_json({"running": True, "ok": False, "wrong": [str(error)], "last": last_heartbeat(place)})
        raise
    wrong = [problem.line for problem in problems_of(snapshot)]
    say("\n".join(lines(snapshot, wrong)))
    if as_json:
        print_json({"running": True, "ok": not wrong, "wrong": wrong, **figures(snapshot)})
    if wrong:
        raise CheckFailedError("; ".join(wrong))


def lines(snapshot: Snapshot, wrong: list[str]) -> list[str]:
    """The status as a human reads it."""
    desk = snapshot.desk
    text = [_run(snapshot), *map(_reason, desk.reasons), _account(desk), _holdings(desk), _machine(snapshot.engine)]
    if snapshot.engine.scanning:
        text.append(f"scanning: {snapshot.engine.scanning}")
    if snapshot.engine.news_off:
        text.append("news rules are off (news.impacts): no release stops entries")
    if snapshot.desk.clock_text:
        text.append(f"clock: {snapshot.desk.clock_text}")
    text.append("; ".join(map(_part, snapshot.engine.parts)))
    text += [
        f"unconfirmed: {_ORDERS.get(order.what, order.what)} {order.client_id}, {order.symbol} {order.lots:g} lots; if the "
        "terminal shows what became of it, see `quarterdeck resolve --help`"
        for order in desk.orders
        if order.order_status == "unknown"
    ]
    return [line for line in text if line] + ([f"wrong: {what}" for what in wrong] or ["all is well"])


def figures(snapshot: Snapshot) -> dict[str, Any]:
    """The figures that a script may want."""
    desk, engine = snapshot.desk, snapshot.engine
    return {
        "mode": desk.mode,
        "state": desk.state,
        "reasons": [reason.code for reason in desk.reasons],
        "run_id": engine.run_id,
        "pid": engine.pid,
        "market_time": iso(desk.at_utc_ns),
        "equity_money": desk.equity_money,
        "day_result_money": desk.day_result_money,
        "day_loss_money": desk.day_loss_money,
        "open_risk_money": desk.risk.open_money,
        "all_stops_money": desk.risk.gap_risk_money,
        "all_stops_weekend_money": desk.risk.weekend_gap_risk_money,
        "positions": _ours(desk),
        "foreign": desk.external_count,
        "without_stop": desk.positions_without_stop,
        "unknown_fates": [order.client_id for order in desk.orders if order.order_status == "unknown"],
        "tape_seq": engine.tape_seq,
        "tape_bytes_day": engine.tape_bytes_day,
        "replay_fraction": engine.replay_fraction,
        "scanning": engine.scanning,
        "clock": desk.clock_text,
        "calendar_available": desk.calendar_available,
        "calendar_why": engine.calendar_why,
        "news_off": engine.news_off,
        "parts": {part.name: {"ok": part.ok, "age_s": part.age_s, "text": part.text} for part in engine.parts},
        "alarms": [msgspec.to_builtins(alarm) for alarm in engine.alarms],
    }


def last_heartbeat(place: Home) -> dict[str, Any] | None:
    """The last heartbeat that an engine left in the home, with its age; None where there is none, or it is damaged."""
    path: Path = place.heartbeat
    try:
        beat = msgspec.json.decode(read_small(path), type=dict[str, Any])
        age_s = WallClock().utc_ns() / NS_PER_S - path.stat().st_mtime
    except (OSError, *UNREADABLE):
        return None
    return {**beat, "age_s": round(max(age_s, 0.0))}


def _run(snapshot: Snapshot) -> str:
    desk, engine = snapshot.desk, snapshot.engine
    reasons = "".join(f" {reason.code}" for reason in desk.reasons)
    up = _span((engine.wall_utc_ns - engine.started_utc_ns) // NS_PER_S)
    head = f"{desk.mode.upper()}  {desk.state}{reasons}"
    return f"{head}  run {engine.run_id}, process {engine.pid}, up {up}, market time {iso(desk.at_utc_ns)}"


def _reason(reason: ReasonView) -> str:
    return f"{reason.state} because: {reason.text.rstrip('. ') or reason.code}. It ends when {reason.clears_when}."


def _account(desk: DeskView) -> str:
    currency = f" {desk.account.currency}" if desk.account is not None else ""
    pending, most = _money(desk.risk.reserved_money), _money(desk.risk.cap_money)
    risk = f"open risk {_money(desk.risk.open_money)} + pending {pending} (max {most})"
    day = f"today {_money(desk.day_result_money, sign=True)}"
    if desk.day_loss_money is not None and desk.day_limit_money is not None:
        used = max(desk.day_loss_money, 0.0)
        day += f", {_money(used)} of the daily loss limit of {_money(desk.day_limit_money)} used"
    return f"equity {_money(desk.equity_money)}{currency}; {day}; {risk}"


def _holdings(desk: DeskView) -> str:
    found = [f"positions: {_ours(desk)} of this desk, {desk.external_count} not opened by it"]
    if desk.positions_without_stop:
        found.append(f"{desk.positions_without_stop} WITHOUT STOP")
    if desk.unconfirmed_orders:
        found.append(f"{desk.unconfirmed_orders} UNCONFIRMED ORDER{'' if desk.unconfirmed_orders == 1 else 'S'}")
    matched = {None: "the broker's list was not read yet", True: "positions match broker", False: "POSITION MISMATCH"}
    found.append(matched[desk.positions_match])
    found += [f"no entries in {pair.symbol}: {pair.entries_blocked}" for pair in desk.pairs if pair.entries_blocked]
    return "; ".join(found)


def _part(part: PartView) -> str:
    age = "" if part.age_s is None else f" {_span(round(part.age_s))} ago"
    if not part.ok:
        return f"{part.name} WRONG{age}"
    return f"{part.name}{age}" if age else f"{part.name} -"


def _machine(engine: EngineHealth) -> str:
    connection = "up" if engine.connection_up else f"DOWN ({engine.connection_reason})"
    tape = f"tape at {engine.tape_seq}, {engine.tape_bytes_day / 1e6:.1f} MB a day"
    delays = f"journal {engine.journal_lag_ms:.0f} ms behind, event loop {engine.loop_lag_ms:.0f} ms late"
    return f"broker connection {connection}; {tape}; {delays}"


def _ours(desk: DeskView) -> int:
    return sum(position.ours for position in desk.positions)


def _money(amount: float | None, *, sign: bool = False) -> str:
    if amount is None:
        return "unknown"
    return f"{amount:+,.2f}" if sign else f"{amount:,.2f}"


def _span(seconds: int) -> str:
    if seconds < S_PER_MINUTE:
        return f"{seconds} s"
    if seconds < S_PER_HOUR:
        return f"{seconds // S_PER_MINUTE} min"
    return f"{seconds // S_PER_HOUR} h {seconds % S_PER_HOUR // S_PER_MINUTE} min"
