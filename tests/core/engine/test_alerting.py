"""Alerts leave bounded and folded, and a dead service is nobody's problem but the counter's (H3)."""

from __future__ import annotations

import asyncio

import msgspec

from quarterdeck.core.clock.virtual import VirtualClock, VirtualTimeLoop
from quarterdeck.core.engine.alerting import AlertSender
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.settings.settings_loader import shipped_settings


def alert(text: str, level: str = "warning") -> Alert:
    return msgspec.convert({"type": "alert", "kind": "fill", "level": level, "text": text}, Alert)


def send_all(
    alerts: list[Alert], *, answers: bool = True, seconds: float = 300.0, told: list[str] | None = None, **changes: object
) -> tuple[list[str], AlertSender]:
    settings = shipped_settings(*((f"alerts.{key}", value) for key, value in changes.items())).alerts
    loop = VirtualTimeLoop(0)
    sent: list[str] = []

    def send(title: str, body: str) -> list[str]:
        sent.append(body)
        return [] if answers else ["Telegram (1 of 1)"]

    async def live() -> AlertSender:
        sender = AlertSender((), lambda: settings, VirtualClock(loop), send)
        sender.on_failure = (told if told is not None else []).append
        task = asyncio.create_task(sender.run())
        for item in alerts:
            sender.take(item)
        await asyncio.sleep(seconds)
        task.cancel()
        return sender

    try:
        return sent, loop.run_until_complete(live())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_what_is_below_the_level_is_not_sent() -> None:
    sent, _ = send_all([alert("a", "info"), alert("b", "critical")])
    assert sent == ["[critical] b"]


def test_daily_summary_has_its_own_switch_and_no_level() -> None:
    summary = Alert(kind="summary", level="info", text="day over")
    sent, _ = send_all([summary], level_min="critical")
    assert sent == ["[info] day over"]


def test_burst_is_folded_into_the_per_minute_limit_without_loss() -> None:
    sent, sender = send_all([alert(str(number)) for number in range(100)], per_minute_max=3)
    assert len(sent) <= 3
    assert sender.folded > 0
    assert sum(body.count("[warning]") for body in sent) == 100


def test_a_service_that_fails_is_counted_and_told() -> None:
    told: list[str] = []
    sent, sender = send_all([alert("a")], answers=False, told=told)
    assert (len(sent), sender.failed) == (1, 1)
    assert told == ["an alert was not delivered: not taken by Telegram (1 of 1) (1 so far)"]


def test_a_night_of_alerts_fits_one_message_the_worst_first() -> None:
    night = [alert(f"{number}: {'x' * 90}", "info") for number in range(100)] + [alert("the drawdown is reached", "critical")]
    sent, _ = send_all(night, per_minute_max=1, level_min="info", seconds=30.0)
    assert len(sent) == 1
    assert sent[0].startswith("[critical] the drawdown is reached")
    assert len(sent[0]) < 1_600
    assert sent[0].splitlines()[-1].endswith("more, see the log")


def test_the_pair_is_named_once() -> None:
    named = Alert(kind="fill", level="warning", symbol="EURUSD", text="EURUSD buy 0.10")
    other = Alert(kind="error", level="warning", symbol="EURUSD", text="strategy: too slow")
    sent, _ = send_all([named, other], per_minute_max=1)
    assert sent == ["[warning] EURUSD buy 0.10\n[warning] EURUSD strategy: too slow"]
