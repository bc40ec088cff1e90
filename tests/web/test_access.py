"""Who may see the page: exact names, one token, forms of our own."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.errors import ConfigError
from rebalancer.web.access import (
    IDLE_MAX,
    TOKEN_NAME,
    WRONG_MAX,
    WRONG_WITHIN,
    Access,
    Attempts,
    hosts_of,
    is_loopback,
    load_token,
)
from tests.core.builders import NOW

ACCESS = Access("t" * 43, hosts_of("127.0.0.1", 8765), secure=False)
OURS = "http://127.0.0.1:8765"
HOSTILE_HOSTS = [
    None, "", "evil.example", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8765.evil.example", "localhost", "localhost:8766",
    "127.0.0.1:8765@evil.example", "evil.example:8765", "127.0.0.1:8765,evil.example", "127.0.0.1 :8765", "0.0.0.0:8765",
    "127.0.0.2:8765", "[::]:8765", "127.0.0.1:08765", "2130706433:8765", "0x7f000001:8765", "localhost.:8765", "127.1:8765",
    "127.0.0.1:8765\x00", "http://127.0.0.1:8765",
]  # fmt: skip
HOSTILE_ORIGINS = [
    None, "null", "", "http://evil.example", "https://127.0.0.1:8765", "http://127.0.0.1", "http://127.0.0.1:8766",
    "http://127.0.0.1:8765.evil.example", "http://localhost:8765@evil.example", "file://",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_no_hostile_name_is_answered(host: str | None) -> None:
    assert not ACCESS.knows(host)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_our_own_names_are(host: str) -> None:
    assert ACCESS.knows(host)


@pytest.mark.parametrize("origin", HOSTILE_ORIGINS)
def test_no_other_origin_may_change_anything(origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert not ACCESS.may_change(headers, ACCESS.form_token)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_browser_that_says_another_site_asked_is_believed(site: str) -> None:
    assert not ACCESS.may_change({"origin": OURS, "sec-fetch-site": site}, ACCESS.form_token)


@pytest.mark.parametrize("token", [None, "", "x", ACCESS.session(NOW), ACCESS.token])
def test_a_form_without_its_token_changes_nothing(token: str | None) -> None:
    assert not ACCESS.may_change({"origin": OURS}, token)
    assert ACCESS.may_change({"origin": OURS, "sec-fetch-site": "same-origin"}, ACCESS.form_token)


def test_the_token_opens_the_cookie_does_not_and_neither_tells_the_other() -> None:
    session = ACCESS.session(NOW)
    assert ACCESS.opens(ACCESS.token + "\n") and not ACCESS.opens(session) and not ACCESS.opens("")
    assert ACCESS.idle(session, NOW) == timedelta(0)
    for forged in (None, "", ".", ACCESS.token, ACCESS.form_token, f"{session}0", f"9{session}", f"x{session}"):
        assert ACCESS.idle(forged, NOW) is None, forged
    assert ACCESS.token not in session and len({ACCESS.token, session, ACCESS.form_token}) == 3


def test_a_session_ends_when_nobody_looked_for_half_a_day_and_cannot_be_made_younger() -> None:
    session = ACCESS.session(NOW)
    assert ACCESS.idle(session, NOW + IDLE_MAX) == IDLE_MAX
    assert ACCESS.idle(session, NOW + IDLE_MAX + timedelta(seconds=1)) is None
    since, _, proof = session.partition(".")
    assert ACCESS.idle(f"{int(since) + 60}.{proof}", NOW) is None


def test_many_wrong_tokens_in_a_minute_close_the_door_for_the_rest_of_it() -> None:
    attempts = Attempts()
    for second in range(WRONG_MAX):
        assert not attempts.too_many(NOW + timedelta(seconds=second))
        attempts.count(NOW + timedelta(seconds=second))
    assert attempts.too_many(NOW + timedelta(seconds=WRONG_MAX))
    assert not attempts.too_many(NOW + WRONG_WITHIN), "and who types slowly is let alone"


def test_the_token_is_made_once_for_the_owners_eyes(tmp_path: Path) -> None:
    first = load_token(tmp_path)
    assert first == load_token(tmp_path) and len(first) >= 43
    assert stat.S_IMODE((tmp_path / TOKEN_NAME).stat().st_mode) == 0o600
    assert load_token(tmp_path) != load_token(_made(tmp_path / "other"))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40])
def test_a_token_that_is_none_is_a_config_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TOKEN_NAME).write_bytes(content)
    with pytest.raises(ConfigError, match="delete it to get a new one"):
        load_token(tmp_path)


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104  # it must be refused
        ("192.0.2.1", False),
        ("example", False),
    ],
)
def test_only_this_machines_own_addresses_are_loopback(host: str, own: bool) -> None:
    assert is_loopback(host) == own
    assert ("127.0.0.1:9" in hosts_of(host, 9)) == own
