"""What the docs say of commands, settings and exit codes is what the program does."""

from __future__ import annotations

import inspect
import re

import pytest

from quarterdeck.cli.main import SUBCOMMANDS
from quarterdeck.core.model import errors
from quarterdeck.tui.keys import BY_ID, keymap_with
from tests.conftest import CHECKOUT
from tools.docs import PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_program_says(name: str) -> None:
    path = CHECKOUT / name
    assert path.is_file(), f"`make docs` writes {name}"
    assert path.read_text(encoding="utf-8") == PAGES[name](), f"`make docs` writes {name} anew"


def test_the_readme_knows_every_exit_code() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)}
    raised = {kind.exit_code for _, kind in inspect.getmembers(errors, inspect.isclass) if hasattr(kind, "exit_code")}
    assert raised <= listed


def test_the_readme_names_commands_that_exist() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8") + (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"quarterdeck ([a-z]+)\b(?!\.)", text))
    assert named - {"service"} <= set(SUBCOMMANDS), named - set(SUBCOMMANDS)


TOUR = {
    "F": "flatten",
    "p": "pause",
    "r": "resume",
    "t": "tweak",
    "1": "panel(1)",
    "5": "panel(5)",
    "z": "zoom",
    "c": "close",
    "m": "move_stop",
    "w": "why",
    "b": "journal",
    "M": "metrics",
    "v": "chart",
    "n": "news",
    "h": "health",
    "ctrl+p": "palette",
    "?": "help",
    "q": "detach",
    "Q": "stop",
}


def test_the_readme_tells_the_keys_that_hold() -> None:
    rows = [
        line
        for line in (CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()
        if re.match(r"\| `(?!quarterdeck)", line)
    ]
    told = {key for row in rows for key in re.findall(r"`([^` ]{1,6})`", row) if key != "flat"}
    assert told == set(TOUR)
    for key, action in TOUR.items():
        assert keymap_with({}).shown(action) == key, BY_ID[action].meaning


def test_the_readme_shows_pictures_that_are_there() -> None:
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (CHECKOUT / "README.md").read_text(encoding="utf-8"))
    assert shown
    assert [name for name in shown if not (CHECKOUT / name).is_file()] == []
