"""Settings come from INTERLOCK_* variables, or from the files that they name."""

from pathlib import Path

import pytest
from interlock_runtime.settings import HttpSettings, StoreSettings
from pydantic import ValidationError


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As container secrets come; the trailing newline is not part of it."""
    (tmp_path / "key").write_text("0123456789abcdef\n")
    monkeypatch.setenv("INTERLOCK_KEY_PEPPER_FILE", str(tmp_path / "key"))

    assert HttpSettings().key_pepper.get_secret_value() == "0123456789abcdef"


def test_a_secret_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a log, not in a traceback."""
    monkeypatch.setenv("INTERLOCK_KEY_PEPPER", "0123456789abcdef")

    assert "0123456789abcdef" not in repr(HttpSettings())


def test_a_wrong_value_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that cannot start must say what to change."""
    monkeypatch.setenv("INTERLOCK_S3_ENDPOINT", "localhost:9000")
    monkeypatch.setenv("INTERLOCK_S3_ACCESS_KEY", "a")
    monkeypatch.setenv("INTERLOCK_S3_SECRET_KEY", "b")

    with pytest.raises(ValidationError, match="s3_endpoint"):
        StoreSettings()
