"""The rules and the dashboard of `deploy/` name what the engine tells, and Prometheus' own tool finds no fault with them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from quarterdeck.core.engine.metrics_text import metric_families
from quarterdeck.core.model.snapshot import Snapshot
from tests.conftest import CHECKOUT
from tests.core.journal.tapes import example

RULES = CHECKOUT / "deploy" / "prometheus-rules.yml"
DASHBOARD = CHECKOUT / "deploy" / "grafana-dashboard.json"
NAME = re.compile(r"\bquarterdeck_[a-z_]+")


def told() -> dict[str, set[str]]:
    """Names of samples and the labels that each has, of a snapshot in which every figure is known."""
    snapshot: Snapshot = example(Snapshot)
    snapshot = msgspec.structs.replace(snapshot, desk=msgspec.structs.replace(snapshot.desk, positions_match=True))
    found = {}
    for family in metric_families(snapshot, 1, account_labels=False):
        suffix = {"counter": "_total", "info": "_info", "gauge": ""}[family.kind]
        labels = {name for labels, _ in family.samples for name, _ in labels}
        found[f"quarterdeck_{family.name}{suffix}"] = labels
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression of the dashboard with the legend that is made of its labels."""
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]


def test_rules_and_dashboard_name_only_what_is_told() -> None:
    texts = [RULES.read_text(), *(expression for expression, _ in expressions())]
    named = {name for text in texts for name in NAME.findall(text)}
    assert len(named) > 20
    assert named - set(told()) == set()


def test_legends_of_the_dashboard_use_labels_that_exist() -> None:
    known = told()
    for expression, legend in expressions():
        labels = set(re.findall(r"{{(\w+)}}", legend)) - {"instance"}
        name = NAME.findall(expression)[0]
        assert labels <= known[name], f"{name}: {legend}"


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in mine) < 24
        assert not mine & cells, panel["title"]
        cells |= mine


@pytest.mark.parametrize("words", [("check", "rules", "prometheus-rules.yml"), ("test", "rules", "prometheus-rules.test.yml")])
def test_promtool_accepts_the_rules(words: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    done = subprocess.run([promtool, *words], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
