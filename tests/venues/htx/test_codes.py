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
from rebalancer.venues.htx.codes import KINDS, Kind, auth_cause, kind_of_read, refuses_place
from rebalancer.venues.htx.envelope import (
    Failure,
    RawReply,
    error_of_read,
    open_envelope,
    placed_order_id,
    read_payload,
)


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


@pytest.mark.parametrize(
    ("code", "words", "cause"),
    [
        ("api-signature-not-valid", "Signature not valid: Incorrect IP address [x]:203.0.113.7", AuthCause.IP),
        ("api-signature-not-valid", "Signature not valid: Invalid submission time or incorrect time", AuthCause.CLOCK),
        ("operation-forbidden-for-lock-account-state", "locked", AuthCause.ACCOUNT),
        ("login-required", "", AuthCause.OTHER),
        ("account-frozen-balance-insufficient-error", "trade account balance is not enough", None),
        ("order-value-min-error", "too small", None),
    ],
)
def test_a_refused_place_call_says_whether_it_was_for_who_we_are(
    code: str, words: str, cause: AuthCause | None
) -> None:
    with pytest.raises(Rejected) as caught:
        placed_order_id("place", v1_error(code, words))
    assert caught.value.cause is cause and "203.0.113.7" not in str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        "brand-new-code",
        "",
        "base-record-invalid",
        "invalid-parameter",
        "1003",
        "510",
        "invalid-client-order-id",
        "order-orderstate-error",
        "fl-order-already-existed",
        "invalid-end-date",
        "dw-insufficient-balance",
    ],
)
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


@pytest.mark.parametrize(
    "code",
    ["account-state-invalid", "account-get-accounts-inexistent-error", "operation-forbidden-for-lock-account-state",
     "sub-user-auth-required"],
)  # fmt: skip
def test_what_is_wrong_with_the_account_is_told_by_the_code_before_the_words(code: str) -> None:
    assert auth_cause(code, "Incorrect IP address") is AuthCause.ACCOUNT


@pytest.mark.parametrize(
    ("message", "cause"),
    [("Invalid Signature", AuthCause.SIGNATURE), ("the request is FORBIDDEN", AuthCause.PERMISSION)],
)
def test_the_words_count_in_any_case(message: str, cause: AuthCause) -> None:
    assert auth_cause("api-signature-not-valid", message) is cause


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("invalid-parameter", "request limit", Kind.RATE),
        ("invalid-parameter", "the request timeout was met", Kind.UNKNOWN),
        ("invalid-parameter", "invalid symbol", Kind.FINAL),
        ("bad-request", "request limit", Kind.FINAL),
        ("bad-request", "request timeout", Kind.FINAL),
        ("base-not-found", "request timeout", Kind.LOOKUP),
        ("brand-new-code", "words", Kind.FINAL),
    ],
)
def test_the_words_split_one_code_only(code: str, message: str, kind: Kind) -> None:
    assert kind_of_read(code, message) is kind


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (RawReply(502, b"<html>"), "HTTP 502"),
        (RawReply(200, b"<html>"), "unreadable answer: place: not valid JSON (JSONDecodeError, 6 bytes)"),
        (v1_error("timeout", "later"), "timeout: later"),
        (v1_error("brand-new-code"), "brand-new-code: words"),
        (RawReply(200, b'{"status":"error","err-msg":"why"}'), "(no code): why"),
        (RawReply(200, b'{"status":"ok","data":1e0}'), "accepted without a usable order id"),
        (RawReply(200, b'{"status":"ok","data":null}'), "accepted without a usable order id"),
    ],
)
def test_an_unknown_outcome_says_what_came_instead_of_an_answer(reply: RawReply, words: str) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        placed_order_id("place", reply)
    assert caught.value.cause == words


