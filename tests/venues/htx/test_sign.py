from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote

import pytest

from rebalancer.venues.htx.sign import Credentials, canonical_query, encode, signed_query, text_to_sign, timestamp
from tests.support import machine_in

HOST = "api.huobi.pro"
OURS = Credentials("demo-access-key-0001", "demo-secret-key-0001")
OURS_AT = datetime(2024, 3, 1, 12, 34, 56, tzinfo=UTC)
SDK = Credentials("access", "secret")
SDK_AT = datetime(2019, 11, 21, 10, 0, 0, tzinfo=UTC)

VECTORS = {
    "sdk-accounts": (SDK, SDK_AT, "GET", "/v1/account/accounts", {}, "rWnLcMt3XBAsmXoNHtTQVpvMbH/cE1PXFwQAGeYwt3s="),
    "sdk-history": (
        SDK, SDK_AT, "GET", "/v1/account/history", {"account-id": "123", "currency": "btc"},
        "SGZYJ9Ub/hFerEBbSWsCxl8Djk+LRBgEZOB4fLc4T9Q=",
    ),
    "V1": (OURS, OURS_AT, "GET", "/v1/account/accounts", {}, "yeAdVJE39iYCITEDb/fkFjWQuJRRMFNNy35SuiObm0k="),
    "V2": (
        OURS, OURS_AT, "GET", "/v1/order/openOrders", {"account-id": "100009", "symbol": "btcusdt", "size": "10"},
        "rY5ron6ROqJSuH3qZXOxD7uH/84d23YqMLhp3Zge79c=",
    ),
    "V3": (OURS, OURS_AT, "POST", "/v1/order/orders/place", {}, "19YAbz8Xvq9rQKaB6rhhDh4OXVS/xqKNEMirHCHptDI="),
    "V4": (
        OURS, OURS_AT, "GET", "/v2/reference/transact-fee-rate", {"symbols": "btcusdt,ethusdt"},
        "nRkVMd4/PHaQTNAhzsVz/2e7nVWOHd9ib41d+HOKjk0=",
    ),
    "V5": (
        OURS, OURS_AT, "GET", "/v1/order/orders/getClientOrder", {"clientOrderId": "reb_2024-03-01_btc-01"},
        "NYJZN+bQydJbw+gyolwLlVHbivEvJS3a88pblDgGt04=",
    ),
    "V6": (
        OURS, OURS_AT, "POST", "/v1/order/orders/59378/submitcancel", {},
        "FbCiJFDkYMRQGa4+tUTsOQZBYuNxPuU3BCYY4TEMQlo=",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_signature_equals_the_published_vector(name: str) -> None:
    credentials, moment, method, path, params, wanted = VECTORS[name]
    query = signed_query(credentials, method=method, host=HOST, path=path, moment=moment, params=params)
    assert unquote(query.rpartition("&Signature=")[2]) == wanted


def test_raw_signer_equals_the_published_vector() -> None:
    query = canonical_query({"account-id": "1", "currency": "btcusdt"})
    signed = SDK.sign(text_to_sign("GET", HOST, "/v1/account/history", query))
    assert signed == "HUP3n78npIuTzVKyjEOrPictRKEUTRoYs7Ld5y38hmA="


def test_websocket_variant_of_the_text_signs_to_its_vector() -> None:
    query = canonical_query(
        {
            "accessKey": "demo-access-key-0001",
            "signatureMethod": "HmacSHA256",
            "signatureVersion": "2.1",
            "timestamp": "2024-03-01T12:34:56",
        }
    )
    assert OURS.sign(text_to_sign("GET", HOST, "/ws/v2", query)) == "r8Buu6AlSTgICFyDbg85tayucyGoy8UwfqZr4XHgss0="


def test_signed_text_is_the_documented_four_lines() -> None:
    params = {"account-id": "100009", "symbol": "btcusdt", "size": "10", "AccessKeyId": "demo-access-key-0001",
              "SignatureMethod": "HmacSHA256", "SignatureVersion": "2", "Timestamp": timestamp(OURS_AT)}  # fmt: skip
    text = text_to_sign("GET", "API.huobi.pro", "/v1/order/openOrders", canonical_query(params))
    assert text == (
        "GET\napi.huobi.pro\n/v1/order/openOrders\n"
        "AccessKeyId=demo-access-key-0001&SignatureMethod=HmacSHA256&SignatureVersion=2"
        "&Timestamp=2024-03-01T12%3A34%3A56&account-id=100009&size=10&symbol=btcusdt"
    )


def test_encoding_escapes_all_but_the_unreserved() -> None:
    assert encode("a b/c:d,e~f*g") == "a%20b%2Fc%3Ad%2Ce~f%2Ag"


def test_signature_in_the_url_is_encoded() -> None:
    query = signed_query(OURS, method="GET", host=HOST, path="/v1/account/accounts", moment=OURS_AT)
    assert query.endswith("&Signature=yeAdVJE39iYCITEDb%2FfkFjWQuJRRMFNNy35SuiObm0k%3D")


def test_credentials_show_nothing_and_cannot_be_serialised() -> None:
    for shown in (repr(OURS), str(OURS), f"{OURS}"):
        assert "demo" not in shown
    with pytest.raises(TypeError, match="not serialised"):
        pickle.dumps(OURS)


def test_half_a_key_is_no_key() -> None:
    with pytest.raises(ValueError, match="both"):
        Credentials("access", "")


def test_credentials_are_shown_as_hidden_and_told_to_the_redacting_handler_alone() -> None:
    assert repr(OURS) == "Credentials(***)"
    assert OURS.secrets() == ("demo-access-key-0001", "demo-secret-key-0001")
    with pytest.raises(TypeError, match=r"^credentials are not serialised$"):
        OURS.__reduce__()


@pytest.mark.parametrize("halves", [("", "secret"), ("access", ""), ("", "")])
def test_whichever_half_of_a_key_is_missing_the_refusal_says_both_are_needed(halves: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^access key and secret key must both be given$"):
        Credentials(*halves)


def test_a_time_in_any_zone_is_signed_as_utc_in_whole_seconds() -> None:
    moment = datetime(2024, 3, 1, 14, 34, 56, 999_999, tzinfo=timezone(timedelta(hours=2)))
    with machine_in("Asia/Tokyo"):
        assert timestamp(moment) == "2024-03-01T12:34:56"


def test_text_beyond_ascii_is_signed_and_encoded_as_utf_8() -> None:
    assert encode("é") == "%C3%A9"
    assert Credentials("a", "sécret").sign("é") == "xX1LfGbSSt7h6rDO0uBDNr8i8GqHhYJ6/H5fX0bsYyQ="


def test_the_verb_is_signed_in_upper_and_the_host_in_lower_case() -> None:
    assert text_to_sign("post", "API.Huobi.Pro", "/P", "Q=1") == "POST\napi.huobi.pro\n/P\nQ=1"
