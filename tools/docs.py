"""Write the pages of docs/ that are made from the program: every command, setting and key, and pictures of the screens.

Promises: the same text on every machine; `tests/docs` fails while a page or picture differs from what the program says.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_WIDTH = "100"


def commands_page() -> str:
    """docs/commands.md: what each command says of itself."""
    from quarterdeck.cli.json_keys import JSON_KEYS
    from quarterdeck.cli.main import SUBCOMMANDS

    def section(*words: str) -> str:
        keys = JSON_KEYS.get(" ".join(words))
        listed = "" if keys is None else f"\nKeys of `--json`: {', '.join(f'`{key}`' for key in keys)}.\n"
        return f"{'#' * (1 + len(words))} {' '.join(words)}\n\n```\n{_help(*words)}\n```\n{listed}"

    parts = [
        """# Commands

Written by `make docs` from what the commands say of themselves. With `--json` a command prints one JSON object on its last line;
its keys are only added to, never renamed or removed.
"""
    ]
    parts.append("\n" + "".join(f"- [`quarterdeck {name}`](#{name}): {entry.purpose}\n" for name, entry in SUBCOMMANDS.items()))
    for name, entry in SUBCOMMANDS.items():
        parts.append(f"\n{section(name)}")
        parts += [f"\n{section(name, part)}" for part in entry.parts]
    return "".join(parts)


def settings_page() -> str:
    """docs/settings.md: every parameter with its shipped value."""
    from quarterdeck.core.settings.parameters import meaning_of, parameters, sections
    from quarterdeck.core.settings.settings_loader import (
        look_up,
        shipped_settings,
        shipped_tree,
        toml_text,
        with_strategy_parameters,
    )
    from quarterdeck.core.strategy.strategy_loader import strategy_parameters

    own = strategy_parameters(shipped_settings().strategy)
    tree = with_strategy_parameters(shipped_tree(), own)
    origin = "Written by `make docs` from the settings' own types and the shipped `settings.toml`."
    parts = [f"# Settings\n\n{origin} `quarterdeck set KEY` says the same.\n"]
    head = "| key | shipped | allowed | meaning | takes effect |\n|---|---|---|---|---|\n"
    for section in sections():
        parts.append(f"\n## {section}\n\n{meaning_of(section)}\n\n{head}")
        for row in parameters(own).values():
            if row.section == section:
                cells = (f"`{row.key}`", f"`{toml_text(look_up(tree, row.key))}`", row.allowed, row.meaning, row.takes_effect)
                parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


def keys_page() -> str:
    """docs/keys.md: what each key does, from the screen's own table."""
    from quarterdeck.tui.keys import ACTIONS, GROUPS, display

    parts = [
        "# Keys\n\nWritten by `make docs` from the screen's own table. `?` on the screen shows them, and what is in focus;\n"
    ]
    parts.append("`[ui] keys` in the settings gives an action another key. Name the action as in the second column.\n")
    for where, words in GROUPS.items():
        parts.append(f"\n## {words}\n\n| key | action | what it does |\n|---|---|---|\n")
        for action in ACTIONS:
            if action.where == where:
                keys = " ".join(f"`{display(key)}`" for key in action.keys.split(","))
                parts.append(f"| {keys} | {action.id} | {action.meaning} |\n")
    return "".join(parts)


PAGES = {"docs/commands.md": commands_page, "docs/settings.md": settings_page, "docs/keys.md": keys_page}


def main() -> int:
    """Write all pages and draw all pictures; print the names of those that changed."""
    for name, page in PAGES.items():
        path, text = CHECKOUT / name, page()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {name}")
    return subprocess.call([sys.executable, "-m", "tests.tui.screen_pictures"], cwd=CHECKOUT)


def _help(*words: str) -> str:
    from quarterdeck.cli.main import main as run

    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDTH
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            run([*words, "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(line.rstrip() for line in said.getvalue().strip().splitlines())


if __name__ == "__main__":
    sys.exit(main())
