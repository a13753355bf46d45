"""Write the pages of docs/ that are made from the program: every command and every setting.

Promises: the same text on every machine; `tests/docs` fails while a page differs from what the program says.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_WIDTH = "100"


def commands_page() -> str:
    """docs/commands.md: what each command says of itself."""
    from cli.main import SUBCOMMANDS

    parts = ["# Commands\n\nWritten by `make docs` from what the commands say of themselves.\n"]
    parts.append("\n" + "".join(f"- [`quarterdeck {name}`](#{name}): {entry.purpose}\n" for name, entry in SUBCOMMANDS.items()))
    for name, entry in SUBCOMMANDS.items():
        parts.append(f"\n## {name}\n\n```\n{_help(name)}\n```\n")
        parts += [f"\n### {name} {part}\n\n```\n{_help(name, part)}\n```\n" for part in entry.parts]
    return "".join(parts)


def settings_page() -> str:
    """docs/settings.md: every parameter with its shipped value."""
    from core.settings.load import look_up, shipped_tree, shown
    from core.settings.parameters import meaning_of, parameters, sections

    tree = shipped_tree()
    origin = "Written by `make docs` from the settings' own types and the shipped `settings.toml`."
    parts = [f"# Settings\n\n{origin} `quarterdeck set KEY` says the same.\n"]
    head = "| key | shipped | allowed | meaning | takes effect |\n|---|---|---|---|---|\n"
    for section in sections():
        parts.append(f"\n## {section}\n\n{meaning_of(section)}\n\n{head}")
        for row in parameters().values():
            if row.section == section:
                cells = (f"`{row.key}`", f"`{shown(look_up(tree, row.key))}`", row.allowed, row.meaning, row.takes_effect)
                parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


PAGES = {"docs/commands.md": commands_page, "docs/settings.md": settings_page}


def main() -> int:
    """Write all pages; print the names of those that changed."""
    for name, page in PAGES.items():
        path, text = CHECKOUT / name, page()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {name}")
    return 0


def _help(*words: str) -> str:
    from cli.main import main as run

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
