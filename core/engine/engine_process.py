"""The engine in a process of its own: started by a screen, outliving it, speaking through the link alone.

The child inherits no terminal: stdin is null, output goes to the logs folder, and start-up steps come back through a pipe that
closes at "ready" or with one line of error and an exit code. POSIX: a session of its own. Windows: detached, in a process group
of its own, broken away from the job, for a log-off would kill it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.core.model.errors import QuarterdeckError, StorageError

READY_HANDLE = "QUARTERDECK_READY_HANDLE"
"""Environment variable that carries the pipe's write end to the child."""
LOGS_NAME = "logs"
_BREAKAWAY = 0x01000000
"""`subprocess.CREATE_BREAKAWAY_FROM_JOB`, which Windows alone has."""


class StartupMessage(Struct, frozen=True, kw_only=True):
    """One line from the child while it starts."""

    step: str = ""
    ready: bool = False
    error: str = ""
    exit_code: int = 0


class EngineStartFailed(QuarterdeckError):
    """The child ended before it was ready; carries its own exit code."""

    def __init__(self, what: str, exit_code: int) -> None:
        """`what` is the child's one line."""
        super().__init__(what)
        self.child_exit_code = exit_code


def start_engine(
    home: Path, arguments: Sequence[str], on_step: Callable[[str], None], *, meanwhile: Callable[[], None] = lambda: None
) -> int:
    """Start an engine child for `home` and wait until it is ready; returns its process id.

    `meanwhile` is done once the child is on its way: what the caller needs next anyway.

    Raises:
        EngineFailed: it ended first; the text is its own one line.
        StorageError: the logs folder cannot be written.
    """
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    try:
        process = _spawn(home, arguments, write_end, on_step)
    finally:
        os.close(write_end)
    meanwhile()
    with os.fdopen(read_end, "rb") as pipe:
        for line in pipe:
            news = msgspec.json.decode(line, type=StartupMessage)
            if news.ready:
                return process.pid
            if news.error:
                process.wait()
                raise EngineStartFailed(news.error, news.exit_code)
            on_step(news.step)
    code = process.wait()
    raise EngineStartFailed(f"The engine ended with code {code} before it was ready; see {home / LOGS_NAME}", code or 1)


class StartupPipe:
    """The child's end: tells its starter each step, then that it is ready; silent where there is no starter."""

    def __init__(self) -> None:
        """Take the handle that the starter left in the environment."""
        handle = os.environ.pop(READY_HANDLE, "")
        self._pipe = os.fdopen(_descriptor(int(handle)), "wb") if handle else None

    def step(self, text: str) -> None:
        """A step of the start is under way."""
        self._tell(StartupMessage(step=text))

    def ready(self) -> None:
        """The engine is ready; the pipe closes."""
        self._tell(StartupMessage(ready=True))
        self._close()

    def failed(self, text: str, exit_code: int) -> None:
        """The start failed."""
        self._tell(StartupMessage(error=text, exit_code=exit_code))
        self._close()

    def _tell(self, news: StartupMessage) -> None:
        if self._pipe is None:
            return
        try:
            self._pipe.write(msgspec.json.encode(news) + b"\n")
            self._pipe.flush()
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._pipe is not None:
            pipe, self._pipe = self._pipe, None
            try:
                pipe.close()
            except OSError:
                return


def _spawn(home: Path, arguments: Sequence[str], write_end: int, on_step: Callable[[str], None]) -> subprocess.Popen[bytes]:
    logs = home / LOGS_NAME
    try:
        logs.mkdir(parents=True, exist_ok=True)
        output = (logs / "engine.out").open("ab")
    except OSError as error:
        raise StorageError(f"{logs}: cannot be written: {error.strerror}", what_to_do="choose another --home") from error
    # the package is found the way this process found it; -P keeps the current folder off the path
    command = [sys.executable, "-P", "-m", "quarterdeck.cli.main", *arguments]
    paths = os.pathsep.join(path for path in sys.path if path)
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
    if sys.platform == "win32":
        import msvcrt

        handle = msvcrt.get_osfhandle(write_end)
        startup = subprocess.STARTUPINFO()
        startup.lpAttributeList = {"handle_list": [handle]}
        options["startupinfo"] = startup
        options["creationflags"] = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        handle = write_end
        options["pass_fds"] = (write_end,)
        options["start_new_session"] = True
    options["env"] = {**os.environ, "PYTHONPATH": paths, READY_HANDLE: str(handle)}
    with output:
        if sys.platform == "win32":
            return _outside_the_job(command, options, on_step)
        return subprocess.Popen(command, **options)


def _outside_the_job(command: Sequence[str], options: dict[str, Any], on_step: Callable[[str], None]) -> subprocess.Popen[bytes]:
    """Start a process that the starter's job does not end; inside the job where that lets nobody out."""
    inside = options["creationflags"]
    try:
        return subprocess.Popen(command, **{**options, "creationflags": inside | _BREAKAWAY})
    except PermissionError:
        on_step("the engine ends when this terminal closes: Windows does not let it leave the terminal's job")
        return subprocess.Popen(command, **options)


def _descriptor(handle: int) -> int:
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.open_osfhandle(handle, os.O_WRONLY)
    return handle
