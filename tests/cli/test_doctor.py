"""`quarterdeck doctor` and `quarterdeck gateway` as an operator runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from quarterdeck.cli.main import main
from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_NAME
from quarterdeck.core.link.messages import DoctorQuery, DoctorReply, DoctorRow, QueryBody, QueryFailed, ReplyBody
from quarterdeck.core.model.market_data import Side
from tests.cli.fake_engine import ScriptedEngine, running
from tests.core.study.test_slippage import journal, opened

QUICK = ("--set", "simulation.history_days=30")


def last_json(text: str) -> dict:
    return json.loads(text.strip().splitlines()[-1])


def test_a_simulated_desk_is_fit(tmp_path, capsys):
    assert main(["doctor", "--home", str(tmp_path), "--pairs", "EURUSD", *QUICK, "--json"]) == 0
    out = capsys.readouterr().out
    found = last_json(out)
    assert found["verdict"] == "ok"
    assert {"terminal", "order EURUSD", "server clock"} <= {row["name"] for row in found["findings"]}
    assert out.startswith("ok    terminal")


def test_measured_slippage_stands_beside_what_replays_assume(tmp_path, capsys):
    journal(tmp_path, "demo", opened("EURUSD", Side.BUY, 1.08500, 1.08504))
    assert main(["doctor", "--home", str(tmp_path), "--pairs", "EURUSD", *QUICK, "--json"]) == 0
    (row,) = [row for row in last_json(capsys.readouterr().out)["findings"] if row["name"] == "slippage"]
    assert (row["verdict"], row["number"]) == ("warn", 0.4)
    assert "set costs.slippage_pips=0.4" in row["remedy"]


def test_pair_not_offered_fails_with_a_remedy(tmp_path, capsys):
    assert main(["doctor", "--home", str(tmp_path), "--pairs", "EURUSD", "--set", "costs.swap=maybe"]) == 3
    capsys.readouterr()


@pytest.mark.skipif(sys.platform == "win32", reason="there the terminal is on this machine")
def test_live_desk_without_gateway_is_told_what_to_do(tmp_path, capsys):
    assert main(["doctor", "--home", str(tmp_path), "--set", "desk.mode=live", "--set", "news.urls=[]"]) == 5
    assert "quarterdeck gateway" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the alert library still asks for modules that Python drops
def test_alert_test_names_the_failed_service_without_secrets(tmp_path, capsys, monkeypatch):
    words = ["doctor", "--alert", "--home", str(tmp_path), "--pairs", "EURUSD", *QUICK]
    assert main(words) == 9
    assert "no alert service is set up" in capsys.readouterr().out
    monkeypatch.setenv("QUARTERDECK_ALERT_URLS", "json://me:hunter2@127.0.0.1:9/desk")
    assert main(words) == 9
    captured = capsys.readouterr()
    assert "FAIL  alerts                not accepted by JSON (1 of 1)" in captured.out
    assert "hunter2" not in captured.out + captured.err


def test_a_gateway_nobody_listens_at_is_one_failure(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("QUARTERDECK_GATEWAY_TOKEN", "x" * 40)
    changes = (
        "--set",
        "desk.mode=live",
        "--set",
        "account.gateway=ws://127.0.0.1:9",
        "--set",
        "engine.broker_start_timeout_s=1.0",
        "--set",
        "news.urls=[]",
    )
    assert main(["doctor", "--home", str(tmp_path), *changes, "--json"]) == 9
    captured = capsys.readouterr()
    assert last_json(captured.out)["verdict"] == "fail"
    assert "WARN  news                  no calendar covers the next 24 h of open market: no calendar is set" in captured.out
    assert "not fit to trade: terminal" in captured.err


@pytest.mark.parametrize(
    "address", ["ws://127.0.0.1:9; the token", "ws://host:port", "127.0.0.1:8765", "http://127.0.0.1:9", "ws://"]
)
def test_a_gateway_address_that_is_none_is_named(tmp_path, capsys, address):
    changes = ("--set", "desk.mode=live", "--set", f"account.gateway={address}", "--set", "news.urls=[]")
    assert main(["doctor", "--home", str(tmp_path), *changes]) == 5
    assert f"account.gateway {address!r} is no address" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [("--host", "0.0.0.0"), ("--host", "0.0.0.0", "--certificate", "none.pem", "--key", "none.pem")]
)
def test_a_gateway_never_listens_carelessly(tmp_path, capsys, options):
    assert main(["gateway", "--home", str(tmp_path), "--simulated", *options]) == 2
    assert "quarterdeck: " in capsys.readouterr().err


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_simulated_gateway_serves_doctor_and_ends_with_ctrl_c(tmp_path, capsys):
    home = tmp_path / "gateway"
    home.mkdir()
    (home / "settings.toml").write_text("[simulation]\nhistory_days = 30\n[desk]\npairs = ['EURUSD']\n")
    command = [
        sys.executable,
        "-m",
        "quarterdeck.cli.main",
        "gateway",
        "--simulated",
        "--home",
        str(home),
        "--port",
        "0",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        address = json.loads(process.stdout.readline())["address"]
        desk = tmp_path / "desk"
        desk.mkdir()
        (desk / TOKEN_NAME).write_text((home / TOKEN_NAME).read_text())
        (desk / TOKEN_NAME).chmod(0o600)
        changes = ("--set", "desk.mode=live", "--set", f"account.gateway={address}", "--set", "news.urls=[]", "--pairs", "EURUSD")
        code = main(["doctor", "--home", str(desk), *changes, "--json"])
        findings = last_json(capsys.readouterr().out)["findings"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert code in (0, 9)
    rows = {row["name"]: row["verdict"] for row in findings}
    assert rows["news"] == "warn"
    assert rows["terminal"] == rows["account"] == rows["candles EURUSD"] == rows["round trip"] == "ok"


class Examining(ScriptedEngine):
    """An engine that answers the doctor's question with `body`."""

    limit_s = 0.0

    body: ReplyBody = DoctorReply(
        findings=(
            DoctorRow(name="terminal", verdict="ok", text="MetaTrader 5, build 5430", number=5430.0),
            DoctorRow(name="algo trading", verdict="fail", text="off", remedy="press the button"),
        )
    )

    async def answer(self, question: QueryBody) -> ReplyBody:
        assert isinstance(question, DoctorQuery)
        self.limit_s = question.limit_s
        return self.body


