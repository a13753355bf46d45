"""Law 14: external input is proved or refused, never assumed. Each door refuses what nothing decides, with one question.

The proof of the doors for prices and calendars are the generators (`test_generated_imports`, `test_generated_calendars`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.core.brokers.mt5.parsing import misnamed
from quarterdeck.core.calendar.calendar_file import parse_calendar
from quarterdeck.core.data.importing import import_file
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.settings.settings_loader import read_toml

BARS = "time,open,high,low,close\n" + "".join(f"2024-02-{{}} 10:{minute:02d},1.1,1.2,1.0,1.1\n" for minute in range(30))
FEW = "Date,Time,Currency,Event,Impact\n2024-03-08,08:30,{},Survey,High\n"


def prices(text: str, name: str = "EURUSD_M1.csv") -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        path = folder / name
        path.write_text(text)
        return import_file(path)

    return read


def settings(folder: Path) -> object:
    path = folder / "settings.toml"
    path.write_text("[desk]\n", encoding="utf-16")
    return read_toml(path)


DOORS = [
    ("the clock of prices", prices(BARS.replace("{}", "06")), "--clock"),
    ("the pair of prices", prices(BARS.replace("{}", "06"), "US30.csv"), "--pair"),
    ("days and months of prices", prices(BARS.replace("2024-02-{}", "06/02/2024")), "--dates"),
    ("the clock of a calendar", lambda _: parse_calendar(FEW.format("USD").encode(), "c.csv"), "news.files_clock"),
    ("the country of a release", lambda _: parse_calendar(FEW.format("XQ").encode(), "c.csv", "utc"), "line 2"),
    ("the encoding of settings", settings, "UTF-8"),
]


@pytest.mark.parametrize(("what", "door", "question"), DOORS, ids=[row[0] for row in DOORS])
def test_what_nothing_decides_is_refused_with_one_question(
    tmp_path: Path, what: str, door: Callable[[Path], object], question: str
) -> None:
    with pytest.raises(QuarterdeckError) as refused:
        door(tmp_path)
    said = refused.value.one_line()
    assert question in said, what
    assert "\n" not in said


def test_a_brokers_record_that_contradicts_the_name_is_said() -> None:
    assert "says AUD and USD" in misnamed({"currency_base": "AUD", "currency_profit": "USD"}, "EURUSD")
    assert misnamed({"currency_base": "EUR", "currency_profit": "USD"}, "EURUSD.pro") == ""
    assert misnamed({"currency_base": "USC", "currency_profit": "USD"}, "EURUSD") == "", "a cent account is no contradiction"
