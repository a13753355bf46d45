"""The program speaks the trade's own words: words and turns of its old private language may not come back into any text.

Read are comments, docstrings and texts of the code, the pages of docs/, the README, CONTRIBUTING and settings.toml. Names of the code,
words in backticks and machine-read codes are no texts.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

OLD = {
    "told": (r"\b(?:un)?told\b", "reported, shown, given"),
    "fate": (r"\bfates?\b", "outcome; an unconfirmed order"),
    "mend": (r"\bmend(?:s|ed|ing)?\b", "correct, repair"),
    "by hand": (r"\b(?:by|a|another) hand\b", "manually; the operator"),
    "in care": (r"\b(?:in care|cared for|cares? for|care goes on|care of)\b", "managed, position management"),
    "turned round": (r"\bturned round\b", "reversed"),
    "barred": (r"\bbarred\b", "blocked"),
    "what stands": (r"\bstands? (?:in|at|under|beside|on|there|here|behind|above|below|before)\b", "is, lies"),
    "the line to": (r"\b(?:the|no) line to\b", "connection"),
    "operator's word": (r"\b(?:your|operator's) word\b", "your decision"),
    "whole, for complete": (r"\b(?:is|are|was|were|not) whole\b", "complete"),
    "give-back": (r"\b(?:give-back|gave back)\b", "profit retracement"),
    "rearm": (r"\brearm(?:s|ed)?\b", "reset the drawdown"),
    "dearer": (r"\bdear(?:er|est)\b", "more expensive, maximum"),
    "foreign position": (r"\bforeign positions?\b", "external position"),
    "shut market": (r"\bmarkets? (?:is|are|was) shut\b", "closed"),
    "affair": (r"\baffairs?\b", "concern"),
    "ask after": (r"\bask(?:s|ed)? after\b", "query"),
    "without a word": (r"\bwithout a word\b", "silently"),
    "mistakes for settings": (r"\bmend them\b|\bno instant\b", "invalid setting, not a valid time"),
    "of others": (r"\b(?:positions?|volume|orders) of others\b|\bours or of others\b", "external, not opened by this desk"),
    "stands so": (r"\bstands so\b", "is so already"),
    "the book agrees": (r"\bbooks? (?:agrees?|does not agree)\b", "positions match the broker's"),
    "limits' bases": (r"\blimits' bases\b", "what the loss limits are measured from"),
    "a row of a requirement list": (
        r" \((?!(?:M\d+|H[14]|D1|W1)\))(?:[A-Z]\d{1,2}(?:, ?| and )?)+\)|\brows? [A-Z]\d{1,2}\b",
        "nothing: nobody can look it up",
    ),
}
"""A turn of the old language, what it looks like, and what is said today."""

EXCEPTIONS = {
    "core/model/renamed_keys.py": "old names of settings, which are still understood",
    "core/model/tape_v1.py": "the words of the first tape",
    "docs/renamed.md": "translates the old names",
    "core/brokers/simulator/module_constants.py": "texts of the MetaTrader 5 module, word for word",
}
_ANY = re.compile("|".join(f"(?:{pattern})" for pattern, _ in OLD.values()), re.IGNORECASE)
_SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|CREATE|DELETE|PRAGMA|WHERE)\b|:[itrb]\b")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_FIELDS = re.compile(r"\{[^{}]*\}")


def texts_of_code(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each comment and string that has a blank in it; neither SQL nor the fields of an f-string."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string
        if token.type not in (tokenize.COMMENT, tokenize.STRING) or " " not in text.strip(" \"'") or _SQL.search(text):
            continue
        yield token.start[0], _FIELDS.sub("", text)


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    source = path.read_text(encoding="utf-8")
    if not _ANY.search(source):
        return  # taking a file apart costs more than looking through it
    yield from texts_of_code(source) if path.suffix == ".py" else enumerate(_CODE.sub("", source).splitlines(), 1)


def files() -> list[Path]:
    code = [path for room in ("core", "cli", "tui") for path in sorted((CHECKOUT / room).rglob("*.py"))]
    pages = sorted((CHECKOUT / "docs").glob("*.md"))
    found = [*code, *pages, CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "settings.toml"]
    return [path for path in found if path.relative_to(CHECKOUT).as_posix() not in EXCEPTIONS]


def test_no_text_brings_old_words_back() -> None:
    patterns = {name: (re.compile(pattern, re.IGNORECASE), today) for name, (pattern, today) in OLD.items()}
    found = [
        f"{path.relative_to(CHECKOUT).as_posix()}:{line}: {name!r}, say: {today}"
        for path in files()
        for line, text in texts_of(path)
        for name, (pattern, today) in patterns.items()
        if pattern.search(_CODE.sub("", text))
    ]
    assert found == []


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_each_exception_is_still_needed(path: str) -> None:
    assert (CHECKOUT / path).is_file()


@pytest.mark.parametrize(
    "text",
    ['"""What was told."""\n', "x = 1  # mend this by hand\n", 'x = f"the {y} is of unknown fate"\n', '"""Prices (D1, A4)."""\n'],
)
def test_the_check_finds_the_old_words(text: str) -> None:
    (found,) = list(texts_of_code(text))
    assert any(re.search(pattern, found[1], re.IGNORECASE) for pattern, _ in OLD.values())


@pytest.mark.parametrize("text", ["told = fate  # the outcome\n", 'code = "unknown_fate"\n', '"""ATR(M15) over (H1) bars."""\n'])
def test_names_codes_and_periods_are_no_old_words(text: str) -> None:
    found = [text for _, text in texts_of_code(text)]
    assert not any(re.search(pattern, text, re.IGNORECASE) for text in found for pattern, _ in OLD.values())
