"""A Windows Python with the project's Windows wheels on this Linux machine, under Wine: what `make windows` runs the tests on.

Promises: made from Debian's packages (apt) and wheels (pip, hashes of requirements-dev.lock) alone, and kept in the user's cache
(`QUARTERDECK_CACHE` moves it), so a second checkout of the same lock needs neither; what is missing is named.
Parts: Wine 10 is Debian 13's in a root of its own, because Debian 12's cannot run a Python whose output is a plain file.
The Python library and its extension modules are those that the panda3d wheel carries; the standard library is that of the Python
running this; `python.exe` is compiled from `windows_launcher.c`.
Needs: root rights (apt, mount and chroot) and a Debian machine of x86-64.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tools.environment import DEV_LOCK, IMPORT_ROOT, cache_folder
from tools.find_python import SetupError

COMPILER = "x86_64-w64-mingw32-gcc-win32"
RESOURCES = "x86_64-w64-mingw32-windres"
COMPILER_PACKAGE = "gcc-mingw-w64-x86-64-win32"
_SUITE = "trixie"
CLIENTS_LOCK = "tests/clients/clients.lock"
CLIENTS_VARIABLE = "QUARTERDECK_CLIENTS"
"""Where programs of others are installed already: the Windows Python has no pip of its own."""
_LAUNCHER = Path(__file__).with_name("windows_launcher.c")
_CARRIERS = ("panda3d==1.10.16", "msvc-runtime==14.44.35112")
_RUNTIME = ("vcruntime140.dll", "vcruntime140_1.dll", "msvcp140.dll")
_NOT_ON_WINDOWS = {"uv", "ruff", "import-linter", "grimp", "hatchling"}
"""Tools that read code; they read the same code on Linux."""
_UNUSED_PACKAGES = (
    *("libav", "libx26", "libsvt", "libaom", "librav1e", "libcodec2", "libvpx", "libdav1d", "libjxl", "libheif", "libgstreamer"),
    *("librsvg", "libpango", "libcairo", "libgdk", "libicu", "libgphoto2", "libsane", "libx11-data", "libopencl", "xkb-data"),
    *("fonts-", "iso-codes", "shared-mime-info"),
)
"""Films, pictures and fonts: no program of ours shows any."""
_LEFT_OUT = (
    *("__pycache__", "lib-dynload", "config-3*", "site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo"),
    *("lib2to3", "ensurepip", "_sysconfigdata*"),
)
_MANIFEST = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
  <compatibility xmlns="urn:schemas-microsoft-com:compatibility.v1"><application>
    <supportedOS Id="{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"/>
  </application></compatibility>
  <application xmlns="urn:schemas-microsoft-com:asm.v3"><windowsSettings>
    <longPathAware xmlns="http://schemas.microsoft.com/SMI/2016/WindowsSettings">true</longPathAware>
  </windowsSettings></application>
</assembly>
"""
_ENTER = """#!/bin/bash
# WORDS...: a Windows program under Wine. It sees this machine's /dev, /sys and /tmp and the folders named below, in namespaces
# of its own: runs do not share a Wine server or a drive C:, and every process of a run dies with it.
export WINESERVER=/usr/lib/wine/wineserver64 WINELOADER=/usr/lib/wine/wine64 WINEDEBUG=${{WINEDEBUG:--all}}
export WINEDLLOVERRIDES='mscoree,mshtml,winedbg.exe=' LC_ALL=C.UTF-8
unset DISPLAY WINEARCH
exec unshare {namespaces} /bin/bash -c '
set -e
root={root} prefix={prefix} here=$PWD
for folder in /proc /dev /sys /tmp {folder} $QUARTERDECK_WINE_FOLDERS; do
    mkdir -p "$root$folder" && mount --rbind "$folder" "$root$folder"
done
if [ -z "$QUARTERDECK_WINE_SETUP" ]; then
    mount -t tmpfs none "$root/run"
    made=$prefix prefix=/run/prefix
    mkdir -p "$root$prefix/dosdevices" "$root$prefix/drive_c"
    cp "$made"/*.reg "$made/.update-timestamp" "$root$prefix"
    ln -s ../drive_c "$root$prefix/dosdevices/c:"
    ln -s / "$root$prefix/dosdevices/z:"
    ln -s "$made"/drive_c/[PWpw]* "$root$prefix/drive_c"
    cp -a "$made/drive_c/users" "$root$prefix/drive_c"
fi
export WINEPREFIX=$prefix XDG_RUNTIME_DIR=$prefix
set +e
chroot "$root" /bin/sh -c "cd \\"\\$0\\" && exec \\"\\$@\\"" "$here" /usr/lib/wine/wine64 "$@"
code=$?
[ -z "$QUARTERDECK_WINE_SETUP" ] || chroot "$root" "$WINESERVER" -k -w
exit $code' wine "$@"
"""
_NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_PATIENCE_S = 600
"""No single step of the set-up takes longer; apt and pip wait for ever on a network that swallows packets."""


