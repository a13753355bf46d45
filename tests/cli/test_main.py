"""How a command line ends: an exit code of its kind, and one line where the operator can mend it."""

from __future__ import annotations

import errno
import importlib
import inspect
import json
from pathlib import Path

import msgspec
import pytest

from cli import main as cli_main
from cli.main import SUBCOMMANDS, main
from cli.service import task_text, unit_text
from core.model import errors
from core.model.errors import InvariantBroken, QuarterdeckError
from core.settings.home import Home
from core.settings.load import shipped_settings
from core.settings.parameters import parameters
from core.strategy.load import load_strategy


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert said.startswith("quarterdeck: ")
    assert said.count("\n") == 1
    return said


def test_nothing_given_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in SUBCOMMANDS)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    parts = SUBCOMMANDS[name].parts
    for part in parts:
        assert f"  {part} " in said
        assert main([name, part, "--help"]) == 0
        assert "--home" in capsys.readouterr().out
    assert parts or "--home" in said
    command = importlib.import_module(SUBCOMMANDS[name].module).command
    assert inspect.getdoc(command)


def test_a_command_of_several_parts_lists_them_when_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 0
    assert "  import " in capsys.readouterr().out
    assert main(["data", "lst"]) == 2
    assert "list" in one_line(capsys)


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flaten"]) == 2
    assert "did you mean `quarterdeck flatten`?" in one_line(capsys)


@pytest.mark.parametrize(
    "words", [["pause", "--hme", "x"], ["pause", "extra"], ["flatten", "--wait", "soon"], ["resolve"], ["--nope"]]
)
def test_a_wrong_command_line_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "--help`" in one_line(capsys)


def kinds() -> list[type[QuarterdeckError]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, QuarterdeckError)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        *((kind("no\nway", what_to_do="do this"), kind.exit_code) for kind in kinds()),
        (InvariantBroken("stop before order"), 10),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device", "journal.sqlite"), 6),
    ],
)
def test_each_error_ends_with_its_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("cli.order.give", lambda *_, **__: fail())
    assert main(["pause"]) == code
    one_line(capsys)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.order.give", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["pause"])


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"{cli_main.PROGRAM} ")


def test_init_writes_once_and_keeps_the_old_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["init", "--home", str(tmp_path / "home")]
    assert main(words) == 0
    file = tmp_path / "home" / "settings.toml"
    file.write_text("# mine\n")
    capsys.readouterr()
    assert main(words) == 2
    assert "--force" in one_line(capsys)
    assert main([*words, "--force", "--json"]) == 0
    kept = json.loads(capsys.readouterr().out.splitlines()[-1])["kept"]
    assert Path(kept).read_text() == "# mine\n"


def test_init_writes_a_strategy_that_loads_and_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert main(["init", "--strategy", "mine.py", *home, "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert json.loads(said[-1])["strategy"] == str(tmp_path / "mine.py")
    assert 'file = "mine.py", name = "Crossing"' in said[-2]
    assert not (tmp_path / "settings.toml").exists()
    section = msgspec.structs.replace(shipped_settings().strategy, file="mine.py", name="Crossing")
    assert load_strategy(section, tmp_path).own
    assert main(["init", "--strategy", "mine.py", *home]) == 2
    assert main(["init", "--strategy", "mine", *home]) == 2
    assert "no Python file" in capsys.readouterr().err


def test_init_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["init", "--home", str(tmp_path / "file" / "home")]) == 6
    assert "cannot be written" in one_line(capsys)


def test_set_without_an_engine_holds_from_the_next_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--home", str(tmp_path)]
    assert main(["set", "risk.risk_per_trade_pct=0.5", *words]) == 0
    assert "no engine is running" in capsys.readouterr().out
    assert main(["set", "risk.risk_per_trade_pct", *words]) == 0
    assert "risk.risk_per_trade_pct = 0.5 % of equity, set while running" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["risk.risk_per_trade_pct=50", "risk.nothing=1", "risk.risk_per_trade_pct=banana"])
def test_set_refuses_with_the_reason_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main(["set", "breakers.positions_max=3", word, "--home", str(tmp_path)]) == 3
    one_line(capsys)
    assert not (tmp_path / "overrides.toml").exists()


def test_set_lists_and_finds_every_parameter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set", "--home", str(tmp_path), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(parameters())
    assert main(["set", "frobnicate", "--home", str(tmp_path)]) == 2


def test_service_fills_in_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "my home & 100%"
    assert main(["service", "show", "--home", str(home)]) == 0
    said = capsys.readouterr().out
    assert not [mark for mark in ("@COMMAND@", "@HOME@", "@NAME@") if mark in said]
    assert "my home & 100%%" in unit_text(Home(home))
    assert "my home &amp; 100%" in task_text(Home(home))
