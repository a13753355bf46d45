"""Settings tried on a copy of the desk: it does what the desk will do, and leaves the desk as it is."""

from __future__ import annotations

import msgspec

from quarterdeck.core.model.effects import Close
from quarterdeck.core.model.inputs import SettingsChanged
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.desk.playbook import only
from tests.core.desk.test_position_management import NO_TRAIL, opened


def wished(*changes: tuple[str, object]) -> SettingsChanged:
    tree = shipped_settings(*changes)
    told = tuple((key, "", str(value)) for key, value in changes)
    return SettingsChanged(settings=msgspec.Raw(msgspec.msgpack.encode(tree)), cause="tried", changes=told)


def test_settings_preview_shows_expired_position_and_leaves_desk_unchanged() -> None:
    play, position = opened(NO_TRAIL)
    play.wait(2 * 3600)
    play.quote("EURUSD", 1.0855, after_s=1.0)
    before = play.desk.checkpoint()
    tried = play.desk.preview_changes(wished(NO_TRAIL, ("position.time_exit_hours", 1.0)), play.at)
    assert [(act.position_id, act.why) for act in tried.acts if isinstance(act, Close)] == [(position, "age")]
    assert play.desk.checkpoint() == before
    play.change(NO_TRAIL, ("position.time_exit_hours", 1.0))
    close = only(play.quote("EURUSD", 1.0855, after_s=1.0), Close)
    assert (close.position_id, close.why) == (position, "age")


def test_new_caps_stand_beside_the_old_ones() -> None:
    play, _ = opened(NO_TRAIL)
    tried = play.desk.preview_changes(wished(NO_TRAIL, ("risk.open_risk_max_pct", 1.0)), play.at)
    assert tried.before.risk.cap_money is not None
    assert tried.after.risk.cap_money is not None
    assert tried.after.risk.cap_money < tried.before.risk.cap_money
    assert tried.acts == ()
