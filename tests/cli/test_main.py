"""How a command line ends: an exit code of its kind, and one line where the operator can repair it."""

from __future__ import annotations

import errno
import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from quarterdeck.cli import main as cli_main
from quarterdeck.cli import service
from quarterdeck.cli.main import SUBCOMMANDS, main
from quarterdeck.cli.service import task_text, unit_text
from quarterdeck.core.model import errors
from quarterdeck.core.model.errors import InvariantError, QuarterdeckError
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.parameters import parameters
from quarterdeck.core.settings.secrets import read_secrets
from quarterdeck.core.settings.settings_loader import load_settings, shipped_settings
from quarterdeck.core.strategy.strategy_loader import load_strategy, strategy_parameters, template_text
from quarterdeck.core.strategy.trend import TrendParameters
from tests.conftest import CHECKOUT


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    assert said.startswith("quarterdeck: ")
    assert said.count("\n") == 1
    return said


def test_nothing_given_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in SUBCOMMANDS)


_WITHOUT_A_HOME = ("compile",)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    parts = SUBCOMMANDS[name].parts
    for part in parts:
        assert f"  {part} " in said
        assert main([name, part, "--help"]) == 0
        assert "--home" in capsys.readouterr().out
    assert parts or "--home" in said or name in _WITHOUT_A_HOME
    command = importlib.import_module(SUBCOMMANDS[name].module).command
    assert inspect.getdoc(command)


def test_group_command_without_subcommand_lists_its_subcommands(capsys: pytest.CaptureFixture[str]) -> None:
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
        (InvariantError("stop before order"), 10),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device", "journal.sqlite"), 6),
    ],
)
def test_each_error_ends_with_its_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("quarterdeck.cli.order.send_command", lambda *_, **__: fail())
    assert main(["pause"]) == code
    one_line(capsys)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.cli.order.send_command", lambda *_: 1 / 0)
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
    assert main([*words, "--force"]) == 0
    assert Path(kept).read_text() == "# mine\n", "a second time does not take the first copy"


