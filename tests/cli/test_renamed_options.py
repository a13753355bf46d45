"""Old commands and options work for one release, and each says its new name once."""

from __future__ import annotations

import pytest

from quarterdeck.cli.main import SUBCOMMANDS
from quarterdeck.cli.renamed_options import COMMANDS, OPTIONS, with_current_words


def test_old_words_become_todays_and_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["backtest", "--path=neutral", "--open", "DIR", "--set", "a=--open", "--", "--open"]
    assert with_current_words(words) == ["backtest", "--intrabar=neutral", "--show", "DIR", "--set", "a=--open", "--", "--open"]
    assert with_current_words(["rearm", "--home", "H"]) == ["reset-drawdown", "--home", "H"]
    assert capsys.readouterr().err.splitlines() == [
        "quarterdeck: --path is called --intrabar now",
        "quarterdeck: --open is called --show now",
        "quarterdeck: rearm is called reset-drawdown now",
    ]


def test_todays_words_pass_without_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["run", "--path", "x"], ["optimize", "--min-trades", "3"]):
        assert with_current_words(words) == words
    assert not capsys.readouterr().err


def test_every_new_word_exists(capsys: pytest.CaptureFixture[str]) -> None:
    from quarterdeck.cli.main import main

    assert set(COMMANDS.values()) <= set(SUBCOMMANDS)
    for command, options in OPTIONS.items():
        assert main([command, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(new in text and f"{old} " not in text for old, new in options.items())
