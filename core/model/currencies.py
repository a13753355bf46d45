"""Currencies: what calendars and files call them, how many decimals brokers quote them with, and what they roughly cost.

Why: a name, a scale or a column of foreign data is proved by what is known of the currency, in one place for prices and news.
Promises: the price range of a pair spans its prices of 1999 to 2026 with a margin of a quarter; it tells 91.2 from 0.912, never
a good price from a slightly wrong one.
"""

from __future__ import annotations

from typing import NamedTuple

METALS = ("XAU", "XAG", "XPT", "XPD")
DECIMALS_MOST = 5
_MARGIN = 1.25


class Currency(NamedTuple):
    """One currency: units for one US dollar at the least and at the most, and decimals of a price quoted in it."""

    per_usd_low: float
    per_usd_high: float
    decimals: int = DECIMALS_MOST


CURRENCIES: dict[str, Currency] = {
    "USD": Currency(1.0, 1.0),
    "EUR": Currency(0.62, 1.22),
    "GBP": Currency(0.47, 0.96),
    "JPY": Currency(75.0, 165.0, 3),
    "CHF": Currency(0.70, 1.85),
    "AUD": Currency(0.90, 2.10),
    "NZD": Currency(1.13, 2.60),
    "CAD": Currency(0.90, 1.65),
    "SEK": Currency(5.8, 11.5),
    "NOK": Currency(4.9, 12.0),
    "DKK": Currency(4.6, 9.1),
    "SGD": Currency(1.19, 1.86),
    "HKD": Currency(7.7, 7.9),
    "MXN": Currency(9.0, 26.0),
    "ZAR": Currency(5.5, 20.5),
    "TRY": Currency(0.5, 60.0),
    "PLN": Currency(2.0, 5.2),
    "CZK": Currency(14.0, 42.0),
    "HUF": Currency(140.0, 460.0, 3),
    "CNH": Currency(6.0, 8.4),
    "CNY": Currency(6.0, 8.4),
    "RUB": Currency(22.0, 140.0),
    "THB": Currency(28.0, 50.0, 3),
    "KRW": Currency(880.0, 1_650.0, 2),
    "IDR": Currency(6_500.0, 18_000.0, 1),
    "INR": Currency(38.0, 98.0),
    "ILS": Currency(2.8, 5.2),
    "BRL": Currency(1.5, 6.6),
    "TWD": Currency(26.0, 36.0, 3),
    "MYR": Currency(2.9, 4.9),
    "PHP": Currency(39.0, 63.0, 3),
    "CLP": Currency(420.0, 1_060.0, 2),
    "COP": Currency(1_600.0, 5_300.0, 2),
    "ARS": Currency(0.9, 1_700.0, 3),
    "PEN": Currency(2.5, 4.2),
    "RON": Currency(2.0, 5.3),
    "BGN": Currency(1.2, 2.5),
    "ISK": Currency(58.0, 150.0, 3),
    "UAH": Currency(5.0, 46.0),
    "KZT": Currency(110.0, 570.0, 2),
    "EGP": Currency(3.0, 55.0),
    "NGN": Currency(95.0, 1_750.0, 2),
    "KES": Currency(60.0, 170.0, 3),
    "PKR": Currency(45.0, 310.0, 3),
    "LKR": Currency(65.0, 370.0, 2),
    "VND": Currency(13_500.0, 27_500.0, 1),
    "SAR": Currency(3.7, 3.8),
    "AED": Currency(3.6, 3.7),
    "QAR": Currency(3.6, 3.7),
    "KWD": Currency(0.26, 0.32),
    "BHD": Currency(0.37, 0.38),
    "OMR": Currency(0.38, 0.39),
    "JOD": Currency(0.70, 0.72),
    "MAD": Currency(7.0, 11.8),
    "XAU": Currency(1 / 6_000.0, 1 / 250.0, 2),
    "XAG": Currency(1 / 120.0, 1 / 3.5, 3),
    "XPT": Currency(1 / 3_500.0, 1 / 300.0, 2),
    "XPD": Currency(1 / 3_500.0, 1 / 100.0, 2),
}

