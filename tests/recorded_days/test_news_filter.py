"""A calendar of every kind, from a file to a refusal that names the release, its minutes and the threshold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import main
from tests.recorded_days.conftest import Replay

ANY = ("--set", "strategy.confidence_min=0.0")
WIDE = (*ANY, "--set", "news.before_minutes=300", "--set", "news.after_minutes=300")
HOLD = ("--set", "news.no_calendar_action=hold")
PAIRS = "EURUSD,GBPUSD"


def told(replay: Replay, day: str, *more: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Bars refused for a release, as `why` tells them."""
    run = replay("m15", day, day, *more, pairs=PAIRS)
    capsys.readouterr()
    assert main(["why", "--reason", "news", "--last", "50", "--home", str(run.home), "--json"]) == 0
    bars: list[dict[str, Any]] = json.loads(capsys.readouterr().out.splitlines()[-1])["bars"]
    return bars


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "day", "impacts", "release"),
    [
        ("calendar/ff_calendar_2023.csv.gz", "2023-07-07", ["high"], "Average Hourly Earnings m/m"),
        ("calendar/ff_high_impact_2023-2025.csv.gz", "2024-09-06", ["high"], "Average Hourly Earnings m/m"),
        ("calendar/investing_2023-2025.csv.gz", "2024-09-06", ["high"], "Average Hourly Earnings (MoM)"),
        ("raw_samples/investing/investing_2025-06-06_london.md", "2025-06-06", ["high"], "Average Hourly Earnings (MoM)"),
        ("raw_samples/ff_feed/ff_calendar_thisweek_2025-06-08.xml", "2025-06-12", ["high", "medium"], ""),
    ],
)
def test_a_release_refuses_entries_around_it(
    replayed: Replay,
    recorded_data: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    day: str,
    impacts: list[str],
    release: str,
) -> None:
    files = ("--set", f'news.files=["{(recorded_data / file).as_posix()}"]', "--set", f"news.impacts={json.dumps(impacts)}")
    bars = told(replayed, day, *WIDE, *files, capsys=capsys)
    assert bars, "a candidate met the release"
    named = []
    for bar in bars:
        check = next(check for check in bar["judgements"][-1]["verdict"]["checks"] if check["name"] == "news")
        assert not check["passed"]
        assert check["threshold"] == 300.0
        assert abs(check["value"]) <= 300.0
        named.append(check["note"])
    assert any(release in note for note in named), named
    assert not release or all(" more" in note for note in named), "payrolls and the unemployment rate come at that minute too"
    assert all(any(currency in note for currency in ("USD", "EUR", "GBP", "ALL")) for note in named), (
        "only the pair's own currencies"
    )


@pytest.mark.slow
def test_without_calendar_the_desk_trades_or_holds_as_configured(replayed: Replay) -> None:
    trading = replayed("m15", "2024-09-06", "2024-09-06", *ANY, pairs=PAIRS).summary
    holding = replayed("m15", "2024-09-06", "2024-09-06", *ANY, *HOLD, pairs=PAIRS).summary
    assert trading["entered"] > 0
    assert "calendar" not in trading["refusals"]
    assert (holding["entered"], holding["refusals"]) == (0, {"calendar": holding["signals"]})


@pytest.mark.slow
def test_a_calendar_that_ends_before_the_days_is_no_calendar(
    replayed: Replay, recorded_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = f'news.files=["{(recorded_data / "calendar/ff_calendar_2023.csv.gz").as_posix()}"]'
    run = replayed("m15", "2024-09-06", "2024-09-06", *ANY, *HOLD, "--set", old, pairs=PAIRS)
    assert "news.files end at 2024-01-05T18:30:00.000Z, before these days" in capsys.readouterr().err
    assert run.summary["refusals"] == {"calendar": run.summary["signals"]}
