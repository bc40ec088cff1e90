"""What goes in and out of the simulated exchange: plain values, no library's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as received. `query` is the raw text after `?`; header names are lower case."""

    method: str
    host: str  # as in the Host header, port included
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client_ip: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response. With `dropped`, the connection ends instead: nothing, or a cut body, is delivered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False
    delay_s: float = 0.0  # the door waits this long before it answers
