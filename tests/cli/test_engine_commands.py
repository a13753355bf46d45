"""Commands to a running engine: what arrives there, what is printed, and how the command ends."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from quarterdeck.cli.main import main
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.vitals import PARTS
from quarterdeck.core.model.commands import (
    Acknowledge,
    CloseGroup,
    ClosePosition,
    Command,
    Flatten,
    MoveStop,
    Pause,
    ResetDrawdown,
    Resolve,
    Resume,
    SetSettings,
    StopEngine,
)
from quarterdeck.core.model.snapshot import FlattenView, PartView, ReasonView
from tests.cli.fake_engine import NS, ScriptedEngine, running, snapshot


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(lambda command: (True, f"{type(command).__name__} done"))


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["pause"], Pause()),
        (["resume"], Resume()),
        (["resolve", "r1-7", "--not-executed"], Resolve(client_id="r1-7", outcome="absent")),
        (["resolve", "r1-7", "--position", "55"], Resolve(client_id="r1-7", outcome="filled", position_id=55)),
        (["close", "55"], ClosePosition(position_id=55)),
        (["close", "55", "--lots", "0.1"], ClosePosition(position_id=55, lots=0.1)),
        (["close", "losers"], CloseGroup(which="losers")),
        (["close", "usd"], CloseGroup(which="currency", name="USD")),
        (["close", "EURUSD"], CloseGroup(which="symbol", name="EURUSD")),
        (["move-stop", "55", "1.0850"], MoveStop(position_id=55, stop_price=1.085)),
        (["rearm", "--yes"], ResetDrawdown()),
        (["acknowledge", "foreign_no_stop"], Acknowledge(what="foreign_no_stop")),
        (["stop", "--keep"], StopEngine(policy="keep", why="stop command")),
        (["set", "risk.risk_per_trade_pct=0.5"], SetSettings(changes=(("risk.risk_per_trade_pct", "0.5"),))),
        (
            ["set", "risk.risk_per_trade_pct=0.5", "scan.reevaluate_calm_s=40", "--minutes", "30"],
            SetSettings(changes=(("risk.risk_per_trade_pct", "0.5"), ("scan.reevaluate_calm_s", "40.0")), minutes=30.0),
        ),
    ],
)
def test_the_order_arrives_as_given(
    tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str], words, command
) -> None:
    with running(tmp_path, engine):
        assert main([*words, "--home", str(tmp_path), "--json"]) == 0
    assert engine.commands == [command]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["text"] == f"{type(command).__name__} done"


@pytest.mark.parametrize(("typed", "code", "given"), [("rearm", 0, [ResetDrawdown()]), ("yes", 2, [])])
def test_rearm_shows_both_peaks_and_asks(
    tmp_path: Path,
    engine: ScriptedEngine,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
    given: list[Command],
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("quarterdeck.cli.reset_drawdown.typer.prompt", lambda text, err: asked.append(text) or typed)
    tripped = ReasonView(code="drawdown", state="REDUCE_ONLY", since_utc_ns=0, text="10 %", clears_when="rearm")
    view = snapshot(state="REDUCE_ONLY", reasons=(tripped,))
    deep = msgspec.structs.replace(view, desk=msgspec.structs.replace(view.desk, drawdown_fraction=0.2))
    with running(tmp_path, engine, deep):
        assert main(["rearm", "--home", str(tmp_path)]) == code
    assert "20.00%" in asked[0]
    assert "from 12,500.00 to 10,000.00" in asked[0]
    assert engine.commands == given


def test_a_refusal_is_a_verdict_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, ScriptedEngine(lambda _: (False, "the day's loss is reached"))):
        assert main(["resume", "--home", str(tmp_path)]) == 9
    assert capsys.readouterr().err == "quarterdeck: refused: the day's loss is reached\n"


@pytest.mark.parametrize("words", [["pause"], ["resume"], ["flatten"], ["status"], ["resolve", "r1-7", "--not-executed"]])
def test_without_an_engine_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main([*words, "--home", str(tmp_path)]) == 8
    said = capsys.readouterr().err
    assert said.startswith(f"quarterdeck: no engine runs in {tmp_path}")
    assert said.count("\n") == 1


def test_resolving_needs_one_outcome(tmp_path: Path) -> None:
    assert main(["resolve", "r1-7", "--home", str(tmp_path)]) == 2
    assert main(["resolve", "r1-7", "--not-executed", "--position", "5", "--home", str(tmp_path)]) == 2


@pytest.mark.parametrize("words", [["close", "??"], ["close", "losers", "--lots", "1"], ["stop", "--keep", "--flatten"]])
def test_what_makes_no_sense_is_said_before_anything_is_sent(tmp_path: Path, words: list[str]) -> None:
    assert main([*words, "--home", str(tmp_path)]) == 2


def flattening(text: str, *, since: int, done: bool, left: tuple[str, ...] = ()) -> FlattenView:
    return FlattenView(scope="ours", since_utc_ns=since, done=done, text=text, left_open=left)


def test_flatten_waits_for_its_own_end(tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> None:
    yesterday = snapshot(flatten=flattening("flat, yesterday", since=1, done=True))
    engine.after_command = [yesterday, snapshot(flatten=flattening("flat, verified", since=2, done=True))]
    with running(tmp_path, engine, yesterday):
        assert main(["flatten", "--home", str(tmp_path)]) == 0
    assert engine.commands == [Flatten(scope="ours")]
    assert capsys.readouterr().out == "flat, verified\n"


def test_what_is_left_is_named_and_no_success(tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.after_command = [
        snapshot(flatten=flattening("1 left", since=2, done=True, left=("#5 EURUSD: market closed until Sunday",)))
    ]
    with running(tmp_path, engine, snapshot()):
        assert main(["flatten", "--home", str(tmp_path), "--json"]) == 9
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1]) == {
        "flat": False,
        "text": "1 left",
        "left": ["#5 EURUSD: market closed until Sunday"],
    }
    assert "market closed until Sunday" in said.err


def test_the_whole_account_is_asked_for_twice(tmp_path: Path, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.cli.flatten.typer.prompt", lambda *_, **__: "yes")
    with running(tmp_path, engine, snapshot()):
        assert main(["flatten", "--account", "--home", str(tmp_path)]) == 2
        assert engine.commands == []
        engine.after_command = [snapshot(flatten=flattening("flat", since=2, done=True))]
        assert main(["flatten", "--account", "--yes", "--home", str(tmp_path)]) == 0
    assert engine.commands == [Flatten(scope="account")]


def test_status_of_a_well_desk(tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, engine, snapshot()):
        assert main(["status", "--home", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("REPLAY  ACTIVE  run r1, process 42, up 1 min")
    assert "all is well" in said
    assert json.loads(said[-1])["ok"] is True


def test_status_names_what_is_wrong(tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> None:
    reason = ReasonView(
        code="day_loss", state="REDUCE_ONLY", since_utc_ns=0, text="lost 5.1 % of 5 %", clears_when="the day's start"
    )
    paused = ReasonView(code="paused", state="REDUCE_ONLY", since_utc_ns=0, text="", clears_when="resume")
    view = snapshot(state="REDUCE_ONLY", reasons=(paused, reason), without_stop=1, book_agrees=False)
    with running(tmp_path, engine, view):
        assert main(["status", "--home", str(tmp_path)]) == 9
    said = capsys.readouterr()
    assert "REDUCE_ONLY because: lost 5.1 % of 5 %. It ends when the day's start." in said.out
    assert "1 WITHOUT STOP; POSITION MISMATCH" in said.out
    assert said.err == (
        "quarterdeck: day_loss: lost 5.1 % of 5 %; no_stop: positions without a stop at the broker: 1; "
        "book: the positions of desk and broker do not match\n"
    )


def test_status_says_who_scans_and_that_the_machines_are_gone(
    tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = snapshot()
    for scanning, up, code in (("2 machines (a, b)", True, 0), ("here: no scan worker is connected", False, 9)):
        health = msgspec.structs.replace(rest.engine, scanning=scanning, scanning_up=up)
        with running(tmp_path, engine, msgspec.structs.replace(rest, engine=health)):
            assert main(["status", "--home", str(tmp_path)]) == code
        said = capsys.readouterr()
        assert f"scanning: {scanning}" in said.out
        assert ("no scan worker answers; here" in said.err) is not up


@pytest.mark.parametrize("name", PARTS)
def test_each_part_that_fails_is_exit_nine(
    tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    rest = snapshot()
    parts = tuple(PartView(name=one, ok=one != name, age_s=95.0, text="it sleeps" if one == name else "") for one in PARTS)
    ill = msgspec.structs.replace(rest, engine=msgspec.structs.replace(rest.engine, parts=parts))
    with running(tmp_path, engine, ill):
        assert main(["status", "--home", str(tmp_path)]) == 9
    said = capsys.readouterr()
    assert f"{name}: it sleeps for 95 s" in said.err
    assert f"{name} WRONG 1 min ago" in said.out
    assert "all is well" not in said.out


def test_a_full_daily_count_is_information(tmp_path: Path, engine: ScriptedEngine) -> None:
    full = ReasonView(code="entries", state="REDUCE_ONLY", since_utc_ns=0, text="10 against 10", clears_when="the day's start")
    with running(tmp_path, engine, snapshot(state="REDUCE_ONLY", reasons=(full,))):
        assert main(["status", "--home", str(tmp_path)]) == 0


def test_a_pause_of_the_operators_own_is_no_fault(tmp_path: Path, engine: ScriptedEngine) -> None:
    paused = ReasonView(code="paused", state="REDUCE_ONLY", since_utc_ns=0, text="", clears_when="resume")
    with running(tmp_path, engine, snapshot(state="REDUCE_ONLY", reasons=(paused,))):
        assert main(["status", "--home", str(tmp_path)]) == 0


def test_status_without_an_engine_tells_the_last_heartbeat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = WallClock().utc_ns()
    beat = {
        "wall_utc_ns": now,
        "wall": "",
        "pid": 1,
        "run_id": "r1",
        "home": "",
        "ready": True,
        "mode": "demo",
        "state": "ACTIVE",
    }
    (tmp_path / "heartbeat.json").write_text(json.dumps(beat))
    assert main(["status", "--home", str(tmp_path), "--json"]) == 8
    said = capsys.readouterr()
    assert "the last heartbeat was 0 s ago, state ACTIVE" in said.err
    assert json.loads(said.out)["last"]["state"] == "ACTIVE"


def test_set_shows_what_the_engine_has(tmp_path: Path, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, engine):
        assert main(["set", "risk.risk_per_trade_pct", "--home", str(tmp_path)]) == 0
    assert "risk.risk_per_trade_pct = 0.25 % of equity, set while running" in capsys.readouterr().out


@pytest.mark.parametrize("ahead_s", [-86_400, 86_400])
def test_status_shows_an_engine_whose_clock_differs(tmp_path: Path, engine: ScriptedEngine, ahead_s: int) -> None:
    now = snapshot()
    other = msgspec.structs.replace(now.engine, wall_utc_ns=now.engine.wall_utc_ns + ahead_s * NS)
    with running(tmp_path, engine, msgspec.structs.replace(now, engine=other)):
        assert main(["status", "--home", str(tmp_path)]) == 0
