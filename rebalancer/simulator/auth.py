"""Who is calling: HTX's checks of key, clock, signature, address and permission, with its words.

Independent of the client's signer on purpose: the two check each other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from rebalancer.simulator.envelopes import error_v1, error_v2
from rebalancer.simulator.http import Request, Response
from rebalancer.simulator.state import User

WINDOW_MS = 300_000
CODE = "api-signature-not-valid"
KEY_TEXT = "Signature not valid: Incorrect Access key [Access key错误]"
SIGNATURE_TEXT = "Signature not valid: Verification failure [校验失败]"
CLOCK_TEXT = "Signature not valid: Invalid submission time or incorrect time format [无效的提交时间，或时间格式错误]"  # noqa: RUF001  # HTX's own
ADDRESS_TEXT = "Signature not valid: Incorrect IP address [IP地址错误]:"
PERMISSION_TEXT = "Signature not valid: API key has no permission [API Key没有权限]"
EXPIRED_TEXT = "Signature not valid: APIkey has expired"
AUTH_NAMES = ("AccessKeyId", "SignatureMethod", "SignatureVersion", "Timestamp", "Signature")


def query_params(query: str) -> dict[str, str]:
    """Return the decoded parameters of a raw query."""
    return dict(_pairs(query))


@lru_cache(maxsize=16)  # asked by the check of the signature and by the handler
def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(query, keep_blank_values=True))


def check(
    request: Request, users: Mapping[str, User], *, now_ms: int, permission: str, hosts: tuple[str, ...]
) -> User | Response:
    """Return the user behind a request, or HTX's refusal. `hosts` are names the caller may have signed for ours."""
    params = query_params(request.query)
    if any(not params.get(name) for name in AUTH_NAMES):
        return error_v1("login-required", "login-required")
    user = users.get(params["AccessKeyId"])
    if user is None:
        return _refused(request, KEY_TEXT)
    if user.expires_ms is not None and now_ms >= user.expires_ms:
        return _refused(request, EXPIRED_TEXT)
    if user.ip_addresses and not _address_allowed(request.client_ip, user.ip_addresses):
        return _refused(request, ADDRESS_TEXT + request.client_ip)
    sent_ms = _timestamp_ms(params["Timestamp"])
    if sent_ms is None or abs(now_ms - sent_ms) > WINDOW_MS:
        return _refused(request, CLOCK_TEXT)
    if not _signature_fits(request, params, user, hosts):
        return _refused(request, SIGNATURE_TEXT)
    if permission not in user.permissions:
        return _refused(request, PERMISSION_TEXT)
    return user


def _refused(request: Request, words: str) -> Response:
    if request.path.startswith("/v2/"):
        return error_v2(1003, words)
    return error_v1(CODE, words)


def _address_allowed(client_ip: str, allowed: tuple[str, ...]) -> bool:
    address = ipaddress.ip_address(client_ip)
    return any(address in ipaddress.ip_network(each, strict=False) for each in allowed)


def _timestamp_ms(stamp: str) -> int | None:
    try:
        moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp() * 1000)


def _signature_fits(request: Request, params: Mapping[str, str], user: User, hosts: tuple[str, ...]) -> bool:
    if params["SignatureMethod"] != "HmacSHA256" or params["SignatureVersion"] != "2":
        return False
    signed = sorted((name, value) for name, value in params.items() if name != "Signature")
    joined = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in signed)
    for host in (request.host, *hosts):
        text = f"{request.method}\n{host.lower()}\n{request.path}\n{joined}"
        mac = hmac.new(user.secret_key.encode(), text.encode(), hashlib.sha256).digest()
        if hmac.compare_digest(base64.b64encode(mac).decode(), params["Signature"]):
            return True
    return False


def _escape(value: str) -> str:
    return quote(value, safe="-_.~")