class Unavailable(SetupError):
    """The packages or the rights cannot be had here: no Debian for x86-64, no root rights, no network."""


class WindowsPython:
    """The Windows Python of one checkout's lock."""

    def __init__(self, checkout: Path, environ: Mapping[str, str] | None = None) -> None:
        """`environ` says where the cache is and which further folders a program may see."""
        self._checkout = checkout
        self._environ = dict(os.environ if environ is None else environ)
        self.folder = cache_folder(self._environ) / "windows"
        parts = (checkout / DEV_LOCK, checkout / CLIENTS_LOCK, _LAUNCHER)
        made_of = f"{sys.version} {_CARRIERS} {_RUNTIME} {sorted(_NOT_ON_WINDOWS)} {_LEFT_OUT} {_MANIFEST}".encode()
        key = hashlib.sha256(b"".join(part.read_bytes() for part in parts) + made_of).hexdigest()[:16]
        self._root = self.folder / "wine"
        self._prefix = self.folder / "wine-prefix"
        self._python = self.folder / f"python-{key}"
        self._enter = self.folder / "wine-run"

    def ensure(self) -> None:
        """Make what is not there yet. Raises SetupError, which names what is missing; Unavailable where it cannot be had."""
        if platform.machine() != "x86_64" or shutil.which("apt-get") is None:
            raise Unavailable("a Windows Python is made on Debian for x86-64 alone; on Windows run `python -m pytest` itself")
        if os.geteuid() != 0:
            raise Unavailable("a Windows Python under Wine needs root rights (apt, mount, chroot): run `sudo make windows`")
        if not _may_make_namespaces():
            raise Unavailable(f"a Windows Python under Wine needs the right to `unshare {' '.join(_NAMESPACES)}`")
        import fcntl  # Windows, whose tests read names of this module, has none

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second checkout waits and then finds everything made
            self._make()

    def _make(self) -> None:
        if shutil.which(COMPILER) is None:
            self._step("the compiler for Windows")
            _call("apt-get", "update")
            _call("apt-get", "install", "-y", "--no-install-recommends", COMPILER_PACKAGE)
        if not (self._root / "usr/lib/wine/wine64").exists():
            self._step("Wine 10")
            self._unpack_wine()
        names = {"root": self._root, "prefix": self._prefix, "folder": self.folder, "namespaces": " ".join(_NAMESPACES)}
        draft = self.folder / "wine-run.draft"
        draft.write_text(_ENTER.format(**names), encoding="utf-8")
        draft.chmod(0o755)
        draft.replace(self._enter)
        if not (self._prefix / "ready").exists():
            self._step("Wine's settings")
            shutil.rmtree(self._prefix, ignore_errors=True)
            self._prefix.mkdir()
            self._set_up("wineboot", "-i")
            self._set_up("winecfg", "-v", "win10")
            (self._prefix / "ready").touch()
        if not self._python.exists():
            self._step("Python and the project's wheels for Windows")
            draft = self.folder / "python.draft"
            shutil.rmtree(draft, ignore_errors=True)
            self._make_python(draft)
            draft.replace(self._python)

    def command(self, *words: str) -> list[str]:
        """The command line of the Windows Python with these arguments."""
        return [str(self._enter), str(self._python / "python.exe"), *words]

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The environment in which it sees the checkout and the recorded data, as `recorded_data` of the tests finds them."""
        named = self._environ.get("QUARTERDECK_DATA")
        data = Path(named).resolve() if named else self._checkout.parent / "shared" / "data"
        folders = [str(self._checkout), *([str(data)] if data.is_dir() else [])]
        own = {
            "QUARTERDECK_WINE_FOLDERS": " ".join(folders),
            CLIENTS_VARIABLE: str(self._python / "clients"),
            "PYTHONPATH": f"Z:{self._checkout / IMPORT_ROOT}",
            "PYTHONUTF8": "1",
            **({"QUARTERDECK_DATA": str(data)} if data.is_dir() else {}),
        }
        return {**self._environ, **own, **extra}

    def _set_up(self, *words: str) -> None:
        try:
            done = subprocess.run(
                [str(self._enter), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.environment({"QUARTERDECK_WINE_SETUP": "1"}),
                cwd=self.folder,
                check=False,
                timeout=_PATIENCE_S,
            )
        except subprocess.TimeoutExpired as error:
            raise SetupError(f"Wine did not finish `{' '.join(words)}` in {_PATIENCE_S} s") from error
        if done.returncode:
            raise SetupError(f"Wine does not run `{' '.join(words)}`: {_tail(done.stdout.decode(errors='replace'))}")

    def _step(self, what: str) -> None:
        print(f"setting up {what} in {self.folder}", flush=True)

    def _unpack_wine(self) -> None:
        draft, apt = self._root.with_suffix(".draft"), self.folder / "apt"
        for folder in (draft, apt):
            shutil.rmtree(folder, ignore_errors=True)
        for needed in ("lists/partial", "cache/archives/partial"):
            (apt / needed).mkdir(parents=True)
        (apt / "status").touch()
        (apt / "sources.list").write_text(
            f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {_mirror()} {_SUITE} main\n", encoding="utf-8"
        )
        settings: dict[str, Path | str] = {
            "Dir::Etc::sourcelist": apt / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": apt / "lists",
            "Dir::State::status": apt / "status",
            "Dir::Cache": apt / "cache",
            "APT::Install-Recommends": "false",
            "APT::Architecture": "amd64",
        }
        (apt / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()), encoding="utf-8")
        own = {"APT_CONFIG": str(apt / "apt.conf")}
        _call("apt-get", "update", extra=own)
        _call("apt-get", "install", "-y", "--download-only", "wine64", "dash", "libc-bin", extra=own)
        for name in ("bin", "lib", "lib64", "sbin"):
            (draft / "usr" / name).mkdir(parents=True)
            (draft / name).symlink_to(f"usr/{name}")
        for name in ("proc", "dev", "sys", "tmp", "etc", "root", "var", "run"):
            (draft / name).mkdir()
        for package in sorted((apt / "cache/archives").glob("*.deb")):
            if not package.name.startswith(_UNUSED_PACKAGES):
                _unpack(package, draft)
        _mark_builtin(
            draft / "usr/x86_64-w64-mingw32/lib/zlib1.dll", draft / "usr/lib/x86_64-linux-gnu/wine/x86_64-windows/zlib1.dll"
        )
        for name in ("hosts", "passwd", "group", "nsswitch.conf"):
            shutil.copy(f"/etc/{name}", draft / "etc" / name)
        shutil.rmtree(apt)
        draft.replace(self._root)

    def _make_python(self, target: Path) -> None:
        major, minor = sys.version_info[:2]
        library = f"python{major}{minor}.dll"
        wheels = target / "wheels"
        (target / "DLLs").mkdir(parents=True)
        for carrier in _CARRIERS:
            _pip("download", "--no-deps", *_for_windows(), "-d", str(wheels), carrier)
        for path in wheels.glob("*.whl"):
            with zipfile.ZipFile(path) as wheel:
                for name in wheel.namelist():
                    _take(wheel, name, target, library)
        shutil.rmtree(wheels)
        if not (target / library).exists():
            raise SetupError(f"{_CARRIERS[0]} carries no {library}: run make windows with another Python (PYTHON=)")
        shutil.copytree(
            sysconfig.get_path("stdlib"), target / "Lib", ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True
        )
        _compile(target, library)
        lock = target / "windows.lock"
        lock.write_text(windows_lock((self._checkout / DEV_LOCK).read_text(encoding="utf-8")), encoding="utf-8")
        place = ("--no-compile", "--target", str(target / "Lib" / "site-packages"))
        _pip("install", "--no-deps", "--require-hashes", *place, *_for_windows(), "-r", str(lock))
        wanted = ("-r", str(self._checkout / CLIENTS_LOCK))
        _pip("install", "--no-deps", "--require-hashes", "--no-compile", "--target", str(target / "clients"), *wanted)


def windows_lock(text: str) -> str:
    """The lines of a universal lock that Windows needs, without their markers; tools that only read code are left out."""
    from pip._vendor.packaging.requirements import Requirement

    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    windows = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"}
    taken: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        wanted, _, hashes = line.partition(" --hash")
        if not wanted.strip() or wanted.lstrip().startswith("#"):
            continue
        requirement = Requirement(wanted.strip())
        marker = requirement.marker
        if requirement.name in _NOT_ON_WINDOWS:
            continue
        if marker is None or marker.evaluate({**windows, "python_version": version, "python_full_version": f"{version}.9"}):
            taken.append(f"{requirement.name}{requirement.specifier} --hash{hashes}")
    return "\n".join(taken) + "\n"


def _may_make_namespaces() -> bool:
    try:
        return subprocess.run(["unshare", *_NAMESPACES, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _mirror() -> str:
    """Where this machine's own Debian packages come from."""
    found = _call("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").splitlines()
    mirrors = [line for line in found if "debian" in line and "security" not in line]
    if not mirrors:
        raise Unavailable("apt names no Debian mirror to take Wine from")
    return mirrors[0]