def test_a_running_engine_is_asked_through_the_link(tmp_path, capsys):
    with running(tmp_path, Examining(lambda _: (True, ""))):
        assert main(["doctor", "--home", str(tmp_path), "--json"]) == 9
    said = capsys.readouterr()
    assert last_json(said.out)["running"] is True
    assert "-> press the button" in said.out
    assert "running engine" in said.err
    assert "not fit to trade: algo trading" in said.err


def test_checks_skipped_for_time_are_not_reported_as_passed(tmp_path, capsys):
    engine = Examining(lambda _: (True, ""))
    engine.body = DoctorReply(
        findings=(
            DoctorRow(name="terminal", verdict="ok", text="MetaTrader 5, build 5430"),
            DoctorRow(name="order", verdict="unknown", text="not examined for EURUSD", remedy="give more time"),
        )
    )
    with running(tmp_path, engine):
        assert main(["doctor", "--home", str(tmp_path), "--limit-s", "7", "--json"]) == 9
    said = capsys.readouterr()
    assert last_json(said.out)["verdict"] == "unknown"
    assert "????  order" in said.out
    assert "not examined within 7 s: order" in said.err
    assert engine.limit_s == 7.0, "the engine keeps to the time that was asked for"


def test_an_engine_that_cannot_be_examined_says_why(tmp_path, capsys):
    engine = Examining(lambda _: (True, ""))
    engine.body = QueryFailed(why="the broker is gone")
    with running(tmp_path, engine):
        assert main(["doctor", "--home", str(tmp_path)]) == 8
    assert "the broker is gone" in capsys.readouterr().err