def test_init_writes_a_loadable_strategy_and_names_the_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert main(["init", "--strategy", "mine.py", *home, "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert json.loads(said[-1])["strategy"] == str(tmp_path / "mine.py")
    assert 'file = "mine.py", name = "Crossing"' in said[-2]
    assert not (tmp_path / "settings.toml").exists()
    assert load_strategy(shipped_settings(("strategy.file", "mine.py"), ("strategy.name", "Crossing")), tmp_path).own
    assert main(["init", "--strategy", "mine.py", *home]) == 2
    assert main(["init", "--strategy", "mine", *home]) == 2
    assert "not a Python file" in capsys.readouterr().err


def test_init_takes_its_five_answers_as_options(tmp_path: Path) -> None:
    home = tmp_path / "home"
    answers = ["--currency", "eur", "--risk", "0.5", "--pairs", "eurusd,usdjpy", "--mode", "paper", "--alerts", "tgram://a/b"]
    assert main(["init", "--home", str(home), *answers]) == 0
    settings = load_settings(home).settings
    assert (settings.simulation.currency, settings.risk.risk_per_trade_pct, settings.desk.mode) == ("EUR", 0.5, "paper")
    assert settings.desk.pairs == ("EURUSD", "USDJPY")
    assert read_secrets(home / "secrets.toml", {}).alert_urls == ("tgram://a/b",)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--risk", "50", "0.01 to 5"),
        ("--mode", "demo", "simulated"),
        ("--currency", "euro", "three letters"),
        ("--pairs", ",", "desk.pairs"),
    ],
)
def test_init_refuses_an_invalid_answer(
    option: str, value: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--home", str(tmp_path / "home"), option, value]) == 2
    assert said in one_line(capsys)
    assert not (tmp_path / "home" / "settings.toml").exists()


def test_init_asks_again_until_an_answer_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["EUR", "7", "0.5", "EURUSD", "simulated", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_words, **_options: next(typed))
    assert main(["init", "--home", str(tmp_path / "home")]) == 0
    settings = load_settings(tmp_path / "home").settings
    assert (settings.simulation.currency, settings.risk.risk_per_trade_pct, settings.desk.pairs) == ("EUR", 0.5, ("EURUSD",))


def test_several_invalid_settings_take_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.toml").write_text("[risk]\nrisk_per_trade_pct = 9.0\n[ui]\nascii = 1\n[account]\nlogin = -1\n")
    assert main(["set", "--home", str(tmp_path)]) == 3
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[0].endswith("3 invalid settings:")
    assert [line.strip().split(":")[0] for line in lines[1:4]] == [
        "risk.risk_per_trade_pct = 9.0",
        "ui.ascii = 1",
        "account.login = -1",
    ]
    assert "of at least 0" in lines[3]


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


def test_strategy_parameters_are_listed_explained_changed_and_refused_like_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path)]
    assert main(["set", "strategy.parameters", "--json", *home]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(msgspec.structs.fields(TrendParameters))
    assert main(["set", "strategy.parameters.pullback_rsi=99", *home]) == 3
    assert "must be a number from 5 to 50 RSI" in one_line(capsys)
    assert main(["set", "strategy.parameters.pulback_rsi=40", *home]) == 3
    assert "did you mean strategy.parameters.pullback_rsi" in one_line(capsys)
    assert main(["set", "strategy.parameters.pullback_rsi=40", *home]) == 0
    capsys.readouterr()
    assert main(["set", "pullback_rsi", *home]) == 0
    said = capsys.readouterr().out
    assert "strategy.parameters.pullback_rsi = 40.0 RSI, set while running" in said
    assert "RSI that is a pullback in a rise; 100 minus it in a fall; a number from 5 to 50 RSI; shipped as 45.0" in said
    assert load_settings(tmp_path).settings.strategy.parameters == {"pullback_rsi": 40.0}


def test_custom_strategy_parameters_are_read_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    (tmp_path / "mine.py").write_text(template_text(), encoding="utf-8")
    (tmp_path / "settings.toml").write_text('[strategy]\nfile = "mine.py"\nname = "Crossing"\n', encoding="utf-8")
    assert main(["set", "strategy.parameters.fast_bars=150", *home]) == 3
    assert "must be a whole number from 2 to 100 M15 bars" in one_line(capsys)
    assert main(["set", "strategy.parameters.fast_bars=15", *home]) == 0
    capsys.readouterr()
    assert main(["set", "Fast", "fast_bars", *home]) == 2  # a meaning is no name
    assert main(["set", "fast_bars", *home]) == 0
    assert "Fast average; a whole number from 2 to 100 M15 bars; shipped as 20" in capsys.readouterr().out
    (tmp_path / "mine.py").unlink()
    assert main(["set", "strategy.file", *home]) == 0
    assert "cannot be read" in capsys.readouterr().err


def test_set_lists_and_finds_every_parameter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set", "--home", str(tmp_path), "--json"]) == 0
    own = strategy_parameters(shipped_settings().strategy)
    assert set(json.loads(capsys.readouterr().out)) == set(parameters(own))
    assert main(["set", "frobnicate", "--home", str(tmp_path)]) == 2


def test_service_fills_in_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "my home & 100%"
    assert main(["service", "show", "--home", str(home)]) == 0
    said = capsys.readouterr().out
    assert not [mark for mark in ("@COMMAND@", "@HOME@", "@NAME@") if mark in said]
    assert "my home & 100%%" in unit_text(Home(home))
    assert "my home &amp; 100%" in task_text(Home(home))


@pytest.mark.parametrize(
    ("at_boot", "trigger", "logon"), [(False, "LogonTrigger", "InteractiveToken"), (True, "BootTrigger", "S4U")]
)
def test_the_windows_task_names_user_session_and_priority(
    at_boot: bool, trigger: str, logon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USERDOMAIN", "DESK")
    monkeypatch.setenv("USERNAME", "Jörg & Łódź")
    text = task_text(Home(tmp_path), at_boot=at_boot)
    task = ET.fromstring(text.partition("?>")[2])
    place = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}

    def said(path: str) -> list[str | None]:
        return [found.text for found in task.findall(path, place)]

    assert said("t:Principals/t:Principal/t:UserId") == ["DESK\\Jörg & Łódź"]
    assert said(f"t:Triggers/t:{trigger}/t:UserId") == ([] if at_boot else ["DESK\\Jörg & Łódź"])
    assert said(f"t:Triggers/t:{trigger}/t:Enabled") == ["true"]
    assert said("t:Principals/t:Principal/t:LogonType") == [logon]
    assert said("t:Settings/t:Priority") == ["5"]
    assert said("t:Actions/t:Exec/t:Arguments") == [f'service keep --home "{tmp_path}"']


CTRL_C_AT_AN_IMPORT = """
import builtins, os, signal, sys
imports = builtins.__import__
def interrupted(name, *more, **named):
    if name.split(".")[0] == MODULE:
        signal.raise_signal(signal.SIGINT)
    return imports(name, *more, **named)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts without it
from quarterdeck.cli.program_entry import main
builtins.__import__ = interrupted
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "words"), [("typer", ("--help",)), ("msgspec", ("status",)), ("asyncio", ("scan",)), ("numpy", ("doctor",))]
)
def test_ctrl_c_during_start_prints_one_word(module: str, words: tuple[str, ...]) -> None:
    code = CTRL_C_AT_AN_IMPORT.replace("MODULE", repr(module))
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "quarterdeck: interrupted\n"), done.stderr


def systemctl_that(folder: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "systemctl").write_text(f"#!/bin/sh\necho $* >> {folder}/asked\n{does}\n")
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))


@pytest.mark.skipif(sys.platform == "win32", reason="systemd")
def test_a_service_is_installed_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl_that(tmp_path, "exit 0", monkeypatch)
    unit = tmp_path / "config" / "systemd" / "user" / "quarterdeck.service"
    assert main(["service", "install", "--home", str(tmp_path / "home")]) == 0
    assert f'run --no-ui --home "{tmp_path}/home"' in unit.read_text()
    assert (tmp_path / "home" / "logs").is_dir()
    assert main(["service", "remove", "--home", str(tmp_path / "home")]) == 0
    assert not unit.exists()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["--user daemon-reload", f"--user enable --now {unit.name}", f"--user disable --now {unit.name}"]
    assert main(["service", "remove", "--home", str(tmp_path / "home")]) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="systemd")
def test_a_service_that_systemd_never_saw_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl_that(tmp_path, "echo Failed to connect to bus: No medium found >&2; exit 1", monkeypatch)
    assert main(["service", "install", "--home", str(tmp_path / "home")]) == 6
    assert "log in as that user, not by su or sudo" in one_line(capsys)
    assert not list((tmp_path / "config").rglob("*.service"))


def test_a_reader_who_has_had_enough_is_no_failure() -> None:
    command = [sys.executable, "-c", "import sys; from quarterdeck.cli.program_entry import main; sys.exit(main())", "set"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_change_without_equals_sign_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--home", str(tmp_path))
    assert main(["set", "account.gateway", "ws://127.0.0.1:18765", *home]) == 2
    assert "a change is written account.gateway=VALUE" in one_line(capsys)
    assert main(["set", "account.gateway", "desk", *home]) == 0
    assert main(["set", "gatew", *home]) == 0
    assert main(["set", "risk", "nonsense", *home]) == 2


def test_a_text_is_emptied_by_an_empty_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--home", str(tmp_path))
    assert main(["set", "account.gateway=ws://127.0.0.1:18765", *home]) == 0
    assert main(["set", "account.gateway=", *home]) == 0
    capsys.readouterr()
    assert main(["set", "account.gateway", *home]) == 0
    assert capsys.readouterr().out.startswith('account.gateway = ""')
    assert main(["set", "risk.risk_per_trade_pct=", *home]) == 3
    assert "risk.risk_per_trade_pct" in one_line(capsys)


@pytest.mark.parametrize("folder", ["Jörg ñ", "Łódź", "日本"])
def test_redirected_output_is_utf8_whatever_the_system_speaks(folder: str, tmp_path: Path) -> None:
    home = tmp_path / folder
    narrow = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    command = [sys.executable, "-m", "quarterdeck.cli.main", "init", "--home", str(home)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **narrow}, cwd=CHECKOUT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert folder in done.stdout.decode()


def test_output_of_a_system_tool_is_shown_in_any_encoding() -> None:
    said = "import sys; sys.stderr.buffer.write(b'Zugriff verweigert: M\\x81ller'); sys.exit(5)"
    with pytest.raises(errors.StorageError, match=r"Zugriff verweigert: M.ller"):
        service._call(sys.executable, "-c", said)
