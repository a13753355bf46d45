"""Whatever file the world hands us: the same instants and prices, or a refusal with the question that decides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from quarterdeck.core.data.importing import import_file
from quarterdeck.core.data.series import BarSeries, TickSeries, point_price
from quarterdeck.core.model.errors import DataError
from tests.core.data.foreign_files import LAYOUTS, Foreign, draw_file

READ_SHARE_LEAST = 0.98


def differs(foreign: Foreign, series: BarSeries | TickSeries) -> str:
    """What the product made of a file other than what it holds; "" where they agree."""
    unit = 10**foreign.digits
    truth = np.array([row[1:] for row in foreign.rows]) / unit
    stamps = np.array([row[0] for row in foreign.rows])
    if (series.symbol, series.timeframe) != (foreign.symbol, foreign.kind):
        return f"{series.symbol} {series.timeframe}"
    if isinstance(series, TickSeries):
        wanted = sorted(set(zip(stamps.tolist(), truth[:, 0].tolist(), truth[:, 1].tolist(), strict=True)))
        found = sorted(set(zip(series.at_utc_ns.tolist(), series.bid.tolist(), series.ask.tolist(), strict=True)))
        return "" if wanted == found else "ticks"
    if not np.array_equal(series.bid.open_utc_ns, stamps):
        return "instants"
    for at, part in enumerate(("open", "high", "low", "close")):
        if not np.array_equal(getattr(series.bid, part), truth[:, at]):
            return f"bid {part}"
        if truth.shape[1] == 8 and not np.array_equal(getattr(series.ask, part), truth[:, 4 + at]):
            return f"ask {part}"
    if foreign.spread_points is not None:
        spread = series.bid.spread_points * point_price(series.symbol)
        if not np.allclose(spread, np.array(foreign.spread_points) / unit, rtol=0.0, atol=1e-9):
            return "spread"
    return ""


def outcome(seed: int, folder: Path) -> tuple[str, Foreign, str]:
    """`read`, `asked`, `refused`, or `WRONG`, with the file and what was said."""
    foreign = draw_file(seed)
    path = folder / foreign.name
    path.write_bytes(foreign.data)
    try:
        series = import_file(path).series
    except DataError as error:
        said = error.one_line()
        if not foreign.asks:
            return ("fine" if foreign.either else "refused"), foreign, said
        named = any(option in said for option in foreign.asks)
        return ("asked" if named else "fine" if foreign.either else "WRONG"), foreign, said
    finally:
        path.unlink()
    wrong = differs(foreign, series)
    if wrong:
        return "WRONG", foreign, wrong
    return ("WRONG" if foreign.asks and not foreign.either else "read"), foreign, "was read although nothing decides it"


def run(seeds: range, folder: Path) -> tuple[Counter[str], Counter[str]]:
    counts: Counter[str] = Counter()
    layouts: Counter[str] = Counter()
    told = []
    for seed in seeds:
        how, foreign, said = outcome(seed, folder)
        counts[how] += 1
        if how == "read":
            layouts[str(foreign.drawn["layout"])] += 1
        if how in ("WRONG", "refused"):
            told.append(f"{how}: {said}\n  {foreign.drawn}")
    if counts["WRONG"] or counts["refused"]:
        print("\n".join(told[:40]))
    print(dict(counts))
    return counts, layouts


def check(seeds: range, folder: Path) -> None:
    counts, layouts = run(seeds, folder)
    assert not counts["WRONG"]
    assert counts["read"] >= READ_SHARE_LEAST * (counts["read"] + counts["refused"])
    assert counts["asked"] > 0
    assert set(layouts) == set(LAYOUTS), "each layout is read at least once"


def test_any_file_is_read_right_or_refused_with_its_question(tmp_path):
    check(range(300), tmp_path)


@pytest.mark.soak
def test_ten_thousand_files_are_read_right_or_refused(tmp_path):
    check(range(10_000), tmp_path)
