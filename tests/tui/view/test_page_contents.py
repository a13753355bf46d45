"""The pages beside the desk as lines: what the news page says of bank holidays."""

from __future__ import annotations

from quarterdeck.core.link.messages import CalendarReply
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.tui.view import page_contents
from quarterdeck.tui.view.lines import UNICODE


def test_news_page_explains_how_bank_holidays_are_handled() -> None:
    rest = NewsEvent(at_utc_ns=5, currency="CHF", impact="holiday", title="Bank Holiday")

    def note(*impacts: str, events: tuple[NewsEvent, ...] = (rest,)) -> str:
        return page_contents.news(CalendarReply(available=True, events=events, impacts=impacts), 0, 80, UNICODE).note

    assert note("high") == "available, bank holidays close nothing"
    assert note("high", "holiday") == "available, bank holidays close their day"
    assert note("high", events=()) == "available"
    assert note() == "available", "an older engine does not say"
