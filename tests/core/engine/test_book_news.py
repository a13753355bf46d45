"""A poll of account and book puts on the tape what changed, not what merely floats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.clock.steady import SteadyClock
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.engine.book_news import BookNews
from quarterdeck.core.model.broker_account import BrokerPosition
from quarterdeck.core.model.inputs import AccountRead, BrokerBook
from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.study.audit import audit
from tests.core.engine.test_clock_jumps import Machine
from tests.core.journal.tapes import Watch, account
from tests.sim.simulated_engine import Line, World

PAIRS = ["EURUSD", "GBPUSD", "AUDUSD", "NZDUSD", "USDCAD"]
POSITION = BrokerPosition(
    ticket=5,
    position_id=5,
    symbol="EURUSD",
    side=Side.BUY,
    lots=0.1,
    open_price=1.1,
    stop_price=1.09,
    target_price=1.12,
    opened_utc_ns=1,
    magic=0,
)
BOOK = BrokerBook(known=True, at_utc_ns=1, positions=(POSITION,))


class Still(Watch):
    """A clock that only the test moves."""

    seconds = 0.0

    def monotonic_s(self) -> float:
        return self.seconds


def knowing() -> tuple[BookNews, Still]:
    """A desk that knows the account and the book."""
    clock = Still()
    news = BookNews(clock)
    for item in (account(), BOOK):
        assert news.news([item]) == [item]
        news.told(item)
    return news, clock


def floated(money: float) -> BrokerBook:
    return BrokerBook(known=True, at_utc_ns=2, positions=(msgspec.structs.replace(POSITION, profit_money=money),))


@pytest.mark.parametrize("field", [name for name in BrokerPosition.__struct_fields__ if name != "profit_money"])
def test_any_change_of_a_position_is_news_at_once(field: str) -> None:
    news, _ = knowing()
    old = getattr(POSITION, field)
    new = Side.SELL if field == "side" else "other" if isinstance(old, str) else (old or 0) + 1
    changed = BrokerBook(known=True, at_utc_ns=2, positions=(msgspec.structs.replace(POSITION, **{field: new}),))
    assert news.news([changed]) == [changed]


def test_an_unknown_book_and_the_next_known_one_are_news() -> None:
    news, _ = knowing()
    unknown = BrokerBook(known=False, at_utc_ns=2, why="no answer")
    assert news.news([unknown]) == [unknown]
    news.told(unknown)
    assert news.news([BOOK]) == [BOOK]


def test_the_account_is_told_once_more_after_the_book_changed() -> None:
    news, _ = knowing()
    assert news.news([account()]) == []
    gone = BrokerBook(known=True, at_utc_ns=2)
    assert news.news([account(), gone]) == [gone]
    news.told(gone)
    assert news.news([account()]) == [account()]
    news.told(account())
    assert news.news([account()]) == []


def test_floating_money_is_news_when_it_moved_or_in_time() -> None:
    news, clock = knowing()
    assert news.news([floated(9.0)]) == []
    assert len(news.news([floated(11.0)])) == 1, "more than a thousandth of 10,000"
    moved = AccountRead(account=msgspec.structs.replace(account().account, equity_money=1.0))
    assert news.news([moved]) == []
    clock.seconds = 61.0
    assert news.news([account(), moved]) == [moved]
    clock.seconds = 901.0
    assert len(news.news([floated(9.0)])) == 1


class Polled(World):
    """A world whose terminal, as a real one, does not count its changes."""

    def clock(self) -> Clock:
        return SteadyClock(Machine(self.loop))

    def line(self) -> Line:
        line = Line(self)
        line._inner = InProcessTerminal(self.terminal.module)
        return line


def test_five_positions_grow_the_journal_under_five_megabytes(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "desk__pairs": PAIRS,
        "engine__quote_poll_ms": 250.0,
        "engine__quote_idle_ms": 1000.0,
        "engine__heartbeat_s": 5.0,
        "filters__quote_age_max_s": 60.0,
        "account__manage_external_positions": True,
    }
    world = Polled(tmp_path, seed=11, tick_s=1, history_days=6, **settings)

    async def live(world: World) -> float:
        engine = await world.start()
        for pair in PAIRS:
            world.by_hand(pair, Side.BUY, 0.05)
        await world.hours(0.03)
        assert len(world.desk_lots()) == len(PAIRS)
        engine.journal.flush_blocking()
        before, begun_utc_ns = engine.journal._store.tape_bytes, world.now_utc_ns
        await world.hours(0.1)
        engine.journal.flush_blocking()
        grown = engine.journal._store.tape_bytes - before
        await world.close()
        return grown * DAY_NS / (world.now_utc_ns - begun_utc_ns)

    assert world.run(live) < 5_000_000
    found = audit(tmp_path / "journal.sqlite", Desk)
    assert (found.findings, found.agree) == ({}, found.decisions)
