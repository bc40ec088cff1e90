from __future__ import annotations

import pytest

from rebalancer.errors import (
    AuthCause,
    AuthFailed,
    MalformedReply,
    OutcomeUnknown,
    RateLimited,
    RecordNotFound,
    Rejected,
    Unavailable,
)
from rebalancer.venues.htx.codes import KINDS, Kind, auth_cause, refuses_place
from rebalancer.venues.htx.envelope import Failure, RawReply, error_of_read, placed_order_id, read_payload


def v1_error(code: str, message: str = "words") -> RawReply:
    return RawReply(200, f'{{"status":"error","err-code":"{code}","err-msg":"{message}","data":null}}'.encode())


@pytest.mark.parametrize("code", sorted(code for code, kind in KINDS.items() if kind is Kind.UNKNOWN))
def test_ambiguous_codes_leave_a_place_call_unknown(code: str) -> None:
    with pytest.raises(OutcomeUnknown):
        placed_order_id("place", v1_error(code))


@pytest.mark.parametrize("code", sorted(code for code in KINDS if refuses_place(code)))
def test_listed_refusals_reject_a_place_call(code: str) -> None:
    with pytest.raises(Rejected) as caught:
        placed_order_id("place", v1_error(code))
    assert caught.value.code == code


@pytest.mark.parametrize("code", ["brand-new-code", "", "base-record-invalid", "invalid-parameter", "1003", "510"])
def test_unlisted_and_foreign_codes_leave_a_place_call_unknown(code: str) -> None:
    with pytest.raises(OutcomeUnknown):
        placed_order_id("place", v1_error(code))


@pytest.mark.parametrize("status", [201, 204, 301, 307, 400, 403, 404, 405, 429, 500, 502, 503, 504, 520])
def test_every_other_http_status_leaves_a_place_call_unknown(status: int) -> None:
    with pytest.raises(OutcomeUnknown):
        placed_order_id("place", RawReply(status, b'{"status":"ok","data":"123"}'))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b'{"status":"ok"', b'{"status":"ok","data":null}', b'{"status":"ok","data":""}',
        b'{"status":"ok","data":"12a"}', b'{"status":"ok","data":true}', b'{"status":"ok","data":"0"}',
        b'{"status":"ok","data":1.5}', b'{"status":"fine","data":"1"}', b"[1]", b'{"data":"1"}',
        b'{"status":"ok","data":"1","data":"2"}', b'{"status":"ok","data":"\xff"}', b'{"status":"ok","data":"\\u0661"}',
    ],
)  # fmt: skip
def test_answers_without_a_usable_order_id_leave_a_place_call_unknown(body: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        placed_order_id("place", RawReply(200, body))


@pytest.mark.parametrize(
    "body", [b'{"status":"ok","data":"1234567890123456"}', b'{"status":"ok","data":1234567890123456}']
)
def test_order_id_is_taken_as_text_or_number(body: bytes) -> None:
    assert placed_order_id("place", RawReply(200, body)) == "1234567890123456"


READ_ERRORS = {
    Kind.FINAL: Rejected,
    Kind.TEMPORARY: Unavailable,
    Kind.UNKNOWN: Unavailable,
    Kind.AUTH: AuthFailed,
    Kind.RATE: RateLimited,
    Kind.LOOKUP: RecordNotFound,
}


@pytest.mark.parametrize("code", sorted(KINDS))
def test_every_listed_code_has_its_meaning_for_a_read(code: str) -> None:
    assert type(error_of_read("x", Failure(200, code, "words"))) is READ_ERRORS[KINDS[code]]


def test_rate_limit_of_market_data_is_told_by_its_words() -> None:
    assert isinstance(error_of_read("x", Failure(200, "invalid-parameter", "request limit")), RateLimited)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("Signature not valid: Incorrect Access key [Access key错误]", AuthCause.KEY),
        ("Signature not valid: Verification failure [校验失败]", AuthCause.SIGNATURE),
        ("Signature not valid: Invalid submission time or incorrect time format [x]", AuthCause.CLOCK),
        ("Signature not valid: Incorrect IP address [IP地址错误]:203.0.113.7", AuthCause.IP),
        ("Signature not valid: API key has no permission [API Key没有权限]", AuthCause.PERMISSION),
        ("Signature not valid: APIkey has expired", AuthCause.EXPIRED),
        ("something new", AuthCause.OTHER),
    ],
)
def test_one_auth_code_is_split_into_its_causes_by_the_words(message: str, cause: AuthCause) -> None:
    assert auth_cause("api-signature-not-valid", message) is cause


def test_caller_address_is_hidden_in_auth_messages() -> None:
    with pytest.raises(AuthFailed) as caught:
        read_payload("x", v1_error("api-signature-not-valid", "Incorrect IP address [x]:203.0.113.7"))
    assert "203.0.113.7" not in str(caught.value)
    assert caught.value.cause is AuthCause.IP


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"status":"ok","data":1}', 1),
        (b'{"ch":"x","status":"ok","ts":1,"data":1}', 1),
        (b'{"code":200,"message":"success","data":1}', 1),
        (b'{"code":"200","data":1,"ok":true}', 1),
        (b'{"status":"ok","data":1,"ts":"1710000000123","full":1}', 1),
    ],
)
def test_all_four_envelopes_open(body: bytes, wanted: int) -> None:
    assert read_payload("x", RawReply(200, body))["data"] == wanted


def test_settings_errors_are_read_with_underscores_too() -> None:
    body = b'{"status":"error","err_code":"rate-too-many-requests","err_msg":"exceeded rate limit"}'
    with pytest.raises(RateLimited):
        read_payload("x", RawReply(200, body))


@pytest.mark.parametrize(
    ("status", "error"), [(429, RateLimited), (403, Unavailable), (502, Unavailable), (301, Unavailable)]
)
def test_reads_by_http_status(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_payload("x", RawReply(status, b"<html>"))


def test_an_envelope_that_says_neither_is_malformed() -> None:
    with pytest.raises(MalformedReply, match="neither"):
        read_payload("x", RawReply(200, b'{"status":"maybe"}'))
