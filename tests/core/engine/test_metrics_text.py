"""Figures for monitoring systems: one snapshot, two text formats, nothing unknown shown as zero."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import msgspec
import pytest

from quarterdeck.core.engine.metrics_endpoint import health_page
from quarterdeck.core.engine.metrics_text import MetricFamily, metric_families, metrics_text
from quarterdeck.core.journal.heartbeat import heartbeat_of, heartbeat_status
from quarterdeck.core.model.snapshot import ReasonView, Snapshot
from quarterdeck.core.model.units import NS_PER_S
from tests.core.journal.tapes import MONDAY_NS, example
from tests.laws.test_law_01_imports import loaded_by

UNITS = ("seconds", "bytes", "ratio", "pips", "money")
SAMPLE = re.compile(
    r'^quarterdeck_[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\})? -?[0-9][0-9.e+-]*$'
)


def snapshot(desk: dict[str, Any] | None = None, engine: dict[str, Any] | None = None) -> Snapshot:
    made: Snapshot = example(Snapshot)
    well = {"positions_without_stop": 0, "unconfirmed_orders": 0, "positions_match": True, "reasons": (), "state": "ACTIVE"}
    sound = {"calendar_why": "", "history_why": "", "wall_utc_ns": MONDAY_NS, "loop_lag_ms": 2.5, "errors": (("OSError", 3),)}
    return msgspec.structs.replace(
        made,
        desk=msgspec.structs.replace(made.desk, **(well | (desk or {}))),
        engine=msgspec.structs.replace(made.engine, **(sound | (engine or {}))),
    )


def text(of: Snapshot, *, open_metrics: bool = True, account_labels: bool = False) -> str:
    families = metric_families(of, MONDAY_NS, account_labels=account_labels)
    return metrics_text(families, open_metrics=open_metrics)


def values(of: Snapshot) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in text(of).splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_figures_are_the_snapshots_own_in_base_units() -> None:
    found = values(snapshot(desk={"equity_money": 10_250.5, "drawdown_fraction": 0.0125}, engine={"broker_round_trip_ms": 42.0}))
    assert found["quarterdeck_equity_money"] == 10_250.5
    assert found["quarterdeck_drawdown_ratio"] == 0.0125
    assert found["quarterdeck_broker_round_trip_seconds"] == 0.042
    assert found["quarterdeck_event_loop_lag_seconds"] == 0.0025
    assert found["quarterdeck_heartbeat_timestamp_seconds"] == MONDAY_NS / NS_PER_S
    assert found['quarterdeck_errors_total{type="OSError"}'] == 3
    assert found['quarterdeck_trading_state{state="ACTIVE"}'] == 1


def test_an_unknown_figure_is_left_out() -> None:
    unknown = {"equity_money": None, "positions_match": None, "drawdown_fraction": float("nan")}
    found = values(snapshot(desk=unknown, engine={"broker_round_trip_ms": None}))
    for name in ("equity_money", "positions_match", "drawdown_ratio", "broker_round_trip_seconds"):
        assert f"quarterdeck_{name}" not in found


def test_account_numbers_appear_only_where_asked() -> None:
    made = snapshot()
    account = msgspec.structs.replace(made.desk.account, login=70_012_345, server="Broker-Live")
    made = snapshot(desk={"account": account})
    assert not re.search("70012345|Broker-Live", text(made))
    assert 'login="70012345",server="Broker-Live"' in text(made, account_labels=True)


@pytest.mark.parametrize("open_metrics", [True, False])
def test_every_line_follows_the_format_whatever_labels_hold(open_metrics: bool) -> None:
    hostile = 'a"b\\c\nd# EOF'
    told = text(snapshot(engine={"errors": ((hostile, 1), ("x", 2))}), open_metrics=open_metrics)
    lines = told.splitlines()
    assert [line for line in lines if not line.startswith("# ") and not SAMPLE.match(line)] == []
    assert (lines[-1] == "# EOF") is open_metrics
    assert lines.count("# EOF") == int(open_metrics)
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_names_end_with_their_unit() -> None:
    for family in metric_families(snapshot(), MONDAY_NS, account_labels=False):
        suffix = family.name.rsplit("_", 1)[-1]
        assert family.unit == (suffix if suffix in UNITS else ""), family.name


@pytest.mark.parametrize("wrong", [{}, {"positions_without_stop": 1}, {"unconfirmed_orders": 2}, {"positions_match": False}])
def test_health_says_what_status_says(wrong: dict[str, Any]) -> None:
    made = snapshot(desk=wrong)
    page = health_page(made, starting_is_wrong=False)
    code = heartbeat_status(heartbeat_of(made), MONDAY_NS).exit_code
    assert page.status == {0: 200, 9: 503}[code]
    assert values(made)["quarterdeck_healthy"] == (page.status == 200)


def test_start_and_end_are_unready_and_not_unhealthy() -> None:
    stopping = ReasonView(code="stopping", state="HALTED", since_utc_ns=1, text="", clears_when="")
    for made in (
        snapshot(engine={"ready": False}),
        snapshot(desk={"state": "STARTING"}),
        snapshot(desk={"reasons": (stopping,)}),
    ):
        assert health_page(made, starting_is_wrong=False).status == 200
        assert health_page(made, starting_is_wrong=True).status == 503
    assert health_page(snapshot(), starting_is_wrong=True).status == 200


def test_promtool_finds_no_fault_with_the_text() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    told = text(snapshot(), open_metrics=False)
    done = subprocess.run([promtool, "check", "metrics"], input=told, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_family_without_samples_is_not_told() -> None:
    told = text(snapshot(engine={"errors": ()}))
    assert "quarterdeck_errors" not in told
    assert metrics_text([MetricFamily("x", "h", (((), 1.0),))], open_metrics=False) == (
        "# TYPE quarterdeck_x gauge\n# HELP quarterdeck_x h\nquarterdeck_x 1\n"
    )


def test_an_engine_without_metrics_loads_nothing_of_them() -> None:
    loaded = loaded_by("quarterdeck.core.engine.run_lifecycle")
    parts = {"metrics_endpoint", "metrics_text", "loopback_http"}
    assert "quarterdeck.core.engine.monitoring" in loaded
    assert not {f"quarterdeck.core.engine.{part}" for part in parts} & loaded
    assert not [name for name in loaded if name.startswith("quarterdeck.core.bot")]
