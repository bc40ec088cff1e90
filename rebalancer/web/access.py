"""Who may see the page and ask for things: one token, exact hosts, forms of our own. Pure but for the token file."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rebalancer.errors import ConfigError

TOKEN_NAME = "web-token"  # noqa: S105  # a file's name
TOKEN_BYTES = 32
COOKIE = "rebalancer_session"
IDLE_MAX = timedelta(hours=12)  # a page that nobody looks at for so long is left
RENEW_AFTER = timedelta(minutes=5)
WRONG_MAX, WRONG_WITHIN = 10, timedelta(minutes=1)  # tokens; nobody types faster
STANDARD_PORTS = (80, 443)  # which browsers leave out
FORM_FIELD = "form_token"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none at all a browser would hide the origin of our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


_SINCE = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Access:
    """The token of this page and the names under which it may be asked for."""

    token: str
    hosts: frozenset[str]
    secure: bool  # over TLS: its cookie goes nowhere else

    @property
    def cookie(self) -> str:
        """Return the cookie's name; over TLS one that browsers take from this very host alone."""
        return f"__Host-{COOKIE}" if self.secure else COOKIE

    def session(self, now: datetime) -> str:
        """Return what the cookie holds from now on: derived, so that the token itself is not in every request."""
        since = str(int(now.timestamp()))
        return f"{since}.{self._derived(f'session {since}')}"

    @property
    def form_token(self) -> str:
        """Return what every form must carry: no other site can know it."""
        return self._derived("form")

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def knows(self, host: str | None) -> bool:
        """Return whether a Host header is one of ours, to the letter."""
        return host is not None and host.lower() in self.hosts

    def opens(self, typed: str) -> bool:
        """Return whether somebody has the token."""
        return hmac.compare_digest(typed.strip().encode(), self.token.encode())

    def idle(self, cookie: str | None, now: datetime) -> timedelta | None:
        """Return how long ago somebody who logged in asked for something; None for a stranger, and after too long."""
        since, _, proof = (cookie or "").partition(".")
        if not _SINCE.fullmatch(since) or not hmac.compare_digest(
            proof.encode(), self._derived(f"session {since}").encode()
        ):
            return None
        idle = abs(now - datetime.fromtimestamp(int(since), UTC))
        return idle if idle <= IDLE_MAX else None

    def may_change(self, headers: Mapping[str, str], form_token: str | None) -> bool:
        """Return whether a change comes from a form of our own pages."""
        origin = headers.get("origin")
        scheme = "https" if self.secure else "http"
        own = origin is not None and origin.lower() in {f"{scheme}://{host}" for host in self.hosts}
        same = headers.get("sec-fetch-site", "same-origin") == "same-origin"
        return (
            own
            and same
            and form_token is not None
            and hmac.compare_digest(form_token.encode(), self.form_token.encode())
        )


class Attempts:
    """Closes the door for a while after many wrong tokens."""

    def __init__(self) -> None:
        self._wrong: deque[datetime] = deque(maxlen=WRONG_MAX)

    def count(self, now: datetime) -> None:
        """Take note of a wrong token."""
        self._wrong.append(now)

    def too_many(self, now: datetime) -> bool:
        """Return whether no token is looked at now, not even the right one."""
        return len(self._wrong) == WRONG_MAX and abs(now - self._wrong[0]) < WRONG_WITHIN


def load_token(state: Path) -> str:
    """Return the token, made and kept for the owner's eyes at the first start; ConfigError when it cannot be."""
    path = state / TOKEN_NAME
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_token(path)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be made: {exc.strerror}; give the page a state directory to read") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    return _read_token(path)


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path}: cannot be read; run as its owner, or delete it to get a new one") from None
    if len(token) < TOKEN_BYTES:
        raise ConfigError(f"{path}: is too short to be a token; delete it to get a new one")
    return token


def hosts_of(host: str, port: int, names: Iterable[str] = ()) -> frozenset[str]:
    """Return the Host headers to answer: the address bound, loopback's names for a loopback one, names given."""
    own = {host, "localhost", "127.0.0.1", "[::1]"} if is_loopback(host) else {host}
    shown = {f"[{each}]" if ":" in each and not each.startswith("[") else each for each in {*own, *names}}
    bare = {each.lower() for each in shown} if port in STANDARD_PORTS else set()
    return frozenset({*bare, *(f"{each.lower()}:{port}" for each in shown)})


def is_loopback(host: str) -> bool:
    """Return whether an address to bind is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
