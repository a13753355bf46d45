"""Alerts leave bounded and folded, and a dead service is nobody's problem but the counter's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from quarterdeck.core.clock.virtual import VirtualClock, VirtualTimeLoop
from quarterdeck.core.engine.alerting import AlertSender
from quarterdeck.core.model.effects import Alert, AlertKind
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.settings_loader import shipped_settings


def alert(text: str, level: str = "warning") -> Alert:
    return msgspec.convert({"type": "alert", "kind": "fill", "level": level, "text": text}, Alert)


class Receiver:
    """A service of the test's own: takes or refuses, at once or after a while, and remembers."""

    def __init__(self, *, refuses: int = 0, slow: asyncio.Event | None = None) -> None:
        self.refuses = refuses
        self.asked = 0
        self.slow = slow
        self.sent: list[str] = []
        self.levels: list[str] = []

    async def __call__(self, title: str, body: str, level: str) -> str:
        self.asked += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.refuses:
            self.refuses -= 1
            return "Telegram (1 of 1)"
        self.sent.append(body)
        self.levels.append(level)
        return ""


Story = Callable[[AlertSender], Awaitable[None]]


def lives(*receivers: Receiver, story: Story, kept: Path | None = None, at_s: int = 0, **changes: object) -> AlertSender:
    """One run of the sender on virtual time: `story` happens while it sends; then it drains as at an engine's end."""
    settings = shipped_settings(*((f"alerts.{key}", value) for key, value in changes.items())).alerts
    loop = VirtualTimeLoop(at_s * NS_PER_S)

    async def live() -> AlertSender:
        sender = AlertSender((), lambda: settings, VirtualClock(loop), sends=receivers, kept=kept)
        task = asyncio.create_task(sender.run())
        await story(sender)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sender.drain(5.0)
        return sender

    try:
        return loop.run_until_complete(live())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def taking(*alerts: Alert, seconds: float = 0.0) -> Story:
    async def story(sender: AlertSender) -> None:
        for item in alerts:
            sender.take(item)
        await asyncio.sleep(seconds)

    return story


def send_all(alerts: list[Alert], *, seconds: float = 300.0, **changes: object) -> tuple[list[str], AlertSender]:
    receiver = Receiver()
    sender = lives(receiver, story=taking(*alerts, seconds=seconds), **changes)
    return receiver.sent, sender


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


def test_a_service_that_fails_is_told_and_tried_again() -> None:
    told: list[str] = []
    receiver = Receiver(refuses=3)

    async def story(sender: AlertSender) -> None:
        sender.on_failure = told.append
        sender.take(alert("a"))
        await asyncio.sleep(3_600.0)

    sender = lives(receiver, story=story)
    assert (receiver.sent, receiver.asked, sender.failed) == (["[warning] a"], 4, 3)
    assert told[0] == "Alert not delivered: Telegram (1 of 1) did not accept it (1 waiting to be sent again, 1 failures so far)"


def test_waits_between_tries_grow() -> None:
    receiver = Receiver(refuses=1_000)
    lives(receiver, story=taking(alert("a"), seconds=3_600.0))
    assert 12 < receiver.asked < 22, "not every second, and not never"


def test_what_an_end_finds_undelivered_leaves_at_the_end() -> None:
    receiver = Receiver()
    lives(receiver, story=taking(*(alert(f"{number}") for number in range(6))))
    assert sum(body.count("[warning]") for body in receiver.sent) == 6


def test_alerts_in_flight_at_the_end_go_once() -> None:
    receiver = Receiver(slow=asyncio.Event())

    async def story(sender: AlertSender) -> None:
        sender.take(alert("first"))
        await asyncio.sleep(1.0)
        sender.take(alert("second"))
        asyncio.get_running_loop().call_later(2.0, receiver.slow.set)  # type: ignore[union-attr]

    lives(receiver, story=story)
    assert receiver.sent == ["[warning] first", "[warning] second"]


def test_what_no_service_took_waits_through_a_restart(tmp_path: Path) -> None:
    kept = tmp_path / "waiting.json"
    lives(Receiver(refuses=99), story=taking(alert("the disk is full", "critical"), seconds=1.0), kept=kept)
    assert "the disk is full" in kept.read_text()
    back = Receiver()
    lives(back, story=taking(seconds=1.0), kept=kept, at_s=3_600)
    assert back.sent == ["[critical] 1970-01-01 00:00 UTC: the disk is full"]
    assert not kept.exists()


