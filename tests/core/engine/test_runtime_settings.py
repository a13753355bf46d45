"""Parameters while running: refused with the reason, kept across a restart, back after their time."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.engine.runtime_settings import RuntimeSettings
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.units import NS_PER_S
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import load_settings, look_up, shipped_settings
from quarterdeck.core.strategy.strategy_loader import strategy_parameters

KEY = "risk.risk_per_trade_pct"
MINUTE_NS = 60 * NS_PER_S


def tuning(home: Path) -> RuntimeSettings:
    return RuntimeSettings(home, load_settings(home))


def test_a_good_value_becomes_one_input_with_old_and_new(tmp_path: Path) -> None:
    changed = tuning(tmp_path).change([(KEY, "0.5")], "screen", 0)
    assert changed.changes == ((KEY, "1.0", "0.5"),)
    assert msgspec.msgpack.decode(changed.settings, type=Settings).risk.risk_per_trade_pct == 0.5


def test_a_bad_value_among_good_ones_changes_nothing(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    with pytest.raises(SettingsError, match=r"must be a number from 0.01 to 5"):
        tuned.change([("position.time_exit_hours", "2"), (KEY, "50")], "screen", 0)
    assert tuned.settings.position.time_exit_hours == 4.0
    assert not (tmp_path / "overrides.toml").exists()


def test_two_values_that_contradict_each_other_are_refused_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must not be above"):
        tuning(tmp_path).change([(KEY, "3"), ("risk.open_risk_max_pct", "2")], "screen", 0)


def test_next_start_setting_is_stored_and_this_run_is_unchanged(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    changed = tuned.change([("simulation.seed", "9"), ("desk.pairs", '["EURUSD"]'), (KEY, "0.5")], "screen", 0)
    assert [key for key, _, _ in changed.changes] == ["desk.pairs", "simulation.seed", KEY]
    told = msgspec.msgpack.decode(changed.settings, type=Settings)
    assert (told.simulation.seed, len(told.desk.pairs) > 1, told.risk.risk_per_trade_pct) == (7, True, 0.5)
    assert (tuned.settings, tuned.pending) == (told, ("desk.pairs", "simulation.seed"))
    again = tuning(tmp_path)
    assert (again.settings.simulation.seed, again.settings.desk.pairs, again.pending) == (9, ("EURUSD",), ())


def test_next_start_setting_cannot_revert_by_itself(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="next start"):
        tuning(tmp_path).change([("simulation.seed", "9")], "screen", 0, minutes=30)


def test_value_contradicting_current_settings_is_refused(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    with pytest.raises(SettingsError, match="until the next start"):
        tuned.change([("correlation.lookback_bars", "900"), ("correlation.lookback_bars_min", "800")], "screen", 0)
    assert not (tmp_path / "overrides.toml").exists()


def test_reload_does_not_change_next_start_settings(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    (tmp_path / "settings.toml").write_text(
        "[filters]\natr_percentile_days = 30\n[pair.EURUSD.filters]\natr_percentile_days = 20\nquote_age_max_s = 9.0\n"
    )
    told = msgspec.msgpack.decode(tuned.reload("SIGHUP").settings, type=Settings)
    assert (told.filters.atr_percentile_days, told.pair["EURUSD"]["filters"]) == (60, {"quote_age_max_s": 9.0})
    assert tuned.pending == ("filters.atr_percentile_days", "pair.EURUSD.filters.atr_percentile_days")


def test_pair_change_is_reported_with_the_general_value(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    changed = tuned.change([("pair.EURUSD.risk.risk_per_trade_pct", "0.5")], "screen", 0)
    assert changed.changes == (("pair.EURUSD.risk.risk_per_trade_pct", "1.0", "0.5"),)


def test_strategy_parameter_behaves_like_any_setting(tmp_path: Path) -> None:
    own = strategy_parameters(shipped_settings().strategy)
    tuned = RuntimeSettings(tmp_path, load_settings(tmp_path), own)
    name = "strategy.parameters.pullback_rsi"
    assert look_up(tuned.tree, name) == 45.0
    with pytest.raises(SettingsError, match=r"pullback_rsi = 99.0: must be a number from 5 to 50 RSI"):
        tuned.change([(name, "99")], "screen", 0)
    with pytest.raises(SettingsError, match=r"did you mean strategy.parameters.pullback_rsi"):
        tuned.change([("strategy.parameters.pulback_rsi", "40")], "screen", 0)
    assert tuned.change([(name, "40")], "screen", 0).changes == ((name, "45.0", "40.0"),)
    assert (tuned.pending, tuned.settings.strategy.parameters) == ((name,), {})
    one_pair = tuned.change([(f"pair.EURUSD.{name}", "30")], "screen", 0)
    assert one_pair.changes == ((f"pair.EURUSD.{name}", "40.0", "30.0"),)
    again = RuntimeSettings(tmp_path, load_settings(tmp_path), own)
    assert again.settings.pair["EURUSD"]["strategy"] == {"parameters": {"pullback_rsi": 30.0}}
    assert (again.settings.strategy.parameters, again.overridden[:1]) == ({"pullback_rsi": 40.0}, (name,))
    other = RuntimeSettings(tmp_path, load_settings(tmp_path), own)
    other.change([("strategy.file", "mine.py"), ("strategy.name", "Mine")], "screen", 0)
    assert other.overridden == ("strategy.file", "strategy.name"), "another strategy has no parameters of the old one"
    assert load_settings(tmp_path).settings.strategy.parameters == {}
    other.change([("strategy.file", ""), ("strategy.name", "trend"), (name, "40"), (f"pair.EURUSD.{name}", "30")], "screen", 0)
    again = RuntimeSettings(tmp_path, load_settings(tmp_path), own)
    again.change([(name, "45")], "screen", 0)
    assert RuntimeSettings(tmp_path, load_settings(tmp_path), own).overridden == (f"pair.EURUSD.{name}",)


def test_change_survives_restart_and_undo_removes_it(tmp_path: Path) -> None:
    tuning(tmp_path).change([(KEY, "0.5")], "screen", 0)
    again = tuning(tmp_path)
    assert again.settings.risk.risk_per_trade_pct == 0.5
    assert again.overridden == (KEY,)
    again.change([(KEY, "1.0")], "screen", 0)
    assert tuning(tmp_path).overridden == ()


def test_file_change_of_a_key_drops_its_override_with_note(tmp_path: Path) -> None:
    tuning(tmp_path).change([(KEY, "0.5")], "screen", 0)
    (tmp_path / "settings.toml").write_text("[risk]\nrisk_per_trade_pct = 0.8\n")
    loaded = load_settings(tmp_path)
    assert loaded.settings.risk.risk_per_trade_pct == 0.8
    assert "dropped" in loaded.notes[0]


def test_a_change_for_a_time_goes_back_by_itself(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    tuned.change([(KEY, "0.5")], "screen", 1_000, minutes=120)
    assert tuned.due(1_000 + 119 * MINUTE_NS) is None
    back = tuned.due(1_000 + 120 * MINUTE_NS)
    assert back is not None
    assert back.changes == ((KEY, "0.5", "1.0"),)
    assert tuned.due(1_000 + 500 * MINUTE_NS) is None


def test_broken_file_while_running_keeps_the_old_settings(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    (tmp_path / "settings.toml").write_text("[risk\n")
    with pytest.raises(SettingsError, match="not valid TOML"):
        tuned.reload("SIGHUP")
    assert tuned.settings.risk.risk_per_trade_pct == 1.0


def test_temporary_change_reverts_after_a_restart(tmp_path: Path) -> None:
    tuning(tmp_path).change([(KEY, "0.5")], "screen", 100 * MINUTE_NS, minutes=120)
    again = tuning(tmp_path)
    assert again.settings.risk.risk_per_trade_pct == 0.5
    assert again.due(219 * MINUTE_NS) is None
    back = again.due(220 * MINUTE_NS)
    assert back is not None
    assert back.changes == ((KEY, "0.5", "1.0"),)
    assert tuning(tmp_path).pending_reverts == ()


def test_temporary_change_reverts_at_once_in_an_earlier_market(tmp_path: Path) -> None:
    tuning(tmp_path).change([(KEY, "0.5")], "screen", 1_000 * MINUTE_NS, minutes=30)
    assert tuning(tmp_path).due(5 * MINUTE_NS) is not None


def test_changed_key_does_not_revert_and_repeated_one_restores_first(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    tuned.change([(KEY, "0.5"), ("position.time_exit_hours", "2")], "screen", 0, minutes=60)
    tuned.change([(KEY, "0.7")], "screen", 0)
    tuned.change([("position.time_exit_hours", "3")], "screen", 0, minutes=30)
    assert [item.values for item in tuned.pending_reverts] == [{"position.time_exit_hours": 4.0}]
    back = tuned.due(30 * MINUTE_NS)
    assert back is not None
    assert back.changes == (("position.time_exit_hours", "3.0", "4.0"),)
    assert tuned.due(60 * MINUTE_NS) is None


def test_a_wish_is_judged_like_a_change_and_changes_nothing(tmp_path: Path) -> None:
    tuned = tuning(tmp_path)
    assert tuned.preview_settings([(KEY, "0.5")]).changes == ((KEY, "1.0", "0.5"),)
    with pytest.raises(SettingsError, match="must be a number"):
        tuned.preview_settings([(KEY, "50")])
    assert tuned.settings.risk.risk_per_trade_pct == 1.0
    assert not (tmp_path / "overrides.toml").exists()


@pytest.mark.parametrize("minutes", [float("nan"), float("inf"), 1e300, 0.0, -1.0])
def test_a_time_that_no_clock_can_hold_is_refused(tmp_path: Path, minutes: float) -> None:
    held = tuning(tmp_path)
    with pytest.raises(SettingsError, match="minutes"):
        held.change([("risk.risk_per_trade_pct", "0.5")], "test", 0, minutes)
    assert held.overridden == ()
