"""The version names the package and, in a checkout, the commit."""

from __future__ import annotations

from pathlib import Path

from quarterdeck.core.settings.version import _commit, code_version

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_version_is_one_word() -> None:
    assert code_version()
    assert not any(letter.isspace() for letter in code_version())


def test_a_detached_head_is_a_commit(tmp_path: Path) -> None:
    (tmp_path / "HEAD").write_text(COMMIT + "\n")
    assert _commit(tmp_path) == COMMIT


def test_a_branch_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "refs" / "heads" / "main").write_text(COMMIT + "\n")
    assert _commit(tmp_path) == COMMIT


def test_a_packed_branch_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "packed-refs").write_text(f"# pack-refs with: peeled\n{'f' * 40} refs/heads/other\n{COMMIT} refs/heads/main\n")
    assert _commit(tmp_path) == COMMIT


def test_no_checkout_has_no_commit(tmp_path: Path) -> None:
    assert _commit(tmp_path / ".git") == ""
