"""The errors an operator can meet, sorted by what happens next, and the invariant for our own broken promises.

    QuarterdeckError          one line: what, where, what to do; carries the exit code
    +-- UsageError        2   the command line is wrong
    +-- SettingsError     3   a settings file is wrong
    +-- DataError         4   recorded data are missing, damaged or too short
    +-- BrokerError       5   terminal, account or broker will not serve
    +-- StorageError      6   home folder, journal or disk
    +-- HeldError         7   another engine holds this home or account
    +-- NoEngineError     8   nothing is running to talk to
    +-- VerdictError      9   the command worked and its verdict is "no" (audit, doctor, status)
    InvariantBroken      10   we broke a promise of our own; the machine stops

Exit code 0 is success, 1 an unexpected crash, 130 an interruption.
"""

from __future__ import annotations

from typing import ClassVar, Final

from quarterdeck.core.model.plain_text import plain_text

UNREADABLE: Final = (ValueError, RecursionError)
"""What decoders of JSON, MessagePack and TOML raise for bytes that are none.

Their own errors are not enough: broken UTF-8 and deep nesting raise others.
"""


class QuarterdeckError(Exception):
    """Something the operator can act on. `str()` is one line; `what_to_do` is the remedy."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, what_to_do: str = "") -> None:
        """`what` says what happened and where; `what_to_do` says how to continue."""
        super().__init__(what)
        self.what_to_do = what_to_do

    def one_line(self) -> str:
        """What, where and what to do, on one line."""
        text = plain_text(" ".join(str(self).split()))
        remedy = plain_text(" ".join(self.what_to_do.split()))
        return f"{text}; {remedy}" if remedy else text

    def shown(self) -> str:
        """As a terminal shows it; one line, unless there is a list."""
        return self.one_line()


class UsageError(QuarterdeckError):
    """The command line is wrong."""

    exit_code = 2


class SettingsError(QuarterdeckError):
    """A settings file or an override is wrong; all invalid settings of one file are reported together."""

    exit_code = 3

    def __init__(self, what: str, *, what_to_do: str = "", found: tuple[str, ...] = ()) -> None:
        """`found` are the invalid settings; `what` says how many and where."""
        super().__init__(f"{what}: {' | '.join(found)}" if found else what, what_to_do=what_to_do)
        self._what, self._found = what, found

    def shown(self) -> str:
        """For a terminal: several invalid settings take a line each."""
        if len(self._found) < 2:
            return super().shown()
        rows = (plain_text(" ".join(line.split())) for line in (f"{self._what}:", *(f"{one}" for one in self._found)))
        head, *rest = rows
        return "\n".join((head, *(f"  {row}" for row in rest), plain_text(self.what_to_do)))


class DataError(QuarterdeckError):
    """Recorded data are missing, damaged, or too short."""

    exit_code = 4


class BrokerError(QuarterdeckError):
    """The terminal, the account or the broker will not serve."""

    exit_code = 5


class StorageError(QuarterdeckError):
    """The home folder, the journal or the disk will not serve."""

    exit_code = 6


class AlreadyRunningError(QuarterdeckError):
    """Another engine holds this home folder or this account."""

    exit_code = 7


class EngineNotRunningError(QuarterdeckError):
    """Nothing is running that could answer."""

    exit_code = 8


class CheckFailedError(QuarterdeckError):
    """The command did its work and its verdict is no."""

    exit_code = 9


class InvariantError(Exception):
    """We broke a promise of our own. Never caught to continue: the shell stops, flushes and alerts."""

    exit_code: ClassVar[int] = 10


def invariant(holds: object, promise: str, **seen: object) -> None:
    """Stop the machine when a promise of our own does not hold; `promise` is said positively.

    Raises:
        InvariantBroken: when `holds` is false; the text carries the promise and what was seen.
    """
    if not holds:
        facts = ", ".join(f"{name}={value!r}" for name, value in seen.items())
        raise InvariantError(f"{promise} ({facts})" if facts else promise)
