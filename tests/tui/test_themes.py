"""Theme files: whole, readable, and harmless when they are not."""

from __future__ import annotations

import pytest
from textual.color import Color

from quarterdeck.core.settings.packaged_files import shipped_text
from quarterdeck.tui.themes import LOOKS, load_themes, parse_theme

TEXT_ON_PAGE = ("muted", "strong", "good", "bad", "warn", "accent", "title")
BLOCKS = ("alarm", "key", "real", "unreal", "cursor")
SHIPPED = load_themes().known


def ratio(first: str, second: str) -> float:
    """Contrast as WCAG counts it."""

    def light(colour: str) -> float:
        parts = [part / 255 for part in Color.parse(colour).rgb]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_shipped_theme_is_whole_and_the_default_comes_first():
    themes = load_themes()
    assert themes.refused == ()
    assert next(iter(themes.known)) == "harbour"
    assert {"harbour", "daylight", "high_contrast", "clear_sight", "ansi16"} == set(themes.known)


@pytest.mark.parametrize("name", [name for name, theme in SHIPPED.items() if not theme.ansi])
def test_words_can_be_read_on_every_ground(name):
    theme = SHIPPED[name]
    for look in TEXT_ON_PAGE:
        for ground in (theme.background, theme.surface):
            assert ratio(theme.variables[f"desk-{look}"], ground or "") >= 4.5, (look, ground)
    for block in BLOCKS:
        assert ratio(theme.variables[f"desk-{block}"], theme.variables[f"desk-{block}-text"]) >= 4.5, block


def test_gain_and_loss_differ_for_the_colour_blind():
    good, bad = (Color.parse(SHIPPED["clear_sight"].variables[f"desk-{look}"]) for look in ("good", "bad"))
    assert abs(good.b - bad.b) > 120, "blue against orange differ where red and green do not"


def test_the_lean_theme_uses_only_the_terminals_own_colours():
    assert all(value.startswith("ansi_") for value in SHIPPED["ansi16"].variables.values() if value != "none")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("#4aa3df", "#4aa3dg"), "is no colour"),
        (('desk-good = "#5fcf9a"\n', ""), "desk-good is missing"),
        (("dark = true", "dork = true"), "dork is not known"),
        (("primary = ", "primary : "), "not valid TOML"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(change, why):
    theme, said = parse_theme(shipped_text("themes/harbour.toml").replace(*change), "x")
    assert theme is None
    assert why in said


def test_operator_theme_file_is_found_beside_shipped_ones(tmp_path):
    (tmp_path / "mine.toml").write_text(shipped_text("themes/harbour.toml").replace('"harbour"', '"mine"'), encoding="utf-8")
    (tmp_path / "broken.toml").write_text("primary = 3", encoding="utf-8")
    themes = load_themes(tmp_path)
    assert "mine" in themes.known
    assert len(themes.refused) == 1
    assert len(LOOKS) == 19
