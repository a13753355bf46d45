"""`quarterdeck service`: hand the engine to the system's supervisor; it outlives the login and comes back after a crash.

Linux: a systemd service of this user. Windows: a scheduled task of this user, which runs `service keep` (`cli.supervise`): at the
user's log-on, because the terminal needs a session, or at boot for an engine whose gateway is elsewhere. What is installed is a
shipped text with the names filled in; `show` prints it without touching anything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal
from xml.sax.saxutils import escape

import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.model.errors import StorageError, UsageError
from quarterdeck.core.settings.home import Home, prepare, resolve_home
from quarterdeck.core.settings.packaged_files import shipped_text

_UNIT = "quarterdeck.service"
_TASK = "Quarterdeck"
_TOOLS_ENCODING = "oem" if sys.platform == "win32" else "utf-8"
"""In which the system's own commands speak."""
Action = Literal["show", "install", "remove", "keep"]


def command(
    action: Annotated[
        Action,
        typer.Argument(
            help="show: print what would be installed. install, remove: do it. keep: run the engine, and again after a crash."
        ),
    ] = "show",
    at_boot: Annotated[
        bool,
        typer.Option("--at-boot", help="Windows: run whether or not anybody is logged on. Not beside the MetaTrader 5 terminal."),
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Install the engine as a service of the system.

    It is started at the next login (Linux: at boot, once lingering is allowed), and again after a crash.
    """
    place = resolve_home(home)
    windows = sys.platform == "win32"
    if action == "keep":
        from quarterdeck.cli.supervise import keep_running

        raise typer.Exit(keep_running(("run", "--no-ui", "--home", str(place.root))))
    text = task_text(place, at_boot=at_boot) if windows else unit_text(place)
    if action == "show":
        print(text, end="")
    elif windows:
        _windows(action, place, text, at_boot=at_boot)
    else:
        _systemd(action, place, text)
    if as_json:
        print_json({"action": action, "home": str(place.root)})


def unit_text(home: Home) -> str:
    """The systemd unit for this home."""
    return _filled("deploy/quarterdeck.service", home, lambda text: text.replace("%", "%%"))


def task_text(home: Home, *, at_boot: bool = False) -> str:
    """The task of the Windows Task Scheduler for this home: at the user's log-on, or at boot without any session."""
    user = escape("\\".join(part for part in (os.environ.get("USERDOMAIN"), os.environ.get("USERNAME")) if part))
    trigger = "<BootTrigger>" if at_boot else "<LogonTrigger>"
    whose = "" if at_boot else f"<UserId>{user}</UserId>"
    text = _filled("deploy/windows-task.xml", home, escape)
    filled = {
        "@TRIGGER@": f"{trigger}<Enabled>true</Enabled>{whose}{trigger.replace('<', '</')}",
        "@USER@": user,
        "@LOGON@": "S4U" if at_boot else "InteractiveToken",
    }
    for mark, value in filled.items():
        text = text.replace(mark, value)
    return text


def unit_path(environ: dict[str, str] | None = None) -> Path:
    """Where systemd looks for this user's services."""
    base = (os.environ if environ is None else environ).get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user" / _UNIT


def _filled(name: str, home: Home, safe: Callable[[str], str]) -> str:
    text = shipped_text(name)
    for mark, value in (("@COMMAND@", _program()), ("@HOME@", str(home.root)), ("@NAME@", home.root.name)):
        text = text.replace(mark, safe(value))
    return text


def _program() -> str:
    beside = Path(sys.executable).with_name("quarterdeck.exe" if os.name == "nt" else "quarterdeck")
    return str(beside) if beside.exists() else (shutil.which("quarterdeck") or str(beside))


def _systemd(action: Action, place: Home, text: str) -> None:
    path = unit_path()
    if action == "install":
        prepare(place).logs.mkdir(exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        try:
            _call("systemctl", "--user", "daemon-reload")
        except StorageError:
            path.unlink()  # what systemd never saw is not left to surprise anybody at the next boot
            raise
        _call("systemctl", "--user", "enable", "--now", _UNIT)
        print(f"installed {path} and started it; `loginctl enable-linger` keeps it running without a login")
        return
    if not path.exists():
        raise UsageError(f"there is no {path}", what_to_do="`quarterdeck service install` would write it")
    _call("systemctl", "--user", "disable", "--now", _UNIT)
    path.unlink()
    print(f"stopped and removed {path}")


def _windows(action: Action, place: Home, text: str, *, at_boot: bool) -> None:
    if action == "install":
        file = prepare(place).root / "service-task.xml"
        file.write_text(text, encoding="utf-16")
        _call("schtasks", "/Create", "/F", "/TN", _TASK, "/XML", str(file))
        _call("schtasks", "/Run", "/TN", _TASK)
        when = "at boot" if at_boot else "when you log on; MetaTrader 5 needs that session"
        print(f"installed the task {_TASK} and started it; it starts {when}")
        return
    _call("schtasks", "/Delete", "/F", "/TN", _TASK)
    print(f"removed the task {_TASK}; an engine that runs continues until `quarterdeck stop`")


def _call(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, encoding=_TOOLS_ENCODING, errors="replace", check=False)
    except OSError as error:
        what = f"{words[0]} cannot be started: {error.strerror}"
        raise StorageError(what, what_to_do="use another supervisor, with what `quarterdeck service show` prints") from error
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        # the bus of a user exists where he logged in, over ssh for one; not after `su` or `sudo`
        remedy = "log in as that user, not by su or sudo" if "bus" in reason else "see `quarterdeck service show`"
        raise StorageError(f"`{' '.join(words)}` failed: {reason}", what_to_do=remedy)
