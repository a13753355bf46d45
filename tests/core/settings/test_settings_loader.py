"""Settings: every parameter once, all mistakes together, precedence, and an older file that still works."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.settings.packaged_files import shipped_text
from quarterdeck.core.settings.parameters import parameters, sections
from quarterdeck.core.settings.render import render_settings
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.settings_loader import (
    for_pair,
    load_settings,
    look_up,
    merged,
    mistakes,
    parse_value,
    settings_from_tape,
    shipped_settings,
    shipped_tree,
    toml_text,
    validated,
    with_values,
)
from tests.core.bounded import little_work


def test_shipped_settings_contain_exactly_every_parameter_with_meaning() -> None:
    assert shipped_text("settings.toml") == render_settings(shipped_tree())
    assert mistakes(shipped_tree()) == []
    assert all(row.meaning for row in parameters().values())


def test_no_default_stands_in_the_types() -> None:
    for struct in (Settings, *sections().values()):
        for field in msgspec.structs.fields(struct):
            assert field.required, f"{struct.__name__}.{field.name} has a default of its own"


def test_every_number_is_bounded_on_both_sides() -> None:
    open_ended = [
        row.key for row in parameters().values() if row.kind in ("number", "whole") and (row.low is None or row.high is None)
    ]
    assert open_ended == []


def test_five_mistakes_are_told_together_each_with_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        "[risk]\nrisk_per_trade_pct = 9.0\nrisk_per_trde = 1\n[care]\nage_max_hours = 'x'\n[ui]\nascii = 1\n[flaten]\nat_open = 'ask'\n"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    text = caught.value.one_line()
    assert "5 invalid settings" in text
    assert "settings.toml" in text
    for part in (
        "risk.risk_per_trade_pct = 9.0: must be a number from 0.01 to 5 % of equity",
        "risk.risk_per_trde is not a setting, did you mean risk.risk_per_trade_pct?",
        'position.time_exit_hours = "x": must be a number from 0 to 1000 hours',
        "ui.ascii = 1: must be true or false",
        "flaten is not a setting, did you mean flatten?",
    ):
        assert part in text


def test_missing_key_in_older_file_uses_shipped_value(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[risk]\nrisk_per_trade_pct = 0.5\n")
    settings = load_settings(tmp_path).settings
    assert (settings.risk.risk_per_trade_pct, settings.risk.open_risk_max_pct) == (0.5, 5.0)


def test_command_line_overrides_overrides_file_which_overrides_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[care]\nage_max_hours = 3.0\n")
    (tmp_path / "overrides.toml").write_text('[override."position.time_exit_hours"]\nvalue = 2.0\nreplaced = 3.0\n')
    assert load_settings(tmp_path).settings.position.time_exit_hours == 2.0
    assert load_settings(tmp_path, [("position.time_exit_hours", 1.0)]).settings.position.time_exit_hours == 1.0


@pytest.mark.parametrize("text", ["not toml [", "override = 3", '[override."position.time_exit_hours"]\nreplaced = 3.0\n'])
def test_a_damaged_overrides_file_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "overrides.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"overrides\.toml: damaged") as caught:
        load_settings(tmp_path)
    assert "delete it" in caught.value.one_line()


@pytest.mark.parametrize("text", ["", '[override."x.y"]\nvalue = 1\nreplaced = 2\n'])
def test_an_override_that_fits_nothing_any_more_is_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "overrides.toml").write_text(text)
    assert load_settings(tmp_path).settings == shipped_settings()


def test_a_setting_can_be_overridden_for_one_pair(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[pair.XAUUSD.filters]\nspread_stop_max_pct = 12.0\n")
    settings = load_settings(tmp_path).settings
    assert for_pair(settings, "XAUUSD").filters.spread_stop_max_pct == 12.0
    assert for_pair(settings, "EURUSD").filters.spread_stop_max_pct == 10.0
    assert for_pair(settings, "EURUSD").costs.spread_floor_pips == 0.2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1", True, None, [], {}])
def test_what_is_no_number_in_range_is_refused(value: Any) -> None:
    assert mistakes(with_values({}, [("risk.risk_per_trade_pct", value)]))


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("risk.risk_per_trade_pct", "1", 1.0),
        ("correlation.over_limit_action", "shrink", "shrink"),
        ("correlation.over_limit_action", '"shrink"', "shrink"),
        ("kelly.enabled", "true", True),
        ("desk.pairs", "EURUSD,USDJPY", ["EURUSD", "USDJPY"]),
        ("desk.pairs", '["EURUSD"]', ["EURUSD"]),
        ("filters.rollover_hours", "16:45-18:15", "16:45-18:15"),
    ],
)
def test_values_are_taken_as_an_operator_types_them(key: str, text: str, value: object) -> None:
    assert parse_value(key, text) == value


@given(st.sampled_from(list(parameters())), st.one_of(st.text(max_size=8), st.floats(), st.integers(), st.booleans()))
def test_accepted_value_reads_back_unchanged_and_refused_changes_nothing(key: str, value: object) -> None:
    tree = shipped_tree()
    changed = with_values(tree, [(key, value)])
    try:
        settings = validated(changed, "test")
    except SettingsError:
        return
    again = tomllib.loads(render_settings(changed))
    assert look_up(again, key) == look_up(changed, key)
    assert settings == validated(again, "test")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("filters.entry_hours", ["Europe/Lundon 07:00-20:00"]),
        ("filters.entry_hours", ["07:00-20:00"]),
        ("filters.entry_hours", ["Europe/London 7-20"]),
        ("breakers.day_zone", "New York"),
    ],
)
def test_unreadable_time_is_refused_on_write(key: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=key):
        shipped_settings((key, value))


def test_merging_lays_sections_over_each_other() -> None:
    assert merged({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}, "b": {"z": 4}}) == {"a": {"x": 1, "y": 3}, "b": {"z": 4}}


@given(
    st.recursive(
        st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
        lambda inner: st.lists(inner, max_size=3),
    )
)
def test_a_shown_value_is_toml(value: object) -> None:
    assert tomllib.loads(f"value = {toml_text(value)}")["value"] == value


def test_a_tape_of_another_version_is_completed_with_shipped_values() -> None:
    whole = msgspec.to_builtins(shipped_settings(("risk.risk_per_trade_pct", 0.5)))
    assert settings_from_tape(msgspec.msgpack.encode(whole)).risk.risk_per_trade_pct == 0.5
    del whole["risk"]["open_risk_max_pct"], whole["kelly"]
    whole["risk"]["forgotten"] = 1
    whole["gone"] = {"all": True}
    whole["pair"] = {"EURUSD": {"costs": {"spread_floor_pips": 0.3, "forgotten": 1}}}
    found = settings_from_tape(msgspec.msgpack.encode(whole))
    assert (found.risk.risk_per_trade_pct, found.risk.open_risk_max_pct) == (0.5, 5.0)
    assert found.kelly == shipped_settings().kelly
    assert for_pair(found, "EURUSD").costs.spread_floor_pips == 0.3
    assert for_pair(found, "USDJPY").costs.spread_floor_pips == shipped_settings().costs.spread_floor_pips, (
        "its own tables, whole"
    )
    whole["risk"]["risk_per_trade_pct"] = 99.0
    with pytest.raises(SettingsError, match="risk_per_trade_pct"):
        settings_from_tape(msgspec.msgpack.encode(whole))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("position.early_closes", ["2026-13-01"], "must read like 2026-11-26 13:00 XAUUSD"),
        ("position.early_closes", ["2026-12-24 17:30"], "must read like"),
        ("position.early_closes", ["20261224"], "must read like"),
        ("pair.EURUSD.position.early_closes", ["soon"], r"pair.EURUSD.position.early_closes"),
        ("prop_firm.day_zone", "Europe/Prag", "must be a time zone such as Europe/Prague"),
        ("prop_firm.day_start", "25:00", "prop_firm.day_start"),
    ],
)
def test_days_and_zones_that_nobody_can_read_are_refused(key: str, value: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        validated(with_values(shipped_tree(), [(key, value)]), "test")


def test_queue_smaller_than_number_of_pairs_is_refused() -> None:
    three = [("desk.pairs", ["EURUSD", "GBPUSD", "USDJPY"]), ("scan.queue_max", 3)]
    assert validated(with_values(shipped_tree(), three), "test").scan.queue_max == 3
    with pytest.raises(SettingsError, match=r"scan.queue_max = 2: must be at least 3, one for each pair"):
        validated(with_values(shipped_tree(), [*three, ("scan.queue_max", 2)]), "test")


def test_early_closes_parse_with_and_without_hour_and_pairs() -> None:
    good = ["2026-12-24 13:00", "2026-11-26 13:00 XAUUSD EURUSD", "2026-12-25", "2026-12-25 XAUUSD"]
    assert validated(with_values(shipped_tree(), [("position.early_closes", good)]), "test").position.early_closes == tuple(good)


def test_a_list_of_certain_words_names_them() -> None:
    assert mistakes(with_values({}, [("news.impacts", ["high", "holiday"])])) == []
    (told,) = mistakes(with_values({}, [("news.impacts", ["holidays"])]))
    assert told.endswith("must be a list of high, medium, low, holiday")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ui.theme", '"lean"\n[risk]\nrisk_per_trade_pct = 5'),
        ("ui.theme", '"lean"\nmode = "live"'),
        ("ui.theme", "[" * 3_000),
        ("ui.theme", "a" * 1_000_000),
        ("a." * 500_000, "1"),
        ("risk.risk_per_trade_pct", "9" * 3_900 + "e9"),
    ],
)
def test_one_key_takes_one_value_of_bounded_length(key: str, text: str) -> None:
    with little_work(), pytest.raises(SettingsError) as caught:
        parse_value(key, text)
    assert len(caught.value.one_line()) < 6_000


def test_an_endless_value_is_refused_in_a_short_line(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f"[scan]\nresponse_timeout_s = '{'x' * 1_000_000}'\n{'y' * 100_000} = 1\n")
    with pytest.raises(SettingsError, match="must be a number") as raised:
        load_settings(tmp_path)
    assert len(raised.value.one_line()) < 1_500