@pytest.mark.parametrize("text", ["", "[", '[{"alert":1}]', "\udcff", "[" * 9_999])
def test_a_damaged_file_of_waiting_alerts_is_passed_over(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "waiting.json"
    kept.write_text(text, encoding="utf-8", errors="surrogateescape")
    receiver = Receiver()
    lives(receiver, story=taking(alert("a"), seconds=1.0), kept=kept)
    assert receiver.sent == ["[warning] a"]


def test_a_dead_service_holds_up_no_other() -> None:
    dead, well = Receiver(refuses=1_000), Receiver()
    lives(dead, well, story=taking(alert("a"), alert("b"), seconds=60.0))
    assert well.sent == ["[warning] a", "[warning] b"]


def test_a_full_box_lets_the_least_important_go() -> None:
    receiver = Receiver(refuses=1)
    many = [alert("it matters", "critical"), *(alert(f"n{number}", "warning") for number in range(300))]
    lives(receiver, story=taking(*many, seconds=1.0))
    assert any("it matters" in body for body in receiver.sent)


def test_kinds_go_where_their_route_leads() -> None:
    first, second = Receiver(), Receiver()
    summary = Alert(kind="summary", level="info", text="day over")
    lives(first, second, story=taking(alert("opened"), summary, seconds=60.0), routes=["summary 2", "breaker 1"])
    assert first.sent == ["[warning] opened"]
    assert second.sent == ["[warning] opened", "[info] day over"]


def test_a_route_to_nobody_silences_nothing() -> None:
    receiver = Receiver()
    lives(receiver, story=taking(alert("opened"), seconds=60.0), routes=["fill 3"])
    assert receiver.sent == ["[warning] opened"]


NIGHT_S = 3 * 3_600
"""03:00 UTC, within the quiet hours used below."""


def test_quiet_hours_hold_back_what_costs_no_money() -> None:
    receiver = Receiver()
    story = taking(alert("opened"), seconds=3 * 3_600.0)
    lives(receiver, story=story, at_s=NIGHT_S, quiet_hours="UTC 22:00-07:00")
    assert receiver.sent == [], "it waits for the morning"
    lives(receiver, story=taking(alert("opened"), seconds=5 * 3_600.0), at_s=NIGHT_S, quiet_hours="UTC 22:00-07:00")
    assert receiver.sent == ["[warning] 1970-01-01 03:00 UTC: opened"]


@pytest.mark.parametrize("kind", get_args(AlertKind))
@pytest.mark.parametrize("level", ["warning", "critical"])
def test_quiet_hours_never_hold_back_what_costs_money(kind: AlertKind, level: str) -> None:
    receiver = Receiver()
    told = msgspec.convert({"type": "alert", "kind": kind, "level": level, "text": "now"}, Alert)
    lives(receiver, story=taking(told, seconds=60.0), at_s=NIGHT_S, quiet_hours="UTC 22:00-07:00")
    may_wait = level == "warning" and kind in ("fill", "close", "summary", "error")
    assert receiver.sent == ([] if may_wait else [f"[{level}] now"])


def test_the_worst_of_a_fold_is_its_severity() -> None:
    receiver = Receiver()
    lives(receiver, story=taking(alert("a"), alert("b", "critical"), alert("c")), per_minute_max=1)
    assert receiver.levels == ["critical"]


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
    assert sent == ["[warning] EURUSD buy 0.10\n[warning] EURUSD: strategy: too slow"]


def test_a_resolved_alert_reaches_who_got_the_alarm() -> None:
    phone = Receiver()

    async def story(sender: AlertSender) -> None:
        sender.take(alert("begun", "critical"))
        sender.take(alert("details", "info"))
        sender.take(msgspec.structs.replace(alert("over", "critical"), resolved=True))
        await asyncio.sleep(1.0)

    lives(phone, story=story, level_min="critical")
    assert phone.sent == ["[critical] begun", "[resolved] over"]
    assert phone.levels == ["critical", "resolved"]
