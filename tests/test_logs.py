"""The log: one line an event, for foreign loggers too, without secrets and without what moves a terminal."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from rebalancer.logs import LOST, QUIET, configure, describe_crash, logger, redact, register_secrets
from tests.canary import KEYS, forms, hits, own_logging

FORMS = [(secret, name, form) for secret in KEYS for name, form in forms(secret)]


@pytest.fixture(autouse=True)
def without_masks() -> Iterator[None]:
    with own_logging():
        yield


def listen(level: str = "DEBUG") -> io.StringIO:
    """Configure logging as the service does, into a text; called in the test, after pytest has put its handlers."""
    register_secrets(KEYS)
    made = io.StringIO()
    configure(level, stream=made)
    return made


@pytest.mark.parametrize(("secret", "form"), [(s, f) for s, _, f in FORMS], ids=[f"{s[7:13]} {n}" for s, n, _ in FORMS])
def test_a_secret_is_masked_in_every_form(secret: str, form: str) -> None:
    assert redact(f"before {form} after") == f"before {form} after"
    register_secrets([secret])
    assert redact(f"before {form} after") == "before *** after"
    assert hits(redact(f"{form}{form}")) == []


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    register_secrets(["abcdef", "abcdef-ghi"])
    assert redact("abcdef-ghi abcdef") == "*** ***"


def test_what_is_too_short_to_be_a_key_masks_no_words() -> None:
    register_secrets(["", "at"])
    assert redact("at that gate") == "at that gate"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET https://x/y?AccessKeyId=ab-c&Signature=d%2Fe%3D&z=1", "GET https://x/y?AccessKeyId=***&Signature=***&z=1"),
        ("next=%3FSignature%3Dabc%26z", "next=%3FSignature=***"),
        ("x&Signature%3Dabc", "x&Signature=***"),
        ("{'AccessKeyId': 'abc', 'Signature': 'def='}", "{'AccessKeyId=***', 'Signature=***'}"),
        ('{"secret_key": "abc"}', '{"secret_key=***"}'),
        ("REBALANCER_HTX_SECRET_KEY=abc", "REBALANCER_HTX_SECRET_KEY=***"),
        ("Signature: abc", "Signature=***"),
        ("REBALANCER_HTX_SECRET_KEY: is empty", "REBALANCER_HTX_SECRET_KEY: is empty"),
        ("Signature not valid: Incorrect Access key", "Signature not valid: Incorrect Access key"),
        ("access key: unknown", "access key: unknown"),
    ],
)  # fmt: skip
def test_what_stands_behind_the_name_of_a_secret_is_masked_unseen(text: str, masked: str) -> None:
    assert redact(text) == masked


def test_control_characters_become_spaces_and_lines_stay_lines() -> None:
    assert redact("a\x1b[31mb\x00c\rd\x9be\u2028f\x7fg") == "a [31mb c d e f g"
    assert redact("a\n\tb") == "a\n\tb"


@pytest.mark.parametrize("level", logging.getLevelNamesMapping())
@pytest.mark.parametrize("name", ["rebalancer", "httpx", "httpcore.http11", "apscheduler", "urllib3", "some.library"])
def test_no_logger_shows_a_secret_at_any_level(name: str, level: str) -> None:
    stream, log, number = listen(), logging.getLogger(name), logging.getLevelNamesMapping()[level]
    for _, _, form in FORMS:
        log.log(number, "GET %s", f"https://api.huobi.pro/v1?AccessKeyId={form}")
        log.log(number, f"{form} in the words", extra={"more": form})  # noqa: G004  # a library does
        log.log(number, "%(key)s", {"key": form}, stack_info=True)
    assert hits(stream.getvalue()) == []
    if name == "some.library" and number >= logging.DEBUG:
        assert stream.getvalue().count("***") >= 3 * len(FORMS)


def test_our_own_events_are_one_line_each_and_masked() -> None:
    stream = listen()
    for _, _, form in FORMS:
        logger().info("cycle\nforged", key=form, nested={"deep": [form]}, exact=form.encode())
    lines = stream.getvalue().splitlines()
    assert len(lines) == len(FORMS)
    assert all(line.startswith("at=") and "level='info'" in line for line in lines)
    assert hits(stream.getvalue()) == []


def test_a_foreign_line_has_time_level_and_words_like_ours() -> None:
    stream = listen()
    logging.getLogger("some.library").warning("disk %s\nforged", "full")
    assert stream.getvalue().count("\n") == 1
    assert "level='warning' event='disk full\\nforged'" in stream.getvalue()


@pytest.mark.parametrize("name", QUIET)
def test_libraries_are_heard_only_when_they_warn(name: str) -> None:
    listen()
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert logging.getLogger(name).isEnabledFor(logging.WARNING)


def test_the_level_decides_what_is_said() -> None:
    stream = listen("WARNING")
    logger().info("quiet")
    logging.getLogger("some.library").info("quiet")
    logger().warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def raise_with(secret: str) -> None:
    local = secret  # noqa: F841  # a traceback that showed locals would show it
    try:
        {}[secret]
    except KeyError as exc:
        raise RuntimeError(f"could not use {secret}") from exc


@pytest.mark.parametrize(("secret", "form"), [(s, f) for s, _, f in FORMS], ids=[f"{s[7:13]} {n}" for s, n, _ in FORMS])
def test_a_traceback_names_the_place_and_shows_no_secret(secret: str, form: str) -> None:
    stream = listen()
    try:
        raise_with(form)
    except RuntimeError as exc:
        exc.add_note(f"also {form}")
        logging.getLogger("some.library").exception("failed")
        logger().exception("failed")
        said = describe_crash(exc)
    assert "RuntimeError: could not use ***" in said
    assert "test_logs.py" in said
    text = stream.getvalue()
    assert "raise_with" in text
    assert "KeyError" in text
    assert hits(text, said) == []


class Unprintable:
    def __str__(self) -> str:
        raise ValueError(f"no text for {KEYS[1]}")


@pytest.mark.parametrize("arguments", [(KEYS[1],), (Unprintable(),)], ids=["wrong kind", "unprintable"])
def test_a_line_that_cannot_be_written_is_reported_lost_without_its_arguments(
    capsys: pytest.CaptureFixture[str], arguments: tuple[Any, ...]
) -> None:
    stream = listen()
    logging.getLogger("some.library").warning("%d", *arguments)
    assert LOST in stream.getvalue()
    assert "some.library" in stream.getvalue()
    output = capsys.readouterr()
    assert hits(stream.getvalue(), output.err, output.out) == []
