"""The pictures in docs/ are of the screens as they are."""

from __future__ import annotations

import sys

import pytest

from tests.tui.screen_pictures import FOLDER, PICTURES, SAME_FOR_ALL, drawn


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="one Python draws them; the golden screens hold on every one")
@pytest.mark.parametrize("name", PICTURES)
async def test_the_picture_is_of_the_screen_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SAME_FOR_ALL.items():
        monkeypatch.setenv(variable, value)
    assert (FOLDER / f"{name}.svg").read_text(encoding="utf-8") == await drawn(name), "`make docs` draws it anew"
