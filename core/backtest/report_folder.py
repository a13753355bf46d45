"""The report of a backtest: a folder with one page that opens offline, trades and refusals as CSV, the settings, and the result.

Promises: the page needs nothing but itself; what was not finished says so on top; every picture's numbers are in a table; the
folder can be opened again (`result.read_result`). Does not: judge (`diagnosis` does, the page shows it).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import tomli_w

from quarterdeck.core.backtest.diagnosis import DiagnosisFinding
from quarterdeck.core.backtest.report_page import report_page
from quarterdeck.core.backtest.result import RESULT_NAME, BacktestResult, write_result
from quarterdeck.core.backtest.result_json import result_json, write_result_json
from quarterdeck.core.clock.wall import iso
from quarterdeck.core.model.errors import StorageError

PAGE_NAME = "report.html"
TRADES_NAME = "trades.csv"
REJECTED_NAME = "refused.csv"
SETTINGS_NAME = "settings.toml"

_TRADE_HEAD = (
    "position_id", "symbol", "side", "lots", "opened_utc", "closed_utc", "open_price", "close_price", "stop_price", "reason",
    "rule", "gross_money", "commission_money", "swap_money", "net_money", "risk_money", "result_r", "peak_money", "worst_money",
    "confidence", "signal_id", "ambiguous",
)  # fmt: skip


def write_report(
    folder: Path, result: BacktestResult, findings: Sequence[DiagnosisFinding], others: Sequence[BacktestResult] = ()
) -> Path:
    """Write the folder and return its page; `others` are the same run with other paths inside the bar.

    Raises:
        StorageError: the folder cannot be written.
    """
    prepare_report_folder(folder)
    try:
        write_result(folder, result)  # first, for it tells a folder of ours from another
        path = folder / PAGE_NAME
        path.write_text(report_page(result, findings, others), encoding="utf-8", newline="\n")
        (folder / TRADES_NAME).write_text(trades_csv(result), encoding="utf-8", newline="")
        (folder / REJECTED_NAME).write_text(refused_csv(result), encoding="utf-8", newline="")
        (folder / SETTINGS_NAME).write_text(tomli_w.dumps(result.settings), encoding="utf-8", newline="\n")
        write_result_json(folder, result_json(result, findings))
    except OSError as error:
        raise _unwritten(folder, error) from error
    return path


def prepare_report_folder(folder: Path) -> None:
    """Make the folder where it is missing. Raises StorageError, also for one whose settings are no report's, such as a home."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = (folder / SETTINGS_NAME).exists() and not (folder / RESULT_NAME).exists()
    except OSError as error:
        raise _unwritten(folder, error) from error
    if foreign:
        what = f"{folder}: holds a {SETTINGS_NAME} that is no report's, and would lose it"
        raise StorageError(what, what_to_do="name another folder with --report")


def _unwritten(folder: Path, error: OSError) -> StorageError:
    what = f"{folder}: the report cannot be written: {error.strerror or error}"
    return StorageError(what, what_to_do="name another folder with --report")


def trades_csv(result: BacktestResult) -> str:
    """All trades in the order in which they closed."""
    rows = (
        (
            trade.position_id, trade.symbol, trade.side.word, f"{trade.lots:g}", iso(trade.opened_utc_ns),
            iso(trade.closed_utc_ns), f"{trade.open_price:.10g}", f"{trade.close_price:.10g}",
            "" if trade.stop_price is None else f"{trade.stop_price:.10g}", trade.reason, trade.rule,
            f"{trade.gross_money:.2f}", f"{trade.commission_money:.2f}", f"{trade.swap_money:.2f}", f"{trade.net_money:.2f}",
            f"{trade.risk_money:.2f}", f"{trade.result_r:.4f}", f"{trade.peak_money:.2f}", f"{trade.worst_money:.2f}",
            f"{trade.confidence:.4f}", trade.signal_id, int(trade.ambiguous),
        )
        for trade in result.trades
    )  # fmt: skip
    return _csv(_TRADE_HEAD, rows)


def refused_csv(result: BacktestResult) -> str:
    """Every refused candidate with the check that decided."""
    rows = (
        (
            one.symbol,
            iso(one.bar_open_utc_ns),
            "" if one.side is None else one.side.word,
            one.reason,
            "" if one.value is None else f"{one.value:.6g}",
            "" if one.threshold is None else f"{one.threshold:.6g}",
        )
        for one in result.rejected
    )
    return _csv(("symbol", "bar_open_utc", "side", "reason", "value", "threshold"), rows)


def report_name(result: BacktestResult) -> str:
    """A folder's name that the same run always gets."""
    days = f"{iso(result.from_utc_ns)[:10]}_{iso(result.to_utc_ns - 1)[:10]}"
    return f"backtest_{days}_{result.summary.digest[:8]}{'' if result.complete else '_partial'}"


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
