"""Whether what the run records reaches the disk: journal, log and heartbeat. Trouble with any of them is said, once, and its end.

Promises: a journal that cannot be written, or whose file was taken away, is an input of the desk (entries stop, law 5); an entry
that can never be written is reported and followed by a checkpoint, so that a restart does not need it; a log or heartbeat that
fails is an alert. Does not: write anything itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.core.model.effects import Alert
from quarterdeck.core.model.errors import StorageError
from quarterdeck.core.model.inputs import EngineFault

if TYPE_CHECKING:
    from quarterdeck.core.engine.engine import Engine


class RecordWatch:
    """See the module. `trouble` and `left_out` are called from whichever thread found out."""

    def __init__(self, engine: Engine) -> None:
        """`engine` is starting."""
        self._engine = engine
        self._failures = {"log": 0, "heartbeat": 0}
        self._failing: set[str] = set()

    def trouble(self, active: bool, why: str) -> None:
        """The journal stopped being writable, or is again. Recorded days without a record are worth nothing: that run ends."""
        engine = self._engine
        if not hasattr(engine, "run_loop"):
            return
        if engine.venue.ends and active:
            text = f"{why}; free disk space, then run it again"
            engine.end_badly(text, StorageError.exit_code)
        else:
            engine.run_loop.post_threadsafe(EngineFault(kind="journal", active=active, why=why))

    def left_out(self, text: str) -> None:
        """An entry can never be written and was passed over."""
        self._engine.ended.get_loop().call_soon_threadsafe(self._tell_left_out, text)

    def _tell_left_out(self, text: str) -> None:
        engine = self._engine
        engine.health.count_error("JournalEntry")
        alert = Alert(
            kind="error",
            level="critical",
            text=f"{text} Trading continues; orders and positions are not affected. Please report this as a bug.",
        )
        engine.tell(alert)
        engine.maintenance.checkpoint("an entry was left out")

    def look(self) -> None:
        """At each heartbeat: whether the journal's file is still there, and whether log and heartbeat were written."""
        engine = self._engine
        engine.journal.check_file()
        self._compare("log", engine.publisher.log_failures, str(engine.home.logs))
        self._compare("heartbeat", engine.monitoring.heart.failures, str(engine.home.heartbeat))

    def _compare(self, name: str, failures: int, place: str) -> None:
        failing, self._failures[name] = failures > self._failures[name], failures
        if failing is (name in self._failing):
            return
        engine = self._engine
        if failing:
            self._failing.add(name)
            engine.health.count_error(f"{name.capitalize()}NotWritten")
            what = (
                f"The {name} in {place} cannot be written. Trading continues. Free disk space, or check the folder's permissions."
            )
            engine.journal.error(name, what)
        else:
            self._failing.discard(name)
            what = f"The {name} in {place} is written again. Nothing to do."
        engine.tell(Alert(kind="error", level="warning", text=what, resolved=not failing))
