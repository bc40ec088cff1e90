"""Settings: environment before credential files before defaults, one exchange, and no message that shows a value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.cli.exits import Exit
from rebalancer.cli.main import run
from rebalancer.errors import ConfigError
from rebalancer.settings import DEFAULT_URL, SECRET_NAMES, Settings, exposed_secrets, is_loopback, load, unknown_names
from tests.targets.files import UNTIMED

KEY = {"htx_access_key": "access-of-nobody", "htx_secret_key": "secret/of+nobody="}
FOLDERS = ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "XDG_STATE_HOME", "XDG_CONFIG_HOME")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("REBALANCER_") or name in FOLDERS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def set_variables(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"REBALANCER_{name.upper()}", value)


def credential_files(monkeypatch: pytest.MonkeyPatch, folder: Path, **values: str) -> Path:
    for name, value in values.items():
        (folder / f"rebalancer_{name}").write_text(value)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_nothing_set_is_a_dry_run_on_the_embedded_exchange() -> None:
    made = load()
    assert (made.mode, made.venue_kind, made.htx_url, made.has_key) == ("dry-run", "embedded", DEFAULT_URL, False)
    assert made.key_pair() is None


@pytest.mark.parametrize(
    ("values", "venue_kind"),
    [
        (KEY, "htx"),
        ({"mode": "live"}, "htx"),
        (KEY | {"venue": "embedded"}, "embedded"),
        (KEY | {"htx_url": "http://127.0.0.1:8080"}, "loopback"),
        ({"htx_url": "http://127.0.0.1:8080"}, "embedded"),
        ({"venue": "htx"}, "htx"),
    ],
)
def test_the_venue_follows_from_key_mode_and_address(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], venue_kind: str
) -> None:
    set_variables(monkeypatch, **values)
    assert load().venue_kind == venue_kind


def test_the_environment_wins_over_credential_files_and_these_over_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    credential_files(monkeypatch, tmp_path, htx_access_key="of-file", htx_secret_key="of-file-too\n")
    assert load().key_pair() == ("of-file", "of-file-too")
    set_variables(monkeypatch, htx_secret_key="of-environment")
    assert load().key_pair() == ("of-file", "of-environment")
    monkeypatch.setenv("rebalancer_htx_access_key", "in-small-letters")
    assert load().key_pair() == ("in-small-letters", "of-environment")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    credential_files(monkeypatch, tmp_path, **KEY)
    set_variables(monkeypatch, htx_access_key="", mode="", state_dir="", targets="")
    made = load()
    assert (made.key_pair(), made.mode, made.state_dir, made.targets) == (tuple(KEY.values()), "dry-run", None, None)


@pytest.mark.parametrize("missing", SECRET_NAMES)
def test_half_a_key_is_refused_and_the_missing_half_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    set_variables(monkeypatch, **{name: value for name, value in KEY.items() if name != missing})
    with pytest.raises(ConfigError, match=f"REBALANCER_{missing.upper()} is missing; a key needs both halves"):
        load()


@pytest.mark.parametrize("content", ["", "\n", " \t\n"])
def test_an_empty_credential_file_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    credential_files(monkeypatch, tmp_path, **KEY | {"htx_secret_key": content})
    with pytest.raises(ConfigError, match=r"/rebalancer_htx_secret_key: is empty; put the secret into it"):
        load()


def test_an_unreadable_credential_file_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = credential_files(monkeypatch, tmp_path, htx_access_key="k")
    (folder / "rebalancer_htx_secret_key").mkdir()
    with pytest.raises(ConfigError, match="rebalancer_htx_secret_key: cannot be read as a credential: IsADirectory"):
        load()
    (folder / "rebalancer_htx_secret_key").rmdir()
    (folder / "rebalancer_htx_secret_key").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="rebalancer_htx_secret_key: cannot be read as a credential: UnicodeDecode"):
        load()


# Whatever is wrong: the variable is named and its value, perhaps a key pasted into the wrong place, is not shown.
PASTED = "9f8e7d-PASTED-INTO-THE-WRONG-PLACE"
WRONG: dict[str, dict[str, str]] = {
    "MODE": {"mode": PASTED},
    "VENUE": {"venue": PASTED},
    "HTX_URL": {"htx_url": f"https://{PASTED}:x@api.huobi.pro"},
    "HTX_URL port": {"htx_url": f"https://api.huobi.pro:{PASTED}"},
    "HTX_ACCOUNT_ID": {"htx_account_id": PASTED},
    "HTX_ACCOUNT_ID digits": {"htx_account_id": "١٢٣"},
    "HTX_SECRET_KEY": KEY | {"htx_secret_key": f"{PASTED} {PASTED}"},
    "HTX_ACCESS_KEY": KEY | {"htx_access_key": f"{PASTED}ü"},
    "HTX_PRIVATE_KEY": {"htx_private_key": PASTED},
    "LOG_LEVEL": {"log_level": PASTED},
    "CLOCK_RATE": {"clock_rate": PASTED},
    "CLOCK_RATE not a number": {"clock_rate": "nan", "htx_url": "http://127.0.0.1:1"},
    "CLOCK_RATE too high": {"clock_rate": "1e6", "htx_url": "http://127.0.0.1:1"},
    "CLOCK_RATE backwards": {"clock_rate": "-1", "htx_url": "http://127.0.0.1:1"},
    "CLOCK_RATE on the real exchange": {"clock_rate": "60"},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_names_its_variable_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    set_variables(monkeypatch, **WRONG[case])
    with pytest.raises(ConfigError, match=f"REBALANCER_{case.partition(' ')[0]}") as caught:
        load()
    assert run(["status"]) == Exit.CONFIG
    output = capsys.readouterr()
    for text in (str(caught.value), repr(caught.value), output.out, output.err):
        assert "PASTED" not in text
        assert "١٢٣" not in text


HOSTILE = [
    "http://api.huobi.pro", "https://api.huobi.pro.evil.com", "https://evil.com/api.huobi.pro", "https://api-huobi.pro",
    "https://user:pass@api.huobi.pro", "https://user@api.huobi.pro", "https://@api.huobi.pro", "https://:@api.huobi.pro",
    "https://api.huobi.pro@evil.com", "https://api.huobi.pro:443@evil.com", "https://evil.com#@api.huobi.pro",
    "https://api.huobi.pro/v1", "https://api.huobi.pro//", "https://api.huobi.pro?x=1", "https://api.huobi.pro?",
    "https://api.huobi.pro#", "https://api.huobi.pro:8443", "https://api.huobi.pro:99999", "https://api.huobi.pro:",
    "https://api.huobi.pro:443:443", "https://api.huobi.pro.", "https://api.huobi.pro\\.evil.com", "https://API.HUOBI.PRO",
    "https://api.huobi.pro\n", "https://api.huobi.pro\n.evil.com", "\thttps://api.huobi.pro", " https://api.huobi.pro",
    "https://api\u3002huobi.pro", "https://\uff41pi.huobi.pro", "https://apiXhuobi.pro", "https://api-aws.huobi.pro.evil.com",
    "https://127.0.0.1", "ftp://127.0.0.1", "//127.0.0.1", "127.0.0.1:80", "http:127.0.0.1", "http://127.0.0.1@evil.com",
    "http://127.0.0.1.evil.com", "http://localhost.evil.com", "http://evil.com:80", "http://0.0.0.0", "http://10.0.0.1",
    "http://127.0.0.999", "http://127.1", "http://2130706433", "http://0x7f.0.0.1", "http://0177.0.0.1", "http://[::]",
    "http://[::1", "http://[::1%25lo]", "http://[::ffff:10.0.0.1]", "http://127.0.0.1:0", "http://127.0.0.1:65536",
    "http://127.0.0.1:99999999", "http://127.0.0.1:port", "http://user@127.0.0.1", "http://127.0.0.1/x", "http://",
    "http://127.0.0.1:80?x", "http://127.0.0.1\n", "file:///etc/passwd", "javascript:alert(1)", "null", "https://",
]  # fmt: skip
ALLOWED = [
    "https://api.huobi.pro", "https://api.huobi.pro/", "https://api.huobi.pro:443", "https://api-aws.huobi.pro",
    "http://127.0.0.1:8080", "http://127.0.0.1", "http://127.8.9.10:1/", "http://localhost:65535", "http://[::1]:8080",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_address_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    set_variables(monkeypatch, htx_url=url, **KEY)
    assert run(["check"]) == Exit.CONFIG
    assert "REBALANCER_HTX_URL: only https://api.huobi.pro or https://api-aws.huobi.pro" in capsys.readouterr().err


@pytest.mark.parametrize("url", ALLOWED)
def test_the_exchange_and_this_machine_are_allowed(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    set_variables(monkeypatch, htx_url=url, **KEY)
    assert load().htx_url == url
    assert is_loopback(url) == url.startswith("http:")


@UNTIMED
@given(st.sampled_from(ALLOWED), st.integers(0, 30), st.characters(exclude_characters="/0123456789"))
def test_no_character_put_into_an_allowed_address_makes_another_that_is_allowed(url: str, at: int, more: str) -> None:
    changed = url[:at] + more + url[at:]
    with pytest.raises(ValueError, match="REBALANCER_HTX_URL: only"):
        Settings(htx_url=changed)


def test_a_clock_rate_is_for_a_simulated_exchange_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, clock_rate="60", htx_url="http://localhost:8080")
    assert load().clock_rate == 60


def test_a_misspelt_variable_is_listed_with_the_nearest_that_exists() -> None:
    names = {"REBALANCER_MDOE": "live", "REBALANCER_HTX_ACESS_KEY": "x", "REBALANCER_MODE": "live", "rebalancer_x": "1"}
    assert unknown_names(names | {"PATH": "/bin", "rebalancer_mode": "live"}) == [
        "REBALANCER_HTX_ACESS_KEY means nothing; did you mean REBALANCER_HTX_ACCESS_KEY?",
        "REBALANCER_MDOE means nothing; did you mean REBALANCER_MODE?",
        "rebalancer_x means nothing",
    ]


def test_a_secret_that_others_may_read_is_pointed_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = credential_files(monkeypatch, tmp_path, **KEY)
    for name in KEY:
        (folder / f"rebalancer_{name}").chmod(0o600)
    assert exposed_secrets(os.environ) == []
    (folder / "rebalancer_htx_secret_key").chmod(0o640)
    set_variables(monkeypatch, htx_access_key="k")
    warnings = exposed_secrets(os.environ)
    assert "REBALANCER_HTX_ACCESS_KEY is in the environment; a credential file is safer" in warnings
    assert f"{folder / 'rebalancer_htx_secret_key'} can be read by others: chmod 600 it" in warnings
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("variables", "state", "targets"),
    [
        ({}, "home/.local/state/rebalancer", "home/.config/rebalancer/targets.toml"),
        ({"STATE_DIRECTORY": "s:t", "CONFIGURATION_DIRECTORY": "c:d"}, "s", "c/targets.toml"),
        ({"STATE_DIRECTORY": "s", "REBALANCER_STATE_DIR": "own", "REBALANCER_TARGETS": "t.toml"}, "own", "t.toml"),
    ],
)
def test_files_lie_where_the_owner_says_else_systemd_else_the_users_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, Any], state: str, targets: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    paths = load().paths
    assert (tmp_path / paths.state, tmp_path / paths.targets) == (tmp_path / state, tmp_path / targets)
    assert (paths.journal("htx"), paths.journal("embedded")) == (
        paths.state / "journal.db",
        paths.embedded / "journal.db",
    )
