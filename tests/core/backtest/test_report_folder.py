"""A result survives its file; the report needs nothing but itself, and says what it is."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import msgspec
import pytest

from quarterdeck.cli.backtest_text import comparison_lines
from quarterdeck.core.backtest import result_tables
from quarterdeck.core.backtest.backtester import Backtest, BacktestProgress
from quarterdeck.core.backtest.compare import compare_runs
from quarterdeck.core.backtest.diagnosis import diagnose
from quarterdeck.core.backtest.report_folder import report_name, write_report
from quarterdeck.core.backtest.result import BacktestResult, read_result
from quarterdeck.core.backtest.svg_charts import bar_chart, equity_chart
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.errors import DataError, StorageError
from quarterdeck.core.model.units import DAY_NS
from quarterdeck.core.strategy.strategy_loader import load_strategy
from tests.core.backtest import sample_runs


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> BacktestResult:
    folder = tmp_path_factory.mktemp("coin")
    settings = sample_runs.coin_settings(folder, ("desk.pairs", ["EURUSD", "GBPUSD"]), ("strategy.parameters", {"every": 25}))
    done: BacktestResult = sample_runs.run(settings, bars=3_200)
    return done


def test_a_report_opens_again_and_needs_nothing_else(tmp_path: Path, result: BacktestResult) -> None:
    page = write_report(tmp_path / "report", result, diagnose(result, {}), [])
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)\s*=|@import|url\(|<script", text)
    assert result.summary.digest in text
    assert "<svg" in text
    assert "Partial" not in text
    assert "No calendar was named (news.files)" in text
    with (tmp_path / "report" / "trades.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result.summary.trades
    assert sum(float(row["net_money"]) for row in rows) == pytest.approx(result.summary.result_money, abs=0.02 * len(rows))
    assert read_result(tmp_path / "report") == result


def test_refusals_are_countable_one_by_one(tmp_path: Path, result: BacktestResult) -> None:
    write_report(tmp_path, result, [], [])
    with (tmp_path / "refused.csv").open(encoding="utf-8") as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    assert {reason: reasons.count(reason) for reason in reasons} == result.summary.refusals
    assert {
        reason: sum(row.values()) for reason, row in result_tables.refusals_by_reason(result).items()
    } == result.summary.refusals


def test_months_add_up_to_the_result(result: BacktestResult) -> None:
    rows = result_tables.months(result)
    assert sum(row.trades for row in rows) == result.summary.trades
    last = result.equity[-1].equity_money
    assert sum(row.result_money for row in rows) == pytest.approx(last - result.start_money)


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(tmp_path, ("desk.pairs", ["EURUSD"]), ("strategy.parameters", {"every": 10}))
    strategy = load_strategy(settings)
    market = sample_runs.coin_market(settings, strategy, bars=3_000)

    def enough(progress: BacktestProgress) -> bool:
        return progress.done_fraction < 0.3

    partial = Backtest(market, settings, strategy).run_once(enough)
    assert not partial.complete
    assert partial.bars < 3_000
    assert partial.to_utc_ns < market.recording.to_utc_ns
    assert "partial" in report_name(partial)
    page = write_report(tmp_path / "partial", partial, [], [])
    assert "Partial" in page.read_text(encoding="utf-8")


def test_a_folder_without_a_result_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"result\.json\.gz"):
        read_result(tmp_path)
    (tmp_path / "result.json.gz").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError):
        read_result(tmp_path)


def test_a_report_opens_by_its_folder_or_by_its_page(tmp_path: Path, result: BacktestResult) -> None:
    page = write_report(tmp_path, result, [], [])
    assert read_result(page) == read_result(tmp_path) == result
    with pytest.raises(DataError, match="nowhere"):
        read_result(tmp_path / "nowhere")


def test_a_report_that_cannot_be_written_is_no_traceback(tmp_path: Path, result: BacktestResult) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError):
        write_report(tmp_path / "file", result, [], [])


def test_comparing_a_run_with_itself_finds_nothing(result: BacktestResult) -> None:
    found = compare_runs(result, result)
    assert found.same_trades
    assert not found.only_first
    assert not found.refusals
    assert not found.settings


def test_comparing_names_what_differs(tmp_path: Path, result: BacktestResult) -> None:
    changed = sample_runs.coin_settings(
        tmp_path, ("desk.pairs", ["EURUSD", "GBPUSD"]), ("strategy.parameters", {"every": 25}), ("position.time_exit_hours", 1.0)
    )
    other = sample_runs.run(changed, bars=3_200)
    found = compare_runs(result, other)
    assert not found.same_trades
    assert found.settings["position.time_exit_hours"] == ("as shipped", "1.0")
    told = comparison_lines(found, "the first", "this run")
    opened = iso(found.only_second[0].opened_utc_ns)[:16].replace("T", " ")
    assert any(line.startswith(f"    {opened} {found.only_second[0].symbol} ") for line in told)
    assert not any("days:" in line for line in told)
    later = compare_runs(result, msgspec.structs.replace(other, from_utc_ns=other.from_utc_ns + DAY_NS))
    assert any("days: " in line for line in comparison_lines(later, "the first", "this run"))


def test_what_the_operator_typed_is_escaped(tmp_path: Path, result: BacktestResult) -> None:
    nasty = msgspec.structs.replace(result, label="<b>bold</b>")
    assert "<b>bold" not in write_report(tmp_path, nasty, [], []).read_text(encoding="utf-8")


def test_open_positions_at_the_end_are_closed_and_reported(tmp_path: Path) -> None:
    settings = sample_runs.coin_settings(
        tmp_path,
        ("desk.pairs", ["EURUSD", "GBPUSD"]),
        ("strategy.parameters", {"every": 3, "stop_x": 19.0, "target_x": 50.0}),
        ("position.time_exit_hours", 0.0),
        ("position.weekend_close_from", "Sat 00:00"),
        ("position.trail_x_atr", 0.0),
        ("position.profit_retrace_pct", 100.0),
    )
    done = sample_runs.run(settings, bars=1_700)
    assert done.summary.exits.get("end")
    page = write_report(tmp_path / "report", done, [], []).read_text(encoding="utf-8")
    assert "were open at the end" in page


def test_equity_holds_between_marks_and_marks_are_told_apart() -> None:
    hour = 3_600 * 10**9
    text = equity_chart([(0, 100.0), (10 * hour, 100.4), (20 * hour, 99.9)], 100.0, "USD")
    path = re.search(r'class="equity" [^>]*d="([^"]+)"', text)
    assert path is not None
    assert "L" not in path[1], "nothing slopes while nothing is open"
    ticks = re.findall(r'text-anchor="end">([^<]+)</text>', text)
    assert len(ticks) == len(set(ticks))
    assert "01-01 03:20" in text, "a short range tells the hour"
    assert "No equity was marked" in equity_chart([(0, 100.0), (10 * hour, 100.0)], 100.0, "USD")


def test_bar_chart_has_unit_round_ticks_and_maximum_width() -> None:
    text = bar_chart([("24-01", 131.7, 3)], "EUR")
    assert "result, EUR" in text
    assert '">+100</text>' in text
    assert "131.7</text>" not in text
    width = re.search(r'class="gain" x="[\d.]+" y="[\d.]+" width="([\d.]+)"', text)
    assert width is not None
    assert float(width[1]) < 100.0
    assert bar_chart([("24-01", 0.0, 0)], "EUR") == '<p class="quiet">No trades.</p>'
