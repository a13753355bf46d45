"""A run over a misbehaving simulated terminal: the same for the same seed, and the desk ends with what a healthy one would know."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from quarterdeck.cli.main import main
from quarterdeck.cli.start_record import start_arguments
from quarterdeck.core.brokers.simulator.fault_options import fault_rates, fault_words
from quarterdeck.core.brokers.simulator.faults import FaultRates
from quarterdeck.core.engine.engine import Engine
from quarterdeck.core.engine.run_lifecycle import run_to_end, start_run
from quarterdeck.core.engine.run_request import RunRequest
from quarterdeck.core.link.messages import BarsQuery, BarsReply
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.model.inputs import BarClosed, ConnectionState, Input
from quarterdeck.core.model.units import M15_NS, UtcNs
from quarterdeck.core.settings.home import Home
from quarterdeck.core.study.summary import SummaryCounter

DAYS = (date(2024, 10, 15), date(2024, 10, 17))
BAD = (
    "lost_reply_executed=0.3",
    "late_deal=0.3",
    "pipe_broken=0.02",
    "slow_call=0.03",
    "slow_call_s=20",
    "positions_unknown=0.1",
)
EAGER = (("strategy.confidence_min", 0.5), ("strategy.net_reward_risk_min", 1.0))


class Lived(Struct):
    """What a run left behind."""

    digest: str
    bars: dict[tuple[str, UtcNs], tuple[float, float]]
    struck: dict[str, int]
    label: str
    trades: int
    inputs: list[Input]
    agrees: bool | None
    unknown_fates: int


def lived(home: Path, data: Path, faults: tuple[str, ...] = BAD, *, looks: bool = False, **more: Any) -> Lived:
    """A replay of three days to its end, with someone who opens charts meanwhile if `looks`."""

    async def life() -> Lived:
        wish = RunRequest(
            home=Home(home),
            values=(*EAGER, ("desk.pairs", ["EURUSD", "GBPUSD", "USDJPY"])),
            replay=(data / "m15",),
            from_day=DAYS[0],
            to_day=DAYS[1],
            faults=faults,
            **more,
        )
        ready = await start_run(wish, on_step=lambda _: None)
        engine, tally, inputs = ready.engine, SummaryCounter(), []
        engine.runner.listen(tally.on_effect)
        give = engine.runner.feed_input

        def noted(item: Input, at_utc_ns: UtcNs) -> Any:
            inputs.append(item)
            return give(item, at_utc_ns)

        engine.runner.feed_input = noted  # type: ignore[method-assign]
        looking = asyncio.create_task(charts(engine)) if looks else None
        last = None
        try:
            await run_to_end(ready)
        finally:
            last = engine.desk.view()
            if looking is not None:
                looking.cancel()
        summary, venue = tally.summary(), engine.venue
        closed = [item for item in inputs if isinstance(item, BarClosed) and item.timeframe == "M15"]
        return Lived(
            digest=summary.digest,
            bars={
                (item.symbol, item.bar.open_utc_ns): (item.bar.high, item.bar.close)
                for item in closed
                if item.bar.open_utc_ns >= venue.from_utc_ns  # an earlier one belongs to the history of a start that was slow
            },
            struck=dict(venue.faults.drawn) if venue.faults is not None else {},
            label=venue.label,
            trades=summary.trades,
            inputs=inputs,
            agrees=last.positions_match,
            unknown_fates=last.unconfirmed_orders,
        )

    return asyncio.run(life())


async def charts(engine: Engine) -> None:
    while True:
        assert isinstance(await engine.side.answer(BarsQuery(symbol="EURUSD", timeframe="M15", count=50)), BarsReply)
        await asyncio.sleep(0.005)


@pytest.mark.slow
def test_same_seed_gives_same_run_without_missing_bars(tmp_path: Path, recorded_data: Path) -> None:
    healthy = lived(tmp_path / "healthy", recorded_data, ())
    first, again = (lived(tmp_path / name, recorded_data, looks=name == "again") for name in ("first", "again"))
    assert (first.digest, first.struck) == (again.digest, again.struck), "also with someone who opens charts"
    assert first.digest != healthy.digest
    assert {"pipe_broken", "slow_call", "positions_unknown", "lost_reply_executed"} <= set(first.struck)
    assert first.bars == healthy.bars, "a read that failed is made good, with the same bars"
    assert first.trades > 0
    assert (first.agrees, first.unknown_fates) == (True, 0)
    assert "WITH FAULTS lost_reply_executed=0.3" in first.label
    assert "FAULTS" not in healthy.label
    opens = [item.bar.open_utc_ns for item in first.inputs if isinstance(item, BarClosed) and item.symbol == "EURUSD"]
    assert opens == sorted(set(opens)), "what comes late comes in order, and once"
    states = [item.is_connected for item in first.inputs if isinstance(item, ConnectionState)]
    assert states[-1] is True, "a line that is back is said to be back"


@pytest.mark.slow
def test_call_longer_than_a_bar_loses_no_bar(tmp_path: Path, recorded_data: Path) -> None:
    healthy = lived(tmp_path / "healthy", recorded_data, ())
    slow = lived(tmp_path / "slow", recorded_data, ("slow_call=0.01", f"slow_call_s={2.5 * M15_NS / 1e9}"))
    missing = set(healthy.bars) - set(slow.bars)
    last = max(open_utc_ns for _, open_utc_ns in healthy.bars)
    assert all(open_utc_ns >= last - 4 * M15_NS for _, open_utc_ns in missing), "but for those at the very end"
    assert all(healthy.bars[place] == bar for place, bar in slow.bars.items() if place in healthy.bars)


def test_unknown_fault_is_refused_and_valid_ones_listed() -> None:
    assert fault_rates(["lost_reply_executed=0.25", "slow_call_s=2"]) == FaultRates(lost_reply_executed=0.25, slow_call_s=2.0)
    with pytest.raises(UsageError, match="no fault called lost_replies") as refused:
        fault_rates(["lost_replies=0.5"])
    assert "lost_reply_executed" in refused.value.what_to_do
    with pytest.raises(UsageError, match="slow_call"):
        fault_rates(["slow_call=often"])


@pytest.mark.parametrize("text", ["slow_call=60", "slow_call=-0.1", "slow_call=nan", "slow_call_s=-3", "delay_s=inf"])
def test_a_number_that_is_no_probability_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        fault_rates([text])


def test_what_is_switched_on_is_said_as_it_was_written() -> None:
    assert fault_words(fault_rates(["slow_call=0.5", "tick_size_zero=1"])) == "slow_call=0.5, tick_size_zero=1"
    assert not fault_words(FaultRates())


def test_an_account_is_never_given_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--no-ui", "--home", str(tmp_path), "--set", "desk.mode=live", "--set", "account.gateway=ws://127.0.0.1:9"]
    assert main([*words, "--fault", "slow_call=0.1"]) == 2
    assert "--fault works on the simulated terminal only" in capsys.readouterr().err
    assert main(["run", "--no-ui", "--home", str(tmp_path), "--fault", "slow=0.1"]) == 2
    assert "there is no fault called slow" in capsys.readouterr().err


def test_a_restart_begins_with_the_same_faults(tmp_path: Path) -> None:
    words = start_arguments(RunRequest(home=Home(tmp_path), faults=("slow_call=0.1", "quote_gap=0.01")))
    assert words[-4:] == ("--fault", "slow_call=0.1", "--fault", "quote_gap=0.01")
