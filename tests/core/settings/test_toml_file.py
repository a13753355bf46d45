"""Settings files as editors save them: with a mark, or in another encoding, which is named."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import pytest

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.settings.home import is_quarterdeck_settings
from quarterdeck.core.settings.overrides import read_overrides, read_returns
from quarterdeck.core.settings.secrets import read_secrets
from quarterdeck.core.settings.settings_loader import read_toml

TEXT = '[desk]\npairs = ["EURUSD"]\n'


def test_a_mark_before_utf8_is_skipped_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(codecs.BOM_UTF8 + TEXT.encode())
    assert read_toml(path) == {"desk": {"pairs": ["EURUSD"]}}
    assert is_quarterdeck_settings(path)
    path.write_bytes(codecs.BOM_UTF8 + b'[override."risk.risk_per_trade_pct"]\nvalue = 0.5\nreplaced = 1.0\n')
    assert read_overrides(path, lambda _: 1.0)[0]["risk.risk_per_trade_pct"].value == 0.5
    assert read_returns(path) == ()
    path.write_bytes(codecs.BOM_UTF8 + b'password = "secret"\n')
    path.chmod(0o600)
    assert read_secrets(path, {}).password == "secret"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named_with_the_remedy(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(TEXT.encode(encoding))
    with pytest.raises(SettingsError, match="is written in UTF-16") as refused:
        read_toml(path)
    assert refused.value.what_to_do == "save it as UTF-8"
    assert is_quarterdeck_settings(path), "else other settings would trade"


def test_an_old_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"# ok\n# caf\xe9\n")
    with pytest.raises(SettingsError, match="line 2: is not UTF-8"):
        read_toml(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TEXT.encode("utf-32"), "is written in UTF-32"),
        (TEXT.encode() + b"\0" * 9, "line 3: holds NUL bytes"),
        (TEXT.replace("\n", "\r").encode(), "its lines end with CR alone"),
        (TEXT.replace("pairs", "\u00a0pairs").encode(), "line 2 holds U+00A0 (NO-BREAK SPACE)"),
        (TEXT.replace("pairs", "pa\u200birs").encode(), "line 2 holds U+200B (ZERO WIDTH SPACE)"),
        (TEXT.replace('"EURUSD"', "\u201cEURUSD\u201d").encode(), "line 2 holds U+201C (LEFT DOUBLE QUOTATION MARK)"),
        (codecs.BOM_UTF8 * 2 + TEXT.encode(), "line 1 holds U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        (TEXT.encode() + b"\x1a", "line 3 holds U+001A (a control character)"),
    ],
)
def test_what_an_editor_does_not_show_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=re.escape(words)):
        read_toml(path)


def test_odd_letters_in_comments_and_texts_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('# \u201cours\u201d\u00a0\n[strategy]\nname = "a\u00a0b"\n')
    assert read_toml(path) == {"strategy": {"name": "a\u00a0b"}}


def test_settings_in_the_file_of_overrides_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    path.write_text("[risk]\nrisk_per_trade_pct = 0.4\n")
    with pytest.raises(SettingsError, match="it has risk, which `quarterdeck set` never writes"):
        read_overrides(path, lambda _: 1.0)
