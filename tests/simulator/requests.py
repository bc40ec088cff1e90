"""Signed requests made by hand, on a path of their own: neither the client's signer nor the exchange's check."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from rebalancer.simulator.exchange import Exchange, ExchangeOptions
from rebalancer.simulator.faults import Faults
from rebalancer.simulator.http import Request, Response
from rebalancer.simulator.market import Market

HOST = "127.0.0.1:8900"
START_MS = 1_772_366_400_000  # 2026-03-01 12:00 UTC


def exchange(
    faults: str = "", *, holdings: dict[str, Decimal] | None = None, still: bool = True, **options: Any
) -> Exchange:
    made = Exchange(
        Market(seed=5, anchor_ms=START_MS, still=still),
        faults=Faults.parse(faults, seed=1),
        options=ExchangeOptions(**options),
    )
    made.add_user("access", "secret", holdings or {"BTC": Decimal(2), "USDT": Decimal(100_000)})
    return made


def signed(
    method: str,
    path: str,
    params: dict[str, str] | None = None,
    body: Any = None,
    *,
    now_ms: int = START_MS,
    secret: str = "secret",
    host: str = HOST,
    **changes: Any,
) -> Request:
    everything = {
        "AccessKeyId": "access",
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        **(params or {}),
    } | changes.pop("auth", {})
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='-_.~')}" for k, v in sorted(everything.items()))
    text = f"{method}\n{host}\n{path}\n{query}".encode()
    mac = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
    headers = {"content-type": "application/json"} if body is not None else {}
    raw = b"" if body is None else json.dumps(body).encode()
    fields = {"headers": headers, "body": raw} | changes
    return Request(method, host, path, f"{query}&Signature={quote(mac, safe='')}", **fields)


def place(
    made: Exchange, kind: str, amount: str, *, now_ms: int = START_MS, symbol: str = "btcusdt", **more: Any
) -> dict[str, Any]:
    body = {"account-id": "10101010", "symbol": symbol, "type": kind, "amount": amount, **more}
    return answered(made.handle(signed("POST", "/v1/order/orders/place", body=body, now_ms=now_ms), now_ms))


def answered(response: Response) -> dict[str, Any]:
    assert response.status == 200, response
    document: dict[str, Any] = json.loads(response.body, parse_float=Decimal)
    return document


def read(made: Exchange, path: str, params: dict[str, str] | None = None, *, now_ms: int = START_MS) -> Any:
    return answered(made.handle(signed("GET", path, params, now_ms=now_ms), now_ms))
