"""Build the checkout's `.venv` from the locks: from the network the first time, from the user's cache ever after.

Promises: what is installed is what the lock says, byte for byte (hashes); a second run, and a second checkout of the same lock,
need no network; when nothing changed nothing is done. Two steps, because pip refuses hashes for an editable project: the lock,
which holds the build backend, then the project alone.
Does not: touch anything but `.venv` and the wheelhouse in the user's cache (`QUARTERDECK_CACHE` moves it).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.find_python import Python, SetupError, choose, dotted, probe

RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
_PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")
_TAIL_LINES = 4
_METER_COLUMNS = 70
_METER_EVERY = 10
IMPORT_ROOT = ".import"
"""Made by the build backend for an editable installation; see tools/build_hook.py."""
_OWN_CODE = ("cli", "core", "package", "tui")


class Environment:
    """The `.venv` of one checkout."""

    def __init__(self, checkout: Path, environ: Mapping[str, str] | None = None) -> None:
        """`environ` gives PYTHON and where the cache is."""
        self.checkout = checkout
        self.environ = os.environ if environ is None else environ
        self.folder = checkout / ".venv"
        self._stamp = self.folder / "quarterdeck-setup.json"

    def script(self, name: str) -> Path:
        """Path of an installed command."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / (f"{name}.exe" if os.name == "nt" else name)

    def ensure(self, *, dev: bool) -> None:
        """Make `.venv` hold what the lock says, with the tools of a developer if `dev`.

        Raises:
            SetupError: when something is missing; says what and how to get it.
        """
        if self._current(dev=dev):
            return
        python = self._interpreter()
        house = wheelhouse(self.checkout, python.version, self.environ)
        lock = self.checkout / (DEV_LOCK if dev else RUN_LOCK)
        self._install_lock(lock, house)
        self._install_project()
        self._stamp.write_text(json.dumps(self._expected(dev=dev, version=python.version)), encoding="utf-8")
        print(f"ready: {self.script('quarterdeck')}", flush=True)

    def _current(self, *, dev: bool) -> bool:
        try:
            said = json.loads(self._stamp.read_text(encoding="utf-8"))
            version = (int(said["version"][0]), int(said["version"][1]))
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            return False
        wanted = self.environ.get("PYTHON")
        if wanted:
            named = probe(wanted)
            if named is None or named.version != version:
                return False
        fits = [self._expected(dev=kind, version=version) for kind in ((True,) if dev else (True, False))]
        needed = (self.script("python"), self.script("quarterdeck"), self.checkout / IMPORT_ROOT / "quarterdeck")
        return said in fits and all(path.exists() for path in needed)

    def _expected(self, *, dev: bool, version: tuple[int, int]) -> dict[str, object]:
        return {
            "checkout": str(self.checkout),
            "dev": dev,
            "lock": digest(self.checkout / (DEV_LOCK if dev else RUN_LOCK)),
            "project": digest(self.checkout / "pyproject.toml"),
            "version": list(version),
        }

    def _interpreter(self) -> Python:
        # A working .venv of a supported Python is kept, unless PYTHON names another version.
        wanted = self.environ.get("PYTHON") or None
        present = probe(str(self.script("python"))) if self.folder.exists() else None
        if present is not None and present.supported and self._is_here():
            asked = choose(wanted) if wanted else present
            if asked.version == present.version:
                return present
        base = choose(wanted)
        print(f"[1/3] creating .venv with {base.name} ({base.path})", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        done = subprocess.run([base.path, "-m", "venv", str(self.folder)], capture_output=True, text=True, check=False)
        made = probe(str(self.script("python")))
        if done.returncode or made is None:
            raise SetupError(f"{base.path} -m venv failed: {_tail(done.stdout + done.stderr)}")
        return made

    def _is_here(self) -> bool:
        # A checkout that was moved or copied has a .venv whose scripts point elsewhere.
        try:
            text = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
        except OSError:
            return False
        made_for = [line.split("=", 1)[1].strip() for line in text.splitlines() if line.startswith("command")]
        return not made_for or made_for[0].endswith(str(self.folder))

    def _install_lock(self, lock: Path, house: Path) -> None:
        count = packages(lock)
        if any(house.iterdir()):
            print(f"[2/3] installing {count} packages from {house}", flush=True)
            if self._pip(*_install(lock, house)).returncode == 0:
                return
        print(f"[2/3] downloading {count} packages into {house} (the first time only, a few minutes)", flush=True)
        options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(lock), "-d", str(house))
        got = self._pip("download", *options, meter=DownloadMeter(count))
        if got.returncode:
            why = "the first set-up needs a package index; later ones do not"
            raise SetupError(f"the packages of {lock.name} could not be fetched ({why}): {_tail(got.stdout)}")
        print(f"      installing {count} packages", flush=True)
        put = self._pip(*_install(lock, house))
        if put.returncode:
            raise SetupError(f"{lock.name} could not be installed from {house}: {_tail(put.stdout)}")

    def _install_project(self) -> None:
        print("[3/3] installing quarterdeck", flush=True)
        done = self._pip("install", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(self.checkout))
        if done.returncode:
            raise SetupError(f"the project could not be installed: {_tail(done.stdout)}")
        # a start compiles nothing, also where whoever runs the desk may not write into the checkout
        compiled = [name for name in _OWN_CODE if (self.checkout / name).is_dir()]
        subprocess.run([str(self.script("python")), "-m", "compileall", "-q", *compiled], check=False, cwd=self.checkout)

    def _pip(self, *arguments: str, meter: DownloadMeter | None = None) -> subprocess.CompletedProcess[str]:
        """Run pip; with a `meter` it gets each line as pip prints it."""
        command = [str(self.script("python")), *(_PIP if meter is None else _PIP[:-1]), *arguments]
        lines = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.checkout) as running:
            for line in running.stdout or ():
                lines.append(line)
                if meter is not None:
                    meter.take(line)
        return subprocess.CompletedProcess(command, running.returncode, "".join(lines))


