"""What a `MetaTrader5` wheel says of itself, read as a file: names, constants, functions and record layouts. Nothing is executed."""

from __future__ import annotations

import ast
import re
import struct
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def fetch(folder: Path, version: str | None) -> Path | str:
    """The Windows wheel in `folder`, or why it could not be had; the installed package on Windows."""
    if sys.platform == "win32" and (found := find_spec("MetaTrader5")) is not None and found.origin is not None:
        return Path(found.origin).parent
    package = "MetaTrader5" if version is None else f"MetaTrader5=={version}"
    options = "--no-deps --only-binary=:all: --platform win_amd64 --python-version 3.11 --implementation cp --quiet".split()
    command = [sys.executable, "-m", "pip", "download", package, *options, "--retries", "1", "--timeout", "15", "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[-1]
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return (lines or ["pip said nothing"])[-1][:200]


def package_files(path: Path) -> tuple[str, bytes]:
    """The two files of the package that matter: its Python text and its compiled core."""
    if path.is_dir():
        return (path / "__init__.py").read_text(encoding="utf-8"), next(path.glob("*.pyd")).read_bytes()
    with zipfile.ZipFile(path) as archive:
        core = next(name for name in archive.namelist() if name.endswith(".pyd"))
        return archive.read("MetaTrader5/__init__.py").decode(), archive.read(core)


class Wheel:
    """What the package says of itself."""

    def __init__(self, path: Path):
        python, self._image = package_files(path)
        self._tree = ast.parse(python)
        self._sections, self._base = sections_of(self._image)

    def assigned(self) -> dict[str, Any]:
        """Module level names with constant values, computed from the text."""
        found: dict[str, Any] = {}
        for node in self._tree.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found[target.id] = value_of(node.value, found)
        return found

    def helpers(self) -> set[str]:
        """Functions written in Python."""
        return {node.name for node in self._tree.body if isinstance(node, ast.FunctionDef)}

    def functions(self) -> set[str]:
        """Names in the table of compiled functions: records of (name, function, flags, text)."""
        best: set[str] = set()
        for start in self._places(8):
            names, place = set(), start
            while (name := self._text_at(place)) and self._section(self._word(place + 8)) == ".text":
                names.add(name)
                place += 32
            if len(names) > len(best):
                best = names
        return best

    def layouts(self) -> list[tuple[str, ...]]:
        """Field names of the record types, in order: tables of (name, text)."""
        found: list[tuple[str, ...]] = []
        skip = 0
        for start in self._places(8):
            if start < skip:
                continue
            names, place = [], start
            while (name := self._text_at(place)) and re.fullmatch(r"[a-z][a-z_0-9]*", name):
                if self._section(self._word(place + 8)) == ".text":
                    break
                names.append(name)
                place += 16
            if len(names) >= 4:
                found.append(tuple(names))
                skip = place
        return found

    def _places(self, step: int) -> range:
        _name, _, _, offset, size = next(row for row in self._sections if row[0] == ".data")
        return range(offset, offset + size - 32, step)

    def _word(self, place: int) -> int:
        return int(struct.unpack_from("<Q", self._image, place)[0]) if place + 8 <= len(self._image) else 0

    def _section(self, address: int) -> str:
        relative = address - self._base
        return next((name for name, start, size, _, _ in self._sections if start <= relative < start + size), "")

    def _text_at(self, place: int) -> str:
        relative = self._word(place) - self._base
        for _, start, _, offset, size in self._sections:
            if start <= relative < start + size:
                begin = offset + relative - start
                end = self._image.find(b"\0", begin, begin + 64)
                text = self._image[begin:end] if end > begin else b""
                return text.decode() if text.isascii() and text.decode().isidentifier() else ""
        return ""


def sections_of(image: bytes) -> tuple[list[tuple[str, int, int, int, int]], int]:
    """(name, address, size in memory, offset, size in file) of each section, and the image's base address."""
    header = struct.unpack_from("<I", image, 0x3C)[0]
    count, optional = struct.unpack_from("<H", image, header + 6)[0], struct.unpack_from("<H", image, header + 20)[0]
    rows = []
    for number in range(count):
        at = header + 24 + optional + 40 * number
        size, address, raw_size, offset = struct.unpack_from("<IIII", image, at + 8)
        rows.append((image[at : at + 8].rstrip(b"\0").decode(), address, size, offset, raw_size))
    return rows, struct.unpack_from("<Q", image, header + 24 + 24)[0]


def value_of(node: ast.expr, known: dict[str, Any]) -> Any:
    """A constant expression: literals, names known already, minus, or, plus."""
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return known[name]
        case ast.UnaryOp(ast.USub(), operand):
            return -value_of(operand, known)
        case ast.BinOp(left, ast.BitOr(), right):
            return value_of(left, known) | value_of(right, known)
        case ast.BinOp(left, ast.Add(), right):
            return value_of(left, known) + value_of(right, known)
    raise AssertionError(f"a constant of a new kind: {ast.dump(node)}")