def test_a_refused_place_call_keeps_the_exchanges_code_and_words() -> None:
    with pytest.raises(Rejected) as caught:
        placed_order_id("place", v1_error("order-value-min-error", "too little"))
    assert (caught.value.code, caught.value.message) == ("order-value-min-error", "too little")


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b'{"status":"error","err-code":"a","err-msg":"b"}', Failure(200, "a", "b")),
        (b'{"status":"error","err_code":"a","err_msg":"b"}', Failure(200, "a", "b")),
        (b'{"status":"error","err-code":"a","err_code":"z","err-msg":"b","err_msg":"y"}', Failure(200, "a", "b")),
        (b'{"status":"error","err-msg":"b"}', Failure(200, "(no code)", "b")),
        (b'{"status":"error"}', Failure(200, "(no code)", "")),
        (b'{"status":"error","err-code":"a","data":"7"}', Failure(200, "a", "", has_data=True)),
        (b'{"code":2002,"message":"b"}', Failure(200, "2002", "b")),
        (b'{"code":"2002"}', Failure(200, "2002", "")),
        (b'{"code":500,"message":"b","data":[]}', Failure(200, "500", "b", has_data=True)),
        (b'{"code":1002,"message":"from 203.0.113.7, key k-1"}', Failure(200, "1002", "from (address), key (key)")),
        (b'{"code":1002,"message":"k-1 twice k-1"}', Failure(200, "1002", "(key) twice (key)")),
        (b'{"code":1002,"message":"from 2001:db8::1 it came"}', Failure(200, "1002", "from (address) it came")),
        (b'{"status":"error","err-code":"no-k-1","err-msg":""}', Failure(200, "no-(key)", "")),
    ],
)  # fmt: skip
def test_an_error_envelope_is_read_to_its_code_and_its_words_without_key_and_address(
    body: bytes, failure: Failure
) -> None:
    assert open_envelope("x", RawReply(200, body, hidden="k-1")) == failure


def test_words_are_left_as_they_are_where_no_key_is_to_be_hidden() -> None:
    assert open_envelope("x", RawReply(200, b'{"code":1002,"message":"key k-1"}')) == Failure(200, "1002", "key k-1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"status":"ok","err-code":"a"}', "x: it says both ok and an error code"),
        (b'{"status":"ok","err_code":"a"}', "x: it says both ok and an error code"),
        (b'{"status":"maybe"}', "x: status 'maybe' is neither ok nor error"),
        (b'{"data":1}', "x: field `code` is absent"),
        (b"[1]", "x: a JSON object was expected, got list"),
    ],
)
def test_an_envelope_that_cannot_be_believed_is_malformed_by_its_endpoint(body: bytes, words: str) -> None:
    with pytest.raises(MalformedReply) as caught:
        read_payload("x", RawReply(200, body))
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (429, "x: HTTP 429, too many requests", "429"),
        (403, "x: HTTP 403; the exchange does not serve this address or region", "403"),
        (502, "x: HTTP 502", "502"),
        (201, "x: HTTP 201", "201"),
    ],
)
def test_a_read_that_was_not_answered_says_the_http_status(status: int, words: str, code: str) -> None:
    with pytest.raises(Unavailable) as caught:
        read_payload("x", RawReply(status, b'{"status":"ok"}'))
    assert (str(caught.value), caught.value.code) == (words, code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("base-request-exceed-frequency-limit", "x: m (base-request-exceed-frequency-limit)"),
        ("system-maintenance", "x: m (system-maintenance)"),
        ("timeout", "x: m (timeout)"),
        ("base-not-found", "x: m (base-not-found)"),
        ("base-symbol-error", "base-symbol-error: x: m"),
        ("login-required", "login-required: x: m"),
    ],
)
def test_a_failed_read_says_endpoint_words_and_code(code: str, words: str) -> None:
    error = error_of_read("x", Failure(200, code, "m"))
    assert str(error) == words
    assert getattr(error, "code", code) == code


def test_a_failed_read_is_told_by_its_endpoint_from_the_bytes_on() -> None:
    with pytest.raises(RecordNotFound, match=r"^order: no such order \(base-record-invalid\)$"):
        read_payload("order", v1_error("base-record-invalid", "no such order"))