_AREAS = {
    # what a calendar may write instead of a currency: two and three letters of the country or area, and its names
    "USD": "US USA UNITEDSTATES UNITEDSTATESOFAMERICA AMERICA",
    "EUR": (
        "EU EMU EZ EA EURO EUROZONE EUROAREA EUROPE EUROPEANUNION EUROPEANMONETARYUNION"
        " DE DEU GER GERMANY FR FRA FRANCE IT ITA ITALY ES ESP SPAIN NL NLD NETHERLANDS BE BEL BELGIUM AT AUT AUSTRIA"
        " IE IRL IRELAND PT PRT PORTUGAL GR GRC GREECE FI FIN FINLAND LU LUX LUXEMBOURG SK SVK SLOVAKIA SI SVN SLOVENIA"
        " EE EST ESTONIA LV LVA LATVIA LT LTU LITHUANIA CY CYP CYPRUS MT MLT MALTA HR HRV CROATIA"
    ),
    "GBP": "GB UK GBR UNITEDKINGDOM GREATBRITAIN BRITAIN ENGLAND",
    "JPY": "JP JPN JAPAN",
    "CHF": "CH CHE SUI SWITZERLAND",
    "AUD": "AU AUS AUSTRALIA",
    "NZD": "NZ NZL NEWZEALAND",
    "CAD": "CA CAN CANADA",
    "CNY": "CN CHN CHINA RMB",
    "SEK": "SE SWE SWEDEN",
    "NOK": "NO NOR NORWAY",
    "DKK": "DK DNK DEN DENMARK",
    "SGD": "SG SGP SINGAPORE",
    "HKD": "HK HKG HONGKONG",
    "MXN": "MX MEX MEXICO",
    "ZAR": "ZA ZAF RSA SOUTHAFRICA",
    "TRY": "TR TUR TURKEY TURKIYE",
    "PLN": "PL POL POLAND",
    "CZK": "CZ CZE CZECHREPUBLIC CZECHIA",
    "HUF": "HU HUN HUNGARY",
    "RUB": "RU RUS RUSSIA RUSSIANFEDERATION",
    "THB": "TH THA THAILAND",
    "KRW": "KR KOR SOUTHKOREA KOREA REPUBLICOFKOREA",
    "IDR": "ID IDN INDONESIA",
    "INR": "IN IND INDIA",
    "ILS": "IL ISR ISRAEL",
    "BRL": "BR BRA BRAZIL",
    "TWD": "TW TWN TAIWAN",
    "MYR": "MY MYS MALAYSIA",
    "PHP": "PH PHL PHILIPPINES",
    "CLP": "CL CHL CHILE",
    "COP": "CO COL COLOMBIA",
    "ARS": "AR ARG ARGENTINA",
    "PEN": "PE PER PERU",
    "RON": "RO ROU ROMANIA",
    "BGN": "BG BGR BULGARIA",
    "ISK": "IS ISL ICELAND",
    "UAH": "UA UKR UKRAINE",
    "KZT": "KZ KAZ KAZAKHSTAN",
    "EGP": "EG EGY EGYPT",
    "NGN": "NG NGA NIGERIA",
    "KES": "KE KEN KENYA",
    "PKR": "PK PAK PAKISTAN",
    "LKR": "LK LKA SRILANKA",
    "VND": "VN VNM VIETNAM",
    "SAR": "SA SAU SAUDIARABIA",
    "AED": "AE ARE UAE UNITEDARABEMIRATES",
    "QAR": "QA QAT QATAR",
    "KWD": "KW KWT KUWAIT",
    "BHD": "BH BHR BAHRAIN",
    "OMR": "OM OMN OMAN",
    "JOD": "JO JOR JORDAN",
    "MAD": "MA MAR MOROCCO",
}
_BY_AREA = {word: code for code, words in _AREAS.items() for word in words.split()}
_WORLD = ("ALL", "GLOBAL", "WORLD", "G7", "G20", "WW", "INTERNATIONAL", "OPEC")
WORLD = "All"
"""The currency of a release that concerns every pair."""


YUAN = ("CNY", "CNH")
"""China's currency at home, as calendars write it, and abroad, as brokers quote it: one for every release."""


def currency_of(word: str) -> str:
    """The currency that a code, country or area means; `All` for the world.

    Raises:
        ValueError: for a word that no known currency has.
    """
    plain = "".join(letter for letter in word.upper() if letter not in " .-_'")
    if plain in _WORLD:
        return WORLD
    if plain in _BY_AREA:
        return _BY_AREA[plain]
    if plain in CURRENCIES:
        return plain
    raise ValueError(f"{word!r} is no currency or country known")


def pair_range(symbol: str) -> tuple[float, float] | None:
    """Lowest and highest plausible price of a pair; None where one of its currencies is not known."""
    base, quote = CURRENCIES.get(symbol[:3]), CURRENCIES.get(symbol[3:6])
    if base is None or quote is None:
        return None
    return quote.per_usd_low / base.per_usd_high / _MARGIN, quote.per_usd_high / base.per_usd_low * _MARGIN


def quote_decimals(base: str, quote: str) -> int:
    """Decimals with which brokers quote a pair or metal."""
    if base in METALS:
        return CURRENCIES[base].decimals
    known = CURRENCIES.get(quote)
    return DECIMALS_MOST if known is None else known.decimals
