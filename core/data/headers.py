"""What the columns of a foreign table are: by their names in the languages of the world's terminals, or by what they hold.

Promises: a name has one meaning; a column that nobody knows is not used. Does not: judge whether the columns hold what their
names say (`core.data.evidence`).
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

PARTS = ("open", "high", "low", "close")
SIDES = ("bid", "ask")

_WORDS = {
    "stamp": (
        "timeutc datetime timestamp timestamputc gmttime localtime utctime dateutc datetimeutc ratedatetime dategmt timegmt ts"
        " opentime datumzeit dateheure fechahora dataora datahora 日付時刻 日期时间 датаивремя датавремя opentimeutc"
    ),
    "date": "date dtyyyymmdd day datum fecha data дата 日期 日付 日時 tarih yyyymmdd",
    "time": "time zeit uhrzeit heure hora ora tijd czas время 时间 時刻 時間 saat hhmmss tid kello",
    "stamp_end": "closetime closetimeutc closetimestamp timeclose endtime endtimeutc timeend barend",
    "open": (
        "open o openprice eröffnung eröffnungskurs erster ouverture apertura abertura opening otwarcie открытие откр"
        " 开盘 开盘价 開盤 始値 açılış acilis openbidprice öppning"
    ),
    "high": (
        "high h highprice max hoch höchst höchstkurs tageshoch haut plushaut máximo maximo alto massimo máxima maxima hoog"
        " najwyzszy najwyższy максимум макс 最高 最高价 最高價 高値 yüksek yuksek"
    ),
    "low": (
        "low l lowprice min tief tiefst tiefstkurs tagestief bas plusbas mínimo minimo bajo mínima minima laag"
        " najnizszy najniższy минимум мин 最低 最低价 最低價 安値 düşük dusuk"
    ),
    "close": (
        "close c closeprice schluss schlusskurs letzter clôture cloture fermeture dernier cierre último ultimo chiusura"
        " fechamento fecho slot sluiting zamkniecie zamknięcie закрытие закр 收盘 收盘价 收盤 終値 kapanış kapanis"
    ),
    "tick_volume": "tickvol tickvolume ticks tickcount",
    "volume": "volume vol v volumen volym wolumen объём объем 成交量 出来高 hacim volumes",
    "real_volume": "realvolume",
    "spread_any": "spread spreads ecart spanne спред 点差 スプレッド",
    "spread_points": "spreadpoints spreadinpoints spreadpts",
    "spread_pips": "spreadpips spreadinpips spreadpip",
    "spread_price": "spreadprice spreadinprice",
    "bid": "bid bidprice ratebid b geld geldkurs denaro bied купить покупка 买价 買値 bidclose1",
    "ask": "ask askprice rateask offer a brief briefkurs lettera laat продажа 卖价 売値 ofr",
    "last": "last",
    "flags": "flags",
    "time_msc": "timemsc",
    "pair": "ticker symbol pair currencypair instrument instrumentname währung",
    "other": "per ltid cdealable complete bidvolume askvolume bidvol askvol tradecount adjclose row index openinterest",
}
NAMES = {word: role for role, words in _WORDS.items() for word in words.split()}
for _side in SIDES:
    for _part, _short in zip(PARTS, "ohlc", strict=True):
        for _word in (_part, _short):
            NAMES |= {f"{_side}{_word}": f"{_side}_{_part}", f"{_word}{_side}": f"{_side}_{_part}"}
_CLOCK_WORDS = (
    (re.compile(r"(?<![a-z])(?:utc|gmt)(?![a-z]|\s*[+-]\s*\d)"), "utc"),
    (re.compile(r"(?<![a-z])eet(?![a-z])"), "eet"),
    (re.compile(r"(?<![a-z])est(?![a-z])"), "est"),
)
_CLOCK_OFFSET = re.compile(r"(?:gmt|utc)\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?")


class ColumnRoles(NamedTuple):
    """The columns of a table by their roles, "" where nobody knows one."""

    roles: tuple[str, ...]
    said_clock: str
    """The clock that the header names, or ""."""
    metatrader: bool
    """The columns are MetaTrader's own: their stamps are its server's clock, their spread its points."""
    twice: str = ""
    """A price that two columns are called, or ""."""

    def has(self, *roles: str) -> bool:
        """Whether all of these are there."""
        return all(role in self.roles for role in roles)


def plain_word(cell: str) -> str:
    """A header cell as it is looked up: lower case, without brackets, units and signs."""
    word = unicodedata.normalize("NFC", cell).strip().lower()
    word = re.sub(r"\((?:utc|gmt|eet|est|[+-:\d\s])*\)|\[.*?\]", "", word)
    return re.sub(r"[\s_<>.\"'#:()/*-]+", "", word)


def read_header(cells: list[str]) -> ColumnRoles | None:
    """The roles of header cells; None where they name no prices. `stamp_end` is there only where no other stamp is."""
    roles: list[str] = []
    twice = ""
    for cell in cells:
        role = NAMES.get(plain_word(cell), "")
        if role in roles and (role in SIDES or role.endswith(PARTS)):
            twice = role.replace("_", " ")
        roles.append("" if role in ("", "other") or role in roles else role)
    words = {plain_word(cell) for cell in cells}
    if "stamp" not in roles and "time" in roles and "date" not in roles:
        roles[roles.index("time")] = "stamp"
    if "stamp" not in roles and "date" in roles and "time" not in roles:
        roles[roles.index("date")] = "stamp"
    if "stamp" in roles:
        roles = ["" if role in ("date", "time") else role for role in roles]
    if {"stamp", "date"} & set(roles):
        roles = ["" if role == "stamp_end" else role for role in roles]
    metatrader = words >= {"time", "tickvolume", "spread", "realvolume"} or words >= {"timemsc", "flags"}
    metatrader |= words >= {"date", "open", "tickvol", "vol", "spread"} or words >= {"date", "time", "bid", "ask", "flags"}
    header = ColumnRoles(tuple(roles), _said_clock(cells), metatrader, twice)
    timed = header.has("stamp") or header.has("date", "time") or header.has("stamp_end")
    return header if kind_of(header) and timed else None


def kind_of(header: ColumnRoles) -> str:
    """`bidask`, `bars` or `ticks`; "" where neither prices nor sides are complete."""
    if header.has(*(f"{side}_{part}" for side in SIDES for part in PARTS)):
        return "bidask"
    if header.has(*PARTS):
        return "bars"
    return "ticks" if header.has("bid", "ask") else ""


def _said_clock(cells: list[str]) -> str:
    text = " ".join(cell.strip().lower() for cell in cells if NAMES.get(plain_word(cell), "") in ("stamp", "date", "time"))
    offset = _CLOCK_OFFSET.search(text)
    if offset:
        hours = int(offset[2]) + int(offset[3] or 0) / 60.0
        return f"utc{offset[1]}{hours:g}" if hours else "utc"
    return next((clock for pattern, clock in _CLOCK_WORDS if pattern.search(text)), "")
