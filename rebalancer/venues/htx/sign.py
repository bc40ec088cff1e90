"""Request and time in, signed query out: HTX's HMAC-SHA256 signature, version 2. Pure.

HTX API reference, "Authentication": the parameters are percent-encoded as UTF-8 with upper-case hex, sorted by name
in byte order, and signed together with the verb, the host in lower case and the path.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

UNRESERVED = "-_.~"


class Credentials:
    """An access key and its secret, which no text form of this object shows."""

    __slots__ = ("_access_key", "_secret_key")

    def __init__(self, access_key: str, secret_key: str) -> None:
        if not access_key or not secret_key:
            raise ValueError("access key and secret key must both be given")
        self._access_key = access_key
        self._secret_key = secret_key

    @property
    def access_key(self) -> str:
        """Return the public half, which travels in the query and is still never printed."""
        return self._access_key

    def sign(self, text: str) -> str:
        """Return the base64 HMAC-SHA256 of `text`."""
        digest = hmac.new(self._secret_key.encode(), text.encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode("ascii")

    def secrets(self) -> tuple[str, str]:
        """Return both texts, for the redacting log handler alone."""
        return self._access_key, self._secret_key

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __reduce__(self) -> str:
        raise TypeError("credentials are not serialised")


def encode(text: str) -> str:
    """Percent-encode one name or value the way the signature counts it."""
    return quote(text, safe=UNRESERVED)


def canonical_query(params: Mapping[str, str]) -> str:
    """Return the parameters sorted by name in byte order, encoded and joined."""
    return "&".join(f"{encode(name)}={encode(params[name])}" for name in sorted(params))


def timestamp(moment: datetime) -> str:
    """Return UTC in whole seconds, without zone: the only form HTX takes."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def text_to_sign(method: str, host: str, path: str, query: str) -> str:
    """Return the four lines that the signature covers."""
    return f"{method.upper()}\n{host.lower()}\n{path}\n{query}"


def signed_query(
    credentials: Credentials,
    *,
    method: str,
    host: str,
    path: str,
    moment: datetime,
    params: Mapping[str, str] | None = None,
) -> str:
    """Return the whole query text, `Signature` last; send exactly this text.

    `params` are a GET's business parameters. A POST has none: its body is not signed.
    """
    query = canonical_query(
        {
            **(params or {}),
            "AccessKeyId": credentials.access_key,
            "SignatureMethod": "HmacSHA256",
            "SignatureVersion": "2",
            "Timestamp": timestamp(moment),
        }
    )
    signature = credentials.sign(text_to_sign(method, host, path, query))
    return f"{query}&Signature={encode(signature)}"
