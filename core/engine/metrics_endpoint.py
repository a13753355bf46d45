"""Metrics for a monitoring system: pages on loopback, and a text file for node_exporter.

Promises: all figures come from the engine's own snapshot, made at most once a second however often they are asked for;
`/healthz` and `/readyz` answer 503 where `quarterdeck status` ends with 9. Does not: judge anything itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.core.engine.loopback_http import HttpPage, LoopbackHttp
from quarterdeck.core.engine.metrics_text import OPEN_METRICS, PLAIN, is_ready, metric_families, metrics_text
from quarterdeck.core.journal.heartbeat import HeartbeatWriter, problems_of
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.snapshot import Snapshot

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine
    from quarterdeck.core.engine.monitoring import Keep

_FRESH_S = 1.0


class Metrics:
    """See the module."""

    def __init__(self, engine: Engine, heart: HeartbeatWriter) -> None:
        """Nothing is opened before `keep`."""
        self._engine = engine
        self._heart = heart
        self._newest: tuple[float, Snapshot] | None = None
        """Monotonic seconds, and the snapshot made then."""

    def keep(self, keep: Keep) -> None:
        """Serve and write what the settings ask for, under supervision."""
        wanted = self._engine.runtime_settings.settings.metrics
        if wanted.port:
            keep("metrics", self._serve)
        if wanted.text_file:
            keep("metrics file", self._write)

    def page(self, path: str, accept: str) -> HttpPage | None:
        """The page of a path; None where there is none."""
        if path == "/metrics":
            open_metrics = "application/openmetrics-text" in accept
            return HttpPage(200, self._text(open_metrics=open_metrics), OPEN_METRICS if open_metrics else PLAIN)
        if path in ("/healthz", "/readyz"):
            return health_page(self._snapshot(), starting_is_wrong=path == "/readyz")
        return None

    def remove_text_file(self) -> None:
        """Leave no figures behind."""
        if self._text_file is not None:
            with contextlib.suppress(OSError):
                self._text_file.unlink()

    async def _serve(self) -> None:
        port = self._engine.runtime_settings.settings.metrics.port
        server = LoopbackHttp(port, self.page)
        try:
            await server.run(lambda: self._engine.say("info", "metrics", f"metrics at http://127.0.0.1:{port}/metrics"))
        except OSError as error:
            raise SettingsError(
                f"metrics.port {port}: no figures are served: {error.strerror or error}",
                what_to_do="free the port, or set another one and start again",
            ) from error

    async def _write(self) -> None:
        path = self._text_file
        while path is not None:
            await asyncio.to_thread(write_text_file, path, self._text(open_metrics=False))
            await asyncio.sleep(self._engine.runtime_settings.settings.engine.heartbeat_s)

    @property
    def _text_file(self) -> Path | None:
        name = self._engine.runtime_settings.settings.metrics.text_file
        return self._engine.home.root / name if name else None

    def _text(self, *, open_metrics: bool) -> str:
        account_labels = self._engine.runtime_settings.settings.metrics.account_labels
        families = metric_families(self._snapshot(), self._heart.last_utc_ns, account_labels=account_labels)
        return metrics_text(families, open_metrics=open_metrics)

    def _snapshot(self) -> Snapshot:
        now_s = self._engine.clock.monotonic_s()
        if self._newest is None or now_s - self._newest[0] >= _FRESH_S:
            self._newest = now_s, self._engine.snapshot()
        return self._newest[1]


def health_page(snapshot: Snapshot, *, starting_is_wrong: bool) -> HttpPage:
    """200 where `status` would end with 0, 503 where with 9; a start or an end under way is wrong for who asks for readiness."""
    wrong = [problem.line for problem in problems_of(snapshot)]
    if starting_is_wrong and not is_ready(snapshot):
        wrong.insert(0, "not ready: the engine is starting or stopping")
    if wrong:
        return HttpPage(503, "".join(f"wrong: {line}\n" for line in wrong))
    return HttpPage(200, "all is well\n")


def write_text_file(path: Path, text: str) -> None:
    """Replace the file in one step, readable by others: node_exporter is another user. Raises SettingsError."""
    beside = path.with_name(f".{path.name}.new")  # the collector reads *.prom alone
    try:
        with os.fdopen(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8", newline="\n"
        ) as file:
            file.write(text)
        beside.chmod(0o644)
        beside.replace(path)
    except OSError as error:
        raise SettingsError(
            f"metrics.text_file {path}: cannot be written: {error.strerror or error}", what_to_do="make its folder writable"
        ) from error
