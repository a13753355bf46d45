"""The targets of the Makefile, for systems with and without make: `python -m tools.make TARGET [ARGUMENTS]`.

Written for any Python 3 to read, until `.venv` stands; what needs more runs inside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.environment import Environment
from tools.find_python import SetupError

CHECKOUT = Path(__file__).resolve().parent.parent
LOCKED = (
    ("requirements.in", "requirements.lock"),
    ("requirements-dev.in", "requirements-dev.lock"),
    ("benchmarks/peer.in", "benchmarks/peer.lock"),
)


def setup(environment: Environment, _arguments: Sequence[str]) -> int:
    """Set up .venv with what the desk needs."""
    environment.ensure(dev=False)
    return 0


def dev(environment: Environment, _arguments: Sequence[str]) -> int:
    """Set up .venv with what tests and checks need as well."""
    environment.ensure(dev=True)
    return 0


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Open the desk; without a terminal it continues headless and says so."""
    environment.ensure(dev=False)
    command = [str(environment.script("quarterdeck")), "run", *arguments]
    if os.name != "nt":
        os.execv(command[0], command)
    return subprocess.call(command)


def test(environment: Environment, arguments: Sequence[str]) -> int:
    """Lint, types and all tests."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "tools.checks", "all", *arguments)


def lint(environment: Environment, _arguments: Sequence[str]) -> int:
    """Lint, format and import directions."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "tools.checks", "lint", "format", "imports")


def types(environment: Environment, _arguments: Sequence[str]) -> int:
    """The strict type check."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "tools.checks", "types")


def laws(environment: Environment, arguments: Sequence[str]) -> int:
    """The laws and the house rules, alone."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "pytest", "-q", "tests/laws", "tests/test_code_rules.py", *arguments)


def windows(environment: Environment, arguments: Sequence[str]) -> int:
    """The Windows group of tests, on a Windows Python under Wine; `quick` for a part of five minutes."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "tools.windows", *arguments)


def soak(environment: Environment, arguments: Sequence[str]) -> int:
    """The long tests: more seeds, more kill points, more examples."""
    environment.ensure(dev=True)
    os.environ["HYPOTHESIS_PROFILE"] = "soak"
    return _python(environment, "-m", "pytest", "-n", "auto", "--dist", "loadgroup", "--soak", *arguments)


def bench(environment: Environment, arguments: Sequence[str]) -> int:
    """Measure speed, start-up and memory."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "benchmarks", *arguments)


def golden_update(environment: Environment, arguments: Sequence[str]) -> int:
    """Write golden files anew; look at the difference before you commit it."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "pytest", "-q", "--golden-update", "--snapshot-update", *arguments)


def docs(environment: Environment, _arguments: Sequence[str]) -> int:
    """Write the generated pages and pictures of docs/ anew."""
    environment.ensure(dev=True)
    return _python(environment, "-m", "tools.docs")


def fmt(environment: Environment, _arguments: Sequence[str]) -> int:
    """Format the code and sort its imports."""
    environment.ensure(dev=True)
    _python(environment, "-m", "ruff", "check", "--select", "I", "--fix", "-q", ".")
    return _python(environment, "-m", "ruff", "format", ".")


def lock(environment: Environment, _arguments: Sequence[str]) -> int:
    """Resolve the requirements anew; needs the network."""
    environment.ensure(dev=True)
    options = ("--universal", "--generate-hashes", "--python-version", "3.11", "--upgrade")
    unnamed = ("--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make lock", "-q")
    for wishes, result in LOCKED:
        code = _python(environment, "-m", "uv", "pip", "compile", *options, *unnamed, wishes, "-o", result)
        if code:
            return code
    return 0


TARGETS: dict[str, Callable[[Environment, Sequence[str]], int]] = {
    target.__name__.replace("_", "-"): target
    for target in (setup, dev, run, test, lint, types, laws, windows, soak, bench, golden_update, docs, fmt, lock)
}


def main(arguments: Sequence[str]) -> int:
    """Run one target; what is missing is said on one line."""
    if not arguments or arguments[0] not in TARGETS:
        for name, target in TARGETS.items():
            print(f"{name:14} {target.__doc__}")
        return 0 if arguments[:1] == ["help"] else 2
    try:
        return TARGETS[arguments[0]](Environment(CHECKOUT), arguments[1:])
    except SetupError as error:
        print(f"set-up stopped: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _python(environment: Environment, *arguments: str) -> int:
    return subprocess.call([str(environment.script("python")), *arguments], cwd=CHECKOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
