"""What is wrong is reported at its beginning and end, reminded of while it lasts, and acknowledged once for all screens."""

from __future__ import annotations

from quarterdeck.core.engine.alarms import Alarms
from quarterdeck.core.journal.heartbeat import Problem
from quarterdeck.core.model.effects import Alert
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.engine.test_vitals import Time

STRATEGY = Problem(kind="strategy", text="strategy: no bar was scanned for 31 min", of_part=True)
FEED = Problem(kind="feed", text="the connection to the broker is down")


class Watched:
    def __init__(self, minutes: float = 60.0) -> None:
        self.time, self.told = Time(), list[Alert]()
        settings = shipped_settings(("alerts.remind_minutes", minutes)).alerts
        self.alarms = Alarms(self.told.append, lambda: settings, self.time)

    def lasts(self, seconds: float, *problems: Problem) -> list[str]:
        """The texts reported while these problems last."""
        before, until_s = len(self.told), self.time.s + seconds
        while self.time.s < until_s:
            self.time.s += 5.0
            self.alarms.look(problems)
        return [alert.text for alert in self.told[before:]]


def test_a_failing_part_is_alerted_and_so_is_recovery() -> None:
    watched = Watched()
    (begun,) = watched.lasts(600.0, STRATEGY)
    (over,) = watched.lasts(600.0)
    assert begun.startswith("strategy: no bar was scanned")
    assert over == "Strategy works again, after 10 min. Nothing to do."
    assert {alert.level for alert in watched.told} == {"critical"}, "an end has the level of its beginning"


def test_a_lasting_alarm_is_reminded_not_doubled() -> None:
    watched = Watched()
    assert watched.lasts(3_000.0, FEED) == [], "the desk reported its beginning"
    reminders = watched.lasts(64 * 3_600.0, FEED)
    assert 62 <= len(reminders) <= 65
    assert "the connection to the broker is down" in reminders[0]


def test_an_acknowledged_alarm_stays_quiet_until_it_recurs() -> None:
    watched = Watched(minutes=10.0)
    watched.lasts(60.0, FEED)
    assert watched.alarms.acknowledge() == 1
    assert watched.alarms.acknowledge() == 0
    assert watched.lasts(7_200.0, FEED) == []
    assert [alarm.acknowledged for alarm in watched.alarms.view] == [True]
    watched.lasts(60.0)
    assert watched.alarms.view == ()
    assert len(watched.lasts(1_300.0, FEED)) == 2
