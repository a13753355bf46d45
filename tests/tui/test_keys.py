"""The table of actions."""

from __future__ import annotations

import pytest

from quarterdeck.tui.keys import ACTIONS, GROUPS, keymap_with
from quarterdeck.tui.terminal import needs_ascii
from quarterdeck.tui.view.help_text import keys_table


def test_no_key_stands_twice():
    keys = [key for action in ACTIONS for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))


def test_vital_actions_have_two_keys_that_terminals_pass():
    by_id = {action.id: action.keys.split(",") for action in ACTIONS}
    for action_id in ("flatten", "pause", "resume", "tweak", "help"):
        assert len(by_id[action_id]) == 2, action_id
    eaten = {"ctrl+b", "ctrl+a", "ctrl+q", "ctrl+s", "ctrl+z", "ctrl+h", "ctrl+i", "ctrl+m", "f5", "f6", "f10", "f11"}
    assert not eaten & {key for keys in by_id.values() for key in keys}


def test_every_action_stands_in_the_docs_table():
    table = keys_table()
    assert all(f"`{action.id}`" in table for action in ACTIONS)
    assert all(title in table for title in GROUPS.values())


def test_custom_key_binds_by_id_or_title_and_is_shown():
    held = keymap_with({"pause": "k, f4", "one bar": "o"})
    assert held.keys["pause"] == ("k", "f4")
    assert held.shown("replay_step") == "o"
    assert held.all_shown("pause") == "k or f4"
    assert held.refused == ()


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"pause": "F"}, "belongs to flatten"),
        ({"pause": "escape"}, "the screen itself"),
        ({"paws": "x"}, "no such action"),
        ({"pause": " , "}, "no key"),
    ],
)
def test_a_wish_that_would_take_a_key_away_is_refused(wish, why):
    held = keymap_with(wish)
    assert why in held.refused[0]
    assert held.keys["pause"] == ("p", "f8")


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LC_ALL": "C.utf8", "LANG": "C"}, False),
        ({"LC_ALL": "POSIX", "LANG": "en_GB.UTF-8"}, True),
        ({"TERM": "vt100", "LANG": "en_GB.UTF-8"}, True),
    ],
)
def test_ascii_where_a_locale_or_terminal_needs_it(environment, wanted):
    assert needs_ascii(environment) is wanted
