"""Files of prices as the world writes them: a known market in any combination of layout, stamps, clock, digits and text.

Written apart from the product: zones come from `zoneinfo`, and whether a file can be read at all is decided here. `draw` gives a
file with its truth and, where nothing in the file decides its meaning, the option that the refusal must ask for.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.int64]
NEW_YORK = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTES = {"M1": 1, "M5": 5, "M15": 15, "M30": 30, "H1": 60}
SYMBOLS = {
    # usual price, digits of brokers, pip
    "EURUSD": (1.10, (5, 4), 0.0001),
    "GBPUSD": (1.27, (5, 4), 0.0001),
    "USDCHF": (0.91, (5,), 0.0001),
    "USDJPY": (150.0, (3, 2), 0.01),
    "GBPJPY": (190.0, (3,), 0.01),
    "XAUUSD": (2040.0, (2,), 0.1),
    "EURHUF": (391.0, (3,), 0.01),
    "USDTHB": (35.2, (3,), 0.01),
    "USDKRW": (1340.0, (2,), 0.1),
    "USDZAR": (18.6, (5,), 0.0001),
    "USDIDR": (15650.0, (1,), 1.0),
}
Clock = Callable[[datetime], datetime]
CLOCKS = (
    *("utc", "utc", "new_york_plus_7", "new_york_plus_7", "eet", "est", "new_york", "utc+2", "utc+3", "utc-5", "utc+5.5"),
    *("utc+9", "utc+9.5", "Europe/London", "Europe/Berlin", "Australia/Adelaide"),
)
RIVALS = (
    *("utc", "new_york_plus_7", "eet", "est", "new_york", "Europe/London", "Europe/Berlin", "Australia/Adelaide"),
    *("Australia/Sydney", "America/Chicago", *(f"utc{half / 2:+g}" for half in range(-24, 29) if half)),
)
HEADERS = {
    "en": ("Date", "Time", "Open", "High", "Low", "Close", "Volume"),
    "de": ("Datum", "Zeit", "Eröffnung", "Hoch", "Tief", "Schluss", "Volumen"),
    "fr": ("Date", "Heure", "Ouverture", "Haut", "Bas", "Clôture", "Volume"),
    "es": ("Fecha", "Hora", "Apertura", "Máximo", "Mínimo", "Cierre", "Volumen"),
    "it": ("Data", "Ora", "Apertura", "Massimo", "Minimo", "Chiusura", "Volume"),
    "pt": ("Data", "Hora", "Abertura", "Máxima", "Mínima", "Fechamento", "Volume"),
    "ru": ("Дата", "Время", "Открытие", "Максимум", "Минимум", "Закрытие", "Объём"),
    "zh": ("日期", "时间", "开盘", "最高", "最低", "收盘", "成交量"),
    "ja": ("日付", "時刻", "始値", "高値", "安値", "終値", "出来高"),
}
LEGACY = {"de": "cp1252", "fr": "cp1252", "es": "cp1252", "it": "cp1252", "pt": "cp1252", "ru": "cp1251", "zh": "gb18030"}


@dataclass
class Foreign:
    """A file, what it holds, and how it must end."""

    name: str
    data: bytes
    symbol: str
    kind: str
    """The period, or `ticks`."""
    rows: list[tuple[int, ...]]
    """Instant in ns, then prices as whole points: open, high, low, close; bid and ask; or eight of both sides."""
    digits: int
    spread_points: list[int] | None
    """Spread of each bar in points of `digits`, where the file has one."""
    asks: set[str] = field(default_factory=set)
    """Options of which the refusal must name one; empty where the file can be read."""
    either: bool = False
    """Damaged so that a right reading and a refusal are both fine."""
    drawn: dict[str, object] = field(default_factory=dict)


def wall_of(clock: str, instant: datetime) -> datetime:
    """What a clock shows at an instant, without a zone."""
    if clock == "new_york_plus_7":
        return instant.astimezone(NEW_YORK).replace(tzinfo=None) + timedelta(hours=7)
    named = {"utc": "UTC", "eet": "Europe/Athens", "est": "Etc/GMT+5", "new_york": "America/New_York"}.get(clock, clock)
    if named.startswith("utc"):
        return instant.replace(tzinfo=None) + timedelta(hours=float(named[3:]))
    return instant.astimezone(ZoneInfo(named)).replace(tzinfo=None)


def offset_of(clock: str, instant: datetime) -> timedelta:
    return wall_of(clock, instant) - instant.replace(tzinfo=None)


def market_open(instant: datetime) -> bool:
    """Sunday 17:00 to Friday 17:00 New York."""
    local = instant.astimezone(NEW_YORK)
    day, hour = local.weekday(), local.hour
    return not (day == 5 or (day == 4 and hour >= 17) or (day == 6 and hour < 17))


def instants(draw: random.Random, kind: str, start: datetime, end: datetime) -> list[datetime]:
    """The moments of bars, or of ticks, that a whole recording of the span has."""
    step = timedelta(minutes=MINUTES.get(kind, 15))
    found = []
    at = start
    while at < end:
        if market_open(at):
            if kind == "ticks":
                found += sorted(at + timedelta(milliseconds=draw.randrange(900_000)) for _ in range(draw.choice((1, 1, 2))))
            else:
                found.append(at)
        at += step
    return found


def damaged(draw: random.Random, moments: list[datetime]) -> list[datetime]:
    """Holes: single moments, and a stretch."""
    kept = [moment for moment in moments if draw.random() > 0.02]
    if len(kept) > 60 and draw.random() < 0.5:
        start = draw.randrange(len(kept) - 30)
        del kept[start : start + draw.randrange(2, 25)]
    return kept


def stamp_forms() -> dict[str, Callable[[datetime], str]]:
    """Wall time to text. The name begins with what an order of day and month needs to be determined."""

    def fraction(moment: datetime, sign: str = ".") -> str:
        return f"{sign}{moment.microsecond // 1000:03d}"

    return {
        "iso": lambda m: f"{m:%Y-%m-%d %H:%M:%S}{fraction(m)}",
        "iso_t": lambda m: f"{m:%Y-%m-%dT%H:%M:%S}{fraction(m)}",
        "iso_comma": lambda m: f"{m:%Y-%m-%d %H:%M:%S}{fraction(m, ',')}",
        "dots": lambda m: f"{m:%Y.%m.%d %H:%M:%S}{fraction(m)}",
        "slashes": lambda m: f"{m:%Y/%m/%d %H:%M:%S}{fraction(m)}",
        "compact": lambda m: f"{m:%Y%m%d %H%M%S}{m.microsecond // 1000:03d}",
        "compact_colons": lambda m: f"{m:%Y%m%d %H:%M:%S}{fraction(m)}",
        "joined": lambda m: f"{m:%Y%m%d%H%M%S}",
        "unpadded": lambda m: f"{m.year}.{m.month:02d}.{m.day:02d} {m.hour}:{m.minute:02d}:{m.second:02d}{fraction(m)}",
        "german": lambda m: f"{m:%d.%m.%Y %H:%M:%S}{fraction(m)}",
        "month_name": lambda m: f"{m.day}-{m:%b-%Y %H:%M:%S}",
        "am_pm": lambda m: f"{m:%Y-%m-%d %I:%M:%S %p}",
        "dmy_slashes": lambda m: f"{m:%d/%m/%Y %H:%M:%S}",
        "mdy_slashes": lambda m: f"{m:%m/%d/%Y %H:%M:%S}",
        "mdy_am_pm": lambda m: f"{m.month}/{m.day}/{m.year} {m.hour % 12 or 12}:{m:%M:%S} {m:%p}",
        "dmy_dashes": lambda m: f"{m:%d-%m-%Y %H:%M:%S}",
    }


FORMS = stamp_forms()
WHOLE_SECONDS = ("joined", "month_name", "am_pm", "dmy_slashes", "mdy_slashes", "mdy_am_pm", "dmy_dashes")


def epoch(moment: datetime, unit: str) -> str:
    whole = round((moment - datetime(1970, 1, 1, tzinfo=moment.tzinfo)) / timedelta(microseconds=1))
    return str({"s": whole // 10**6, "ms": whole // 1000, "us": whole, "ns": whole * 1000}[unit])


def zoned(clock: str, instant: datetime, style: str) -> str:
    offset = offset_of(clock, instant)
    text = f"{wall_of(clock, instant):%Y-%m-%d %H:%M:%S}.{instant.microsecond // 1000:03d}"
    minutes = round(offset.total_seconds() / 60)
    sign, hours, rest = "+-"[minutes < 0], abs(minutes) // 60, abs(minutes) % 60
    return text + {"colon": f"{sign}{hours:02d}:{rest:02d}", "plain": f"{sign}{hours:02d}{rest:02d}"}.get(
        style, f" GMT{sign}{hours:02d}{rest:02d}"
    )


def dates_decide(walls: Sequence[datetime], order: str) -> bool:
    """Whether the dates of a file tell days from months."""
    days = sorted({wall.date() for wall in walls})
    other: list[date] = []
    for day in days:
        try:
            other.append(date(day.year, day.day, day.month))
        except ValueError:
            return True
    if other == days:
        return True
    wrong = sorted(other)
    far = sum((later - earlier).days > 5 for earlier, later in pairwise(wrong))
    near = sum((later - earlier).days > 5 for earlier, later in pairwise(days))
    return far > near


def clock_decides(walls: Sequence[datetime], clock: str, minutes: int) -> str:
    """`yes`, `no` or `damaged`: whether the weeks of a file leave one reading of its wall times."""
    seconds = np.array([(wall.replace(tzinfo=UTC) - EPOCH) // timedelta(seconds=1) for wall in walls])
    truth = _utc_seconds(clock, seconds)
    if not _fits(truth, minutes):
        return "damaged"
    fitting = {reading.tobytes() for name in RIVALS if _fits(reading := _utc_seconds(name, seconds), minutes)}
    return "yes" if fitting <= {truth.tobytes()} else "no"


@cache
def _changes(clock: str) -> tuple[Seconds, Seconds]:
    """UTC seconds at which the offset of a clock changes, to the hour, and the offsets that hold from each on."""
    first = datetime(2011, 6, 1, tzinfo=UTC)
    starts, offsets = [first], [offset_of(clock, first)]
    for day in range(1, 365 * 15 if "/" in clock or clock in ("eet", "new_york", "new_york_plus_7") else 0):
        moment = first + timedelta(days=day)
        if offset_of(clock, moment) == offsets[-1]:
            continue
        while offset_of(clock, moment - timedelta(minutes=30)) != offsets[-1]:
            moment -= timedelta(minutes=30)
        starts.append(moment)
        offsets.append(offset_of(clock, moment))
    return np.array([int(start.timestamp()) for start in starts]), np.array([int(step.total_seconds()) for step in offsets])


def _offset_seconds(clock: str, utc: Seconds) -> Seconds:
    starts, offsets = _changes(clock)
    return offsets[np.searchsorted(starts, utc, side="right") - 1]


def _utc_seconds(clock: str, walls: Seconds) -> Seconds:
    guess = walls
    for _ in range(3):
        guess = walls - _offset_seconds(clock, guess)
    return guess


def _fits(reading: Seconds, minutes: int) -> bool:
    """Nothing while the market is closed, and each weekend runs from the close to the open within a quarter hour."""
    if (reading % (60 * max(minutes, 1)) != 0).any() and minutes:
        return False  # bars begin on whole periods
    week = (reading + _offset_seconds("new_york", reading) + 4 * 86400) % (7 * 86400)
    if ((week < 17 * 3600) | (week >= (5 * 24 + 17) * 3600)).any():
        return False
    gaps = np.flatnonzero(np.diff(reading) > 30 * 3600)
    late, early = week[gaps + 1] - 17 * 3600, (5 * 24 + 17) * 3600 - week[gaps] - minutes * 60
    return not ((late > 900) | (early > 900)).any()


class Writer:
    """Draws one file."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.asks: set[str] = set()
        self.either = False
        self.drawn: dict[str, object] = {"seed": seed}

    def pick(self, name: str, *choices: object) -> object:
        chosen = self.draw.choice(choices)
        self.drawn[name] = chosen
        return chosen

    def file(self) -> Foreign:
        draw = self.draw
        ticks = draw.random() < 0.35
        kind = "ticks" if ticks else str(self.pick("kind", "M1", "M5", "M15", "M15", "M30", "H1", "H1"))
        symbol = str(self.pick("symbol", *SYMBOLS))
        layout = str(self.pick("layout", *(TICK_LAYOUTS if ticks else BAR_LAYOUTS)))
        moments = self._moments(kind)
        usual, all_digits, pip = SYMBOLS[symbol]
        digits = int(str(self.pick("digits", *all_digits)))
        rows, spreads = self._prices(len(moments), usual, digits, pip, layout, ticks)
        made = LAYOUTS[layout](self, Drawn(symbol, kind, moments, rows, spreads, digits, pip))
        stamps = [
            round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000 for moment in made.moments
        ]
        kept_spreads = spreads if made.has_spread else None
        return Foreign(
            name=made.name,
            data=made.data,
            symbol=symbol,
            kind=kind,
            rows=[(stamp, *row) for stamp, row in zip(stamps, rows, strict=True)],
            digits=digits,
            spread_points=kept_spreads,
            asks=self.asks,
            either=self.either,
            drawn=self.drawn,
        )

    def _moments(self, kind: str) -> list[datetime]:
        draw = self.draw
        day = datetime(2012, 1, 1, tzinfo=UTC) + timedelta(days=draw.randrange(5000))
        span = str(self.pick("span", "hours", "days", "week", "weeks", "weeks", "weeks"))
        if span == "hours":
            start = day + timedelta(hours=draw.randrange(24))
            end = start + timedelta(hours=draw.randrange(6, 12) if MINUTES.get(kind, 5) < 30 else 40)
        elif span == "days":
            start, end = day, day + timedelta(days=draw.randrange(2, 4))
        elif span == "week":
            sunday = day + timedelta(days=(6 - day.weekday()) % 7)
            start, end = sunday, sunday + timedelta(days=6)
        elif kind == "M1":
            start = day + timedelta(days=(3 - day.weekday()) % 7)
            end = start + timedelta(days=5)
        else:
            start, end = day, day + timedelta(days=draw.randrange(9, 24))
        moments = instants(draw, kind, start, end)
        if len(moments) < 24:
            return self._moments(kind)
        if draw.random() < 0.4:
            moments = damaged(draw, moments)
        self.drawn["start"] = start.isoformat()
        return moments

    def _prices(
        self, count: int, usual: float, digits: int, pip: float, layout: str, ticks: bool
    ) -> tuple[list[tuple[int, ...]], list[int]]:
        draw, point = self.draw, 10.0**-digits
        wide = max(round(pip / point), 1)
        level = round(usual / point)
        rows: list[tuple[int, ...]] = []
        spreads = []
        for _ in range(count):
            spread = draw.randrange(wide, 3 * wide + 1)
            opened = level + draw.randrange(-2, 3)
            close = opened + draw.randrange(-12, 13) * wide
            high, low = max(opened, close) + draw.randrange(6) * wide, min(opened, close) - draw.randrange(6) * wide
            spreads.append(spread)
            if ticks:
                rows.append((close, close + spread))
            elif layout in TWO_SIDED:
                rows.append((opened, high, low, close, *(price + spread for price in (opened, high, low, close))))
            else:
                rows.append((opened, high, low, close))
            level = close
        return rows, spreads

    # ------------------------------------------------------------------------------------------------ parts of files
    def clocked(self, made: Drawn, clock: str) -> list[datetime]:
        """Wall times on a clock that nothing but the weeks of the file tells."""
        walls = [wall_of(clock, moment) for moment in made.moments]
        minutes = MINUTES.get(made.kind, 0)
        verdict = clock_decides(walls, clock, minutes)
        self.drawn |= {"clock": clock, "clock_decides": verdict}
        if verdict == "no":
            self.asks.add("--clock")
        self.either |= verdict == "damaged"
        return walls

    def stamps(self, made: Drawn, *forms: str, clock: str = "") -> list[str]:
        """Texts of the moments in a drawn form; `clock` is one that the file itself tells."""
        form = str(self.pick("form", *(forms or (*FORMS, "epoch", "epoch", "zoned", "zoned"))))
        if form == "epoch":
            unit = str(self.pick("unit", *(("ms", "us", "ns") if made.kind == "ticks" else ("s", "ms", "us", "ns"))))
            return [epoch(moment, unit) for moment in made.moments]
        if form == "zoned":
            own, style = str(self.pick("clock", *CLOCKS)), str(self.pick("style", "colon", "plain", "gmt"))
            return [zoned(own, moment, style) for moment in made.moments]
        if form in WHOLE_SECONDS and made.kind == "ticks":
            made.moments = [moment.replace(microsecond=0) for moment in made.moments]
            self._without_doubles(made)
        clock_taken = clock or str(self.pick("clock", *CLOCKS))
        walls = [wall_of(clock, moment) for moment in made.moments] if clock else self.clocked(made, clock_taken)
        if form[:3] in ("dmy", "mdy") and not dates_decide(walls, form[:3]):
            self.asks.add("--dates")
        return [FORMS[form](wall) for wall in walls]

    def _without_doubles(self, made: Drawn) -> None:
        seen: dict[datetime, int] = {}
        for row, moment in enumerate(made.moments):
            seen.setdefault(moment, row)
        rows = sorted(seen.values())
        made.moments = [made.moments[row] for row in rows]
        made.rows[:] = [made.rows[row] for row in rows]
        made.spreads[:] = [made.spreads[row] for row in rows]

    def priced(self, made: Drawn, row: int, columns: Sequence[int] | None = None) -> list[str]:
        values = made.rows[row] if columns is None else [made.rows[row][at] for at in columns]
        return [f"{value / 10**made.digits:.{made.digits}f}" for value in values]

    def text(
        self, made: Drawn, lines: list[list[str]], header: list[str] | None, *, separators: str = ",;\t|", language: str = "en"
    ) -> bytes:
        """Lines as bytes: order, doubles, separator, decimal sign, quotes, line ends, encoding."""
        draw = self.draw
        order = str(self.pick("order", "sorted", "sorted", "sorted", "reversed", "shuffled"))
        body = list(lines)
        if draw.random() < 0.3:
            copies = draw.sample(range(len(body)), max(len(body) // 50, 1))
            self.drawn["doubles"] = len(copies)
            for row in sorted(copies, reverse=True):
                body.insert(row, body[row])
        if order == "reversed":
            body.reverse()
        elif order == "shuffled":
            draw.shuffle(body)
        if self.drawn.get("form") == "iso_comma":
            separators = separators.replace(",", "") or ";"
        separator = str(self.pick("separator", *separators))
        comma = separator != "," and draw.random() < 0.4
        self.drawn["decimal_comma"] = comma
        if comma:
            body = [[cell.replace(".", ",") if at >= made.first_price else cell for at, cell in enumerate(row)] for row in body]
        rows = ([header] if header else []) + body
        quoted = draw.random() < 0.15
        trailing = separator if draw.random() < 0.15 else ""
        self.drawn |= {"quoted": quoted, "trailing": bool(trailing)}
        mark = '"' if quoted else ""
        made_lines = [separator.join(f"{mark}{cell}{mark}" for cell in row) + trailing for row in rows]
        if draw.random() < 0.1:
            made_lines.insert(0, f"sep={separator}")
            self.drawn["sep"] = True
        end = str(self.pick("line_end", "\n", "\n", "\r\n", "\r"))
        text = end.join(made_lines) + (end if draw.random() < 0.8 else "")
        legacy = LEGACY.get(language)
        encoding = str(
            self.pick("encoding", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", legacy or "utf-8")
        )
        data = text.encode(encoding)
        if draw.random() < 0.1:
            made.packed = ".gz"
            return gzip.compress(data, mtime=0)
        return data


@dataclass
class Drawn:
    """What a layout writes."""

    symbol: str
    kind: str
    moments: list[datetime]
    rows: list[tuple[int, ...]]
    spreads: list[int]
    digits: int
    pip: float
    first_price: int = 1
    packed: str = ""
    has_spread: bool = False
    name: str = ""
    data: bytes = b""

    def done(self, name: str, data: bytes) -> Drawn:
        self.name, self.data = name + self.packed, data
        return self


def generic_bars(writer: Writer, made: Drawn) -> Drawn:
    language = str(writer.pick("language", *HEADERS))
    words = HEADERS[language]
    stamps = writer.stamps(made)
    header = [words[0], *words[2:6]]
    lines = [[stamp, *writer.priced(made, row)] for row, stamp in enumerate(stamps)]
    if writer.pick("volume", True, False):
        header.append(words[6])
        lines = [[*line, str(100 + row % 900)] for row, line in enumerate(lines)]
    unit = str(writer.pick("spread", "none", "none", "points", "pips", "price"))
    if unit != "none":
        made.has_spread = True
        header.append({"points": "spread_points", "pips": "spread_pips", "price": "spread_price"}[unit])
        point = 10.0**-made.digits
        for line, spread in zip(lines, made.spreads, strict=True):
            price = spread * point
            line.append({"points": str(spread), "pips": f"{price / made.pip:.2f}", "price": f"{price:.{made.digits}f}"}[unit])
    return made.done(f"{made.symbol}_export.csv", writer.text(made, lines, header, language=language))


def bare_spread(writer: Writer, made: Drawn) -> Drawn:
    """A column called spread and no more: whole numbers can be points or pips, fractions tell."""
    stamps = writer.stamps(made)
    unit = str(writer.pick("spread", "points", "pips", "price"))
    point, made.has_spread = 10.0**-made.digits, True
    texts = {
        "points": [str(spread) for spread in made.spreads],
        "pips": [f"{spread * point / made.pip:.1f}" for spread in made.spreads],
        "price": [f"{spread * point:.{made.digits}f}" for spread in made.spreads],
    }[unit]
    lines = [[stamp, *writer.priced(made, row), texts[row]] for row, stamp in enumerate(stamps)]
    if unit == "points" or all(float(text) == int(float(text)) for text in texts) or made.symbol not in ("EURUSD", "GBPUSD"):
        writer.either = True  # a reading is right, or the unit is asked for
    return made.done(f"{made.symbol}.csv", writer.text(made, lines, ["time", "open", "high", "low", "close", "spread"]))


def headerless_bars(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, *(form for form in FORMS if form != "iso_comma"), "epoch", "zoned")
    lines = [[stamp, *writer.priced(made, row), str(row % 90)] for row, stamp in enumerate(stamps)]
    return made.done(f"{made.symbol}-bars.txt", writer.text(made, lines, None))


def mt5_bars(writer: Writer, made: Drawn) -> Drawn:
    walls = writer.clocked(made, str(writer.pick("clock", "new_york_plus_7", "eet", "utc", "utc+3", "utc+2")))
    header = ["<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<VOL>", "<SPREAD>"]
    lines = [
        [f"{wall:%Y.%m.%d}", f"{wall:%H:%M:%S}", *writer.priced(made, row), "77", "0", str(made.spreads[row])]
        for row, wall in enumerate(walls)
    ]
    made.has_spread, made.first_price = True, 2
    return made.done(f"{made.symbol}_{made.kind}_2024.csv", writer.text(made, lines, header, separators="\t"))


def mt5_frame(writer: Writer, made: Drawn) -> Drawn:
    """MetaTrader's own columns: the epoch is its server's clock."""
    walls = writer.clocked(made, str(writer.pick("clock", "new_york_plus_7", "eet", "utc+3")))
    header = ["time", "open", "high", "low", "close", "tick_volume", "spread", "real_volume"]
    lines = [[epoch(wall, "s"), *writer.priced(made, row), "55", str(made.spreads[row]), "0"] for row, wall in enumerate(walls)]
    made.has_spread = True
    return made.done(f"{made.symbol}.csv", writer.text(made, lines, header, separators=","))


def histdata_bars(writer: Writer, made: Drawn) -> Drawn:
    walls = [wall_of("est", moment) for moment in made.moments]
    ascii_ = bool(writer.pick("ascii", True, False))
    lines = [
        [f"{wall:%Y%m%d %H%M%S}", *writer.priced(made, row), "0"]
        if ascii_
        else [f"{wall:%Y.%m.%d}", f"{wall:%H:%M}", *writer.priced(made, row), "0"]
        for row, wall in enumerate(walls)
    ]
    made.first_price = 1 if ascii_ else 2
    name = f"DAT_{'ASCII' if ascii_ else 'MT'}_{made.symbol}_M1_2024.csv"
    return made.done(name, writer.text(made, lines, None, separators=";" if ascii_ else ","))


def dukascopy_bars(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, "german", clock="utc")
    lines = [[stamp, *writer.priced(made, row), "12.5"] for row, stamp in enumerate(stamps)]
    header = ["Gmt time", "Open", "High", "Low", "Close", "Volume"]
    return made.done(f"{made.symbol}_Candlestick_BID_2024.csv", writer.text(made, lines, header, separators=","))


def dukascopy_local(writer: Writer, made: Drawn) -> Drawn:
    clock = str(writer.pick("clock", *CLOCKS))
    lines = []
    for row, moment in enumerate(made.moments):
        minutes = round(offset_of(clock, moment).total_seconds() / 60)
        offset = f"GMT{'+-'[minutes < 0]}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
        lines.append([f"{wall_of(clock, moment):%d.%m.%Y %H:%M:%S}.000 {offset}", *writer.priced(made, row), "12.5"])
    header = ["Local time", "Open", "High", "Low", "Close", "Volume"]
    return made.done(f"{made.symbol}_Candlestick_BID_2024.csv", writer.text(made, lines, header, separators=","))


def jforex_bars(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, "dots", clock="eet")
    lines = [[stamp, *writer.priced(made, row), "12.5"] for row, stamp in enumerate(stamps)]
    header = ["Time (EET)", "Open", "High", "Low", "Close", "Volume "]
    return made.done(f"{made.symbol}_15 Mins_Bid_2024.csv", writer.text(made, lines, header, separators=","))


def forex_tester(writer: Writer, made: Drawn) -> Drawn:
    walls = writer.clocked(made, str(writer.pick("clock", "utc", "est", "eet")))
    short = bool(writer.pick("short_times", True, False))
    lines = []
    for row, wall in enumerate(walls):
        time = f"{wall:%H%M%S}"
        lines.append([made.symbol, f"{wall:%Y%m%d}", str(int(time)) if short else time, *writer.priced(made, row), "4"])
    header = ["<TICKER>", "<DTYYYYMMDD>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"]
    made.first_price = 3
    return made.done("history.txt", writer.text(made, lines, header, separators=","))


def tradingview(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, "epoch", "zoned")
    lines = [[stamp, *writer.priced(made, row), "50.1"] for row, stamp in enumerate(stamps)]
    header = ["time", "open", "high", "low", "close", "RSI"]
    return made.done(f"FX_{made.symbol}, 15.csv", writer.text(made, lines, header, separators=","))


def freqtrade(writer: Writer, made: Drawn) -> Drawn:
    rows = [
        [int(epoch(moment, "ms")), *(value / 10**made.digits for value in made.rows[row]), 10.0]
        for row, moment in enumerate(made.moments)
    ]
    return made.done(f"{made.symbol[:3]}_{made.symbol[3:]}-15m.json", json.dumps(rows).encode())


def fxcm(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, "mdy_slashes", "iso", "dots", *(("dmy_slashes",) if made.kind == "H1" else ()))
    header = ["DateTime", *(f"{side}{part}" for side in ("Bid", "Ask") for part in ("Open", "High", "Low", "Close"))]
    lines = [[stamp, *writer.priced(made, row)] for row, stamp in enumerate(stamps)]
    return made.done(f"{made.symbol}_2024_1.csv", writer.text(made, lines, header, separators=",;"))


def oanda(writer: Writer, made: Drawn) -> Drawn:
    candles = []
    for row, moment in enumerate(made.moments):
        texts = writer.priced(made, row)
        candles.append(
            {
                "complete": True,
                "volume": 7,
                "time": f"{moment:%Y-%m-%dT%H:%M:%S}.000000000Z",
                "bid": dict(zip("ohlc", texts[:4], strict=True)),
                "ask": dict(zip("ohlc", texts[4:], strict=True)),
            }
        )
    value = {"instrument": f"{made.symbol[:3]}_{made.symbol[3:]}", "granularity": "M15", "candles": candles}
    return made.done("candles.json", json.dumps(value).encode())


def oanda_table(writer: Writer, made: Drawn) -> Drawn:
    stamps = [f"{moment:%Y-%m-%dT%H:%M:%S}Z" for moment in made.moments]
    header = ["time", *(f"{part}{side}" for part in ("open", "high", "low", "close") for side in ("Bid", "Ask")), "volume"]
    lines = [[stamp, *writer.priced(made, row, (0, 4, 1, 5, 2, 6, 3, 7)), "9"] for row, stamp in enumerate(stamps)]
    return made.done(f"{made.symbol[:3]}_{made.symbol[3:]}_M15.csv", writer.text(made, lines, header, separators=",;\t"))


def generic_ticks(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made)
    sides = [("bid", 0), ("ask", 1)]
    if writer.pick("ask_first", True, False):
        sides.reverse()
    lines = [[stamp, *writer.priced(made, row, [at for _, at in sides])] for row, stamp in enumerate(stamps)]
    header = ["timestamp", *(name for name, _ in sides)]
    return made.done(f"{made.symbol}.csv", writer.text(made, lines, header))


def headerless_ticks(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, *(form for form in FORMS if form != "iso_comma"), "epoch", "zoned")
    order = [1, 0] if writer.pick("ask_first", True, False) else [0, 1]
    lines = [[stamp, *writer.priced(made, row, order), "1500000", "2250000"] for row, stamp in enumerate(stamps)]
    return made.done(f"{made.symbol}_ticks.csv", writer.text(made, lines, None))


def truefx(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, "compact_colons")
    pair = f"{made.symbol[:3]}/{made.symbol[3:]}"
    lines = [[pair, stamp, *writer.priced(made, row)] for row, stamp in enumerate(stamps)]
    made.first_price = 2
    return made.done(f"{made.symbol}-2024-01.csv", writer.text(made, lines, None, separators=","))


def gain(writer: Writer, made: Drawn) -> Drawn:
    stamps = [f"{stamp}000000" for stamp in writer.stamps(made, "iso")]
    pair = f"{made.symbol[:3]}/{made.symbol[3:]}"
    lines = [[str(10**9 + row), "D", pair, stamp, *writer.priced(made, row)] for row, stamp in enumerate(stamps)]
    header = ["lTid", "cDealable", "CurrencyPair", "RateDateTime", "RateBid", "RateAsk"]
    made.first_price = 4
    return made.done(f"{made.symbol[:3]}_{made.symbol[3:]}_Week1.csv", writer.text(made, lines, header, separators=","))


def dukascopy_node(writer: Writer, made: Drawn) -> Drawn:
    header = ["timestamp", "askPrice", "bidPrice", "askVolume", "bidVolume"]
    lines = [[epoch(moment, "ms"), *writer.priced(made, row, (1, 0)), "1.5", "2"] for row, moment in enumerate(made.moments)]
    if writer.pick("json", True, False):
        value = [dict(zip(header, [int(line[0]), *map(float, line[1:])], strict=True)) for line in lines]
        return made.done(f"{made.symbol.lower()}-tick-2024-01-01.json", json.dumps(value).encode())
    return made.done(f"{made.symbol.lower()}-tick-2024-01-01.csv", writer.text(made, lines, header, separators=","))


def histdata_ticks(writer: Writer, made: Drawn) -> Drawn:
    stamps = writer.stamps(made, "compact", clock="est")
    lines = [[stamp, *writer.priced(made, row), "0"] for row, stamp in enumerate(stamps)]
    return made.done(f"DAT_ASCII_{made.symbol}_T_202401.csv", writer.text(made, lines, None, separators=","))


def mt5_ticks(writer: Writer, made: Drawn) -> Drawn:
    walls = writer.clocked(made, str(writer.pick("clock", "new_york_plus_7", "eet", "utc+3")))
    header = ["<DATE>", "<TIME>", "<BID>", "<ASK>", "<LAST>", "<VOLUME>", "<FLAGS>"]
    lines = [
        [f"{wall:%Y.%m.%d}", f"{wall:%H:%M:%S}.{wall.microsecond // 1000:03d}", *writer.priced(made, row), "", "", "6"]
        for row, wall in enumerate(walls)
    ]
    made.first_price = 2
    return made.done(f"{made.symbol}_2024.csv", writer.text(made, lines, header, separators="\t"))


TWO_SIDED = ("fxcm", "oanda", "oanda_table")
LAYOUTS: dict[str, Callable[[Writer, Drawn], Drawn]] = {
    maker.__name__: maker
    for maker in (
        *(generic_bars, bare_spread, headerless_bars, mt5_bars, mt5_frame, histdata_bars, dukascopy_bars, dukascopy_local),
        *(jforex_bars, forex_tester, tradingview, freqtrade, fxcm, oanda, oanda_table),
        *(generic_ticks, headerless_ticks, truefx, gain, dukascopy_node, histdata_ticks, mt5_ticks),
    )
}
TICK_LAYOUTS = ("generic_ticks", "headerless_ticks", "truefx", "gain", "dukascopy_node", "histdata_ticks", "mt5_ticks")
BAR_LAYOUTS = (*(name for name in LAYOUTS if name not in TICK_LAYOUTS), "generic_bars", "generic_bars", "headerless_bars")


def draw_file(seed: int) -> Foreign:
    """One file by its seed."""
    return Writer(seed).file()
