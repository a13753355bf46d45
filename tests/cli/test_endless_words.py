"""A word of a million letters in every argument and option of every command: refused in a short line, and soon."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.cli.main import SUBCOMMANDS, LazyGroup, main
from tests.core.bounded import MILLION

_LEFT_ALONE = ("init", "service", "compile", "selftest", "monitor")
"""They take no words, or do something outside the home."""
_ENDS = {"run": ("--no-ui", "--replay", "none"), "gateway": ("--replay", "none"), "scan": ("--home", "none")}
"""What keeps a command that serves for ever from starting."""
_LONGEST = 30_000 if sys.platform == "win32" else 50_000
"""Windows takes no command line beyond 32,767 letters."""
_SHOWN_MAX = 12_000
_SLOW_S = 10.0


def calls() -> list[tuple[str, ...]]:
    """Each command with one word for each of its arguments, and with each option that takes a value; the word is left open."""
    found: list[tuple[str, ...]] = []
    for name, entry in SUBCOMMANDS.items():
        if name in _LEFT_ALONE:
            continue
        command: Any = LazyGroup(name="quarterdeck").get_command(None, name)
        parts = [((name, part), command.commands[part]) for part in entry.parts] or [((name,), command)]
        for words, part in parts:
            arguments = [param for param in part.params if param.param_type_name == "argument"]
            plain = tuple("x" for param in arguments if param.required)
            found += [(*words, *plain[:place], "", *plain[place + 1 :]) for place in range(len(arguments))]
            options = [param for param in part.params if param.param_type_name == "option" and not param.is_flag]
            found += [(*words, *plain, param.opts[0], "") for param in options if param.opts[0] != "--home"]
    return [("",), *((*call, *_ENDS.get(call[0], ())) for call in found)]


@pytest.mark.parametrize("letters", [pytest.param(_LONGEST, id="long"), pytest.param(MILLION, marks=pytest.mark.soak)])
def test_endless_words_are_refused_in_a_short_line(
    letters: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUARTERDECK_HOME", str(tmp_path / "home"))
    slowest, longest = (0.0, ""), 0
    tried = calls()
    for call in tried:
        began_s = time.thread_time()
        code = main([word or "x" * letters for word in call])
        took_s = time.thread_time() - began_s
        heard = capsys.readouterr()
        what = " ".join(word or "..." for word in call)
        slowest, longest = max(slowest, (took_s, what)), max(longest, len(heard.err), len(heard.out))
        assert code != 1, f"{what}: {heard.err[-2_000:]}"
        assert "Traceback" not in heard.err, what
        assert len(heard.err) < _SHOWN_MAX, f"{what}: {len(heard.err)}"
        assert len(heard.out) < _SHOWN_MAX, f"{what}: {len(heard.out)}"
    with capsys.disabled():
        print(f"\n{len(tried)} calls, slowest {slowest[0]:.2f} s ({slowest[1]}), most said {longest} letters")
    assert slowest[0] < _SLOW_S, slowest
    assert not (tmp_path / "home" / "journal.sqlite").exists(), "no effect"