def _unpack(package: Path, target: Path) -> None:
    leave = (
        "usr/lib/*/wine/i386-*",
        "usr/share/doc*",
        "usr/share/man*",
        "usr/share/locale*",
        "usr/i686-*",
        "usr/x86_64-w64-mingw32ucrt*",
    )
    options = ("--keep-directory-symlink", "--no-same-owner", *(f"--exclude=./{pattern}" for pattern in leave))
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as packed:
        done = subprocess.run(["tar", "-x", "-C", str(target), *options], stdin=packed.stdout, check=False)
    if done.returncode or packed.returncode:
        raise SetupError(f"{package.name} cannot be unpacked")


def _mark_builtin(source: Path, target: Path) -> None:
    """Put a library where Wine takes it for its own: the mark goes after the header, as the package's own script does it."""
    image = bytearray(source.read_bytes())
    image[64:96] = b"Wine builtin DLL".ljust(32, b"\0")
    target.write_bytes(image)


def _take(wheel: zipfile.ZipFile, name: str, target: Path, library: str) -> None:
    base = name.rpartition("/")[2]
    low = base.lower()
    if name.startswith("deploy_libs/") and not low.startswith(("api-ms-", "vcruntime", "tcl", "tk", "_tkinter", "_msi")):
        (target / base if low == library else target / "DLLs" / base).write_bytes(wheel.read(name))
    elif low in _RUNTIME and "/Scripts/" in name:
        (target / base).write_bytes(wheel.read(name))