class DownloadMeter:
    """Counts the packages that pip reports, and prints how many are done: each on a terminal, every tenth elsewhere."""

    def __init__(self, total: int) -> None:
        """`total` packages are expected."""
        self.done = 0
        self._total = total

    def take(self, line: str) -> None:
        """One line of pip's output."""
        if not line.startswith("Collecting "):
            return
        self.done += 1
        name = line.split()[1].partition("=")[0]
        text = f"      {self.done} of {self._total}: {name}"
        if sys.stdout.isatty():
            print(f"\r{text[:_METER_COLUMNS]:<{_METER_COLUMNS}}", end="" if self.done < self._total else "\n", flush=True)
        elif self.done % _METER_EVERY == 0 or self.done == self._total:
            print(text, flush=True)


def packages(lock: Path) -> int:
    """How many packages a lock names."""
    return sum(1 for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line and not line.startswith(("#", " ")))


def wheelhouse(checkout: Path, version: tuple[int, int], environ: Mapping[str, str]) -> Path:
    """Folder of the user's cache that holds the wheels of these locks for this Python; made if need be.

    Raises:
        SetupError: when the cache cannot be written.
    """
    locks = hashlib.sha256(b"".join((checkout / name).read_bytes() for name in (RUN_LOCK, DEV_LOCK))).hexdigest()[:16]
    house = cache_folder(environ) / "wheels" / f"{locks}-{dotted(version)}"
    try:
        house.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"the cache {house} cannot be written ({error.strerror}); name another with QUARTERDECK_CACHE=DIR"
        ) from error
    return house


def cache_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The folder for what can be fetched again, by the platform's habit."""
    named = environ.get("QUARTERDECK_CACHE")
    if named:
        return Path(named)
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "Quarterdeck" / "Cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "Quarterdeck"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quarterdeck"


def digest(path: Path) -> str:
    """Fingerprint of a file's content, whatever its line ends."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _install(lock: Path, house: Path) -> Sequence[str]:
    only = ("--no-index", "--find-links", str(house), "--only-binary", ":all:")
    return ("install", "--no-deps", "--require-hashes", *only, "-r", str(lock))


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return " | ".join((errors or lines)[-_TAIL_LINES:]) or "no reason given"
