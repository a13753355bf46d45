"""The pages beside the desk as lines: what the news page says of bank holidays."""

from __future__ import annotations

from quarterdeck.core.link.messages import NewsNow
from quarterdeck.core.model.inputs import News
from quarterdeck.tui.view import pages
from quarterdeck.tui.view.lines import UNICODE


def test_the_news_page_says_what_the_desk_makes_of_a_bank_holiday() -> None:
    rest = News(at_utc_ns=5, currency="CHF", impact="holiday", title="Bank Holiday")

    def note(*impacts: str, events: tuple[News, ...] = (rest,)) -> str:
        return pages.news(NewsNow(available=True, events=events, impacts=impacts), 0, 80, UNICODE).note

    assert note("high") == "available, bank holidays close nothing"
    assert note("high", "holiday") == "available, bank holidays close their day"
    assert note("high", events=()) == "available"
    assert note() == "available", "an older engine does not say"