def _compile(target: Path, library: str) -> None:
    (target / "python.manifest").write_text(_MANIFEST, encoding="utf-8")
    (target / "python.rc").write_text('1 24 "python.manifest"\n', encoding="utf-8")
    _call(RESOURCES, "python.rc", "-O", "coff", "-o", "python.res", cwd=target)
    named = f'-DPYTHON_LIBRARY="{library}"'
    _call(COMPILER, "-O2", "-s", "-municode", named, "-o", "python.exe", str(_LAUNCHER), "python.res", cwd=target)


def _for_windows() -> tuple[str, ...]:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return ("--only-binary=:all:", "--platform", "win_amd64", "--python-version", version, "--implementation", "cp")


def _pip(*words: str) -> None:
    _call(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words)


def _call(*words: str, extra: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PIP_ROOT_USER_ACTION": "ignore", **(extra or {})}
    fetches = words[0] == "apt-get" or "pip" in words
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", env=environ, cwd=cwd, check=False, timeout=_PATIENCE_S
        )
    except OSError as error:
        raise SetupError(f"{words[0]} is missing: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        kind = Unavailable if fetches else SetupError
        raise kind(f"`{' '.join(words[:4])} ...` was not done after {_PATIENCE_S} s") from error
    if done.returncode:
        said = done.stdout + done.stderr
        kind = Unavailable if fetches and "DO NOT MATCH THE HASHES" not in said else SetupError
        raise kind(f"`{' '.join(words[:4])} ...` failed: {_tail(said)}")
    return done.stdout


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "no reason given"
