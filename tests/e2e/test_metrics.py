"""A monitoring system and an engine, both real: figures, health, hostile clients, and the alert when the heartbeat stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CHECKOUT
from tests.e2e.processes import LONG_S, EngineProcess, engine, quarterdeck, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def measured_engine(home: Path) -> Iterator[tuple[EngineProcess, int]]:
    """An engine that serves its figures and writes the text file; with its port."""
    port = free_port()
    home.mkdir()
    (home / "settings.toml").write_text(
        f"[simulation]\nhistory_days = 30\n[metrics]\nport = {port}\ntext_file = 'desk.prom'\n[engine]\nheartbeat_s = 1.0\n"
    )
    with engine(home) as process:
        process.ready()
        wait_for(lambda: answers(port), "the metrics server")
        yield process, port


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5.0):
        return True
    return False


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG_S)
    try:
        line.request("GET", path, headers=headers)
        answer = line.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        line.close()


def test_figures_and_health_are_those_of_status(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with measured_engine(home) as (process, port):
        accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
        status, kind, text = get(port, "/metrics", Accept=accept)
        assert (status, kind.split(";")[0]) == (200, "application/openmetrics-text")
        assert text.endswith("# EOF\n")
        told = quarterdeck("status", "--home", home, "--json").json()
        found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert float(found["quarterdeck_equity_money"]) == pytest.approx(told["equity_money"], rel=0.05)
        assert found[f'quarterdeck_trading_state{{state="{told["state"]}"}}'] == "1"
        assert (get(port, "/healthz")[0] == 200) is told["ok"]
        assert get(port, "/readyz")[0] == get(port, "/healthz")[0]
        status, kind, text = get(port, "/metrics")
        assert (status, kind.split(";")[0]) == (200, "text/plain")
        assert get(port, "/")[0] == 404

        path = home / "desk.prom"
        wait_for(path.exists, "the text file")
        assert path.stat().st_mode & 0o777 == 0o644
        assert "quarterdeck_heartbeat_timestamp_seconds " in path.read_text()
        process.tell(signal.SIGTERM)
        assert process.ended() == 0
        assert not path.exists()


def test_hostile_clients_cost_the_engine_nothing(tmp_path: Path) -> None:
    with measured_engine(tmp_path / "home") as (_, port), contextlib.ExitStack() as lines:
        silent = [lines.enter_context(socket.create_connection(("127.0.0.1", port), 5.0)) for _ in range(6)]
        for line in silent[:3]:
            line.sendall(b"GET /metrics HT")
        for _ in range(30):
            assert get(port, "/metrics")[0] == 200
        told = quarterdeck("status", "--home", tmp_path / "home", "--json").json()
        assert told["running"]
        assert not [wrong for wrong in told["wrong"] if "loop" in wrong]


def test_taken_port_stops_no_engine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        home.mkdir()
        port = taken.getsockname()[1]
        (home / "settings.toml").write_text(f"[simulation]\nhistory_days = 30\n[metrics]\nport = {port}\n")
        with engine(home) as process:
            process.ready()
            process.until_said(f"metrics.port {port}: no figures are served")
            assert quarterdeck("status", "--home", home, "--json").json()["running"]


@pytest.mark.soak
def test_prometheus_scrapes_and_alerts_when_the_heartbeat_stops(tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian package prometheus)")
    with measured_engine(tmp_path / "home") as (process, port), prometheus(tmp_path, program, port) as asked:
        wait_for(lambda: query(asked, 'up{job="quarterdeck"}') == ["1"], "a scrape")
        wait_for(lambda: query(asked, "quarterdeck_equity_money"), "a figure")
        assert query(asked, 'ALERTS{alertname="QuarterdeckHeartbeatStopped"}') == []
        process.tell(signal.SIGSTOP)
        firing = 'ALERTS{alertname="QuarterdeckHeartbeatStopped",alertstate="firing"}'
        wait_for(lambda: query(asked, firing) == ["1"], "the alert")
        process.tell(signal.SIGCONT)
        wait_for(lambda: query(asked, firing) == [], "the end of the alert")


@contextlib.contextmanager
def prometheus(folder: Path, program: str, scraped: int) -> Iterator[int]:
    """A Prometheus that scrapes the engine each second and evaluates the shipped rules; gives its port."""
    port = free_port()
    shutil.copy(CHECKOUT / "deploy" / "prometheus-rules.yml", folder)
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["prometheus-rules.yml"],
        "scrape_configs": [{"job_name": "quarterdeck", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    words = [program, f"--web.listen-address=127.0.0.1:{port}", f"--config.file={folder}/prometheus.yml"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*words, f"--storage.tsdb.path={folder}/tsdb"], stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(lambda: answers(port), "prometheus")
        yield port
    finally:
        process.kill()
        process.wait(LONG_S)


def query(port: int, expression: str) -> list[str]:
    """Values of an instant query."""
    address = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(address, timeout=LONG_S) as answer:
            return [row["value"][1] for row in json.loads(answer.read())["data"]["result"]]
    except OSError:
        return ["no answer"]
