"""TOML text read with care: its size bounded, its lines kept, every failure a ConfigError that names the line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from rebalancer.errors import ConfigError

BYTES_MAX = 64 * 1024
LINE_MAX = 2000  # characters; a dotted key of many thousand parts costs the parser minutes
SHOWN_MAX = 40  # characters of a value in a message
BITS_SHOWN_MAX = 128  # Python refuses to print an integer of more than 4300 digits


def read_bytes(path: Path) -> bytes:
    """Return a file's content; ConfigError when it is not there, not readable or too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; set REBALANCER_TARGETS or write one") from None
    except OSError as exc:
        words = os.strerror(exc.errno or 0)
        raise ConfigError(f"{path}: cannot be read: {words}; check the path, its owner and its mode") from None
    if len(raw) > BYTES_MAX:
        raise ConfigError(f"{path}: larger than {BYTES_MAX} bytes; is this the right file?")
    return raw


def decode(raw: bytes, source: str) -> str:
    """Return bytes as text, line endings untouched; ConfigError when they are not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise ConfigError(f"{source}:{line}: not UTF-8 text; save the file as UTF-8") from None


def loads(text: str, source: str) -> dict[str, Any]:
    """Return the document with exact Decimals; ConfigError with the line where it stops being TOML."""
    if text.startswith("\ufeff"):
        raise ConfigError(f"{source}:1: begins with a byte order mark; save the file as UTF-8 without one")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LINE_MAX:
            raise ConfigError(f"{source}:{number}: {len(line)} characters, over {LINE_MAX}; break the line")
    try:
        return tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{source}:{_syntax_problem(str(exc), text)}") from None
    except RecursionError:
        raise ConfigError(f"{source}:1: values nested too deeply; write one key a line") from None
    except ValueError as exc:
        raise ConfigError(f"{source}:1: not valid TOML: {type(exc).__name__}; see the example in README") from None


def _decimal(text: str) -> Decimal:
    """Return an exact number; one whose exponent is beyond any Decimal is no number, and its checker says so."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _syntax_problem(words: str, text: str) -> str:
    """Return line, words and a next step for what the parser said."""
    twice = _stands_twice(text) if re.match("Cannot|Duplicate", words) else ""
    if twice:
        return twice
    lines = text.split("\n")
    named = re.search(r" \(at line (\d+), column \d+\)", words)
    if named is None:
        last = len(text.rstrip().split("\n"))
        return f"{last}: not valid TOML: {words}; the file ends too early, finish or restore it"
    number = int(named[1])
    line = lines[number - 1].strip()
    hint = 'write a bare number, without "%"' if re.search(r"=\s*[\d.]+\s*%", line) else "mend this line"
    return f"{number}: not valid TOML: {words}; {hint}: {printable(line)}"


_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.\-\"']+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\"']+)\s*=")


def _places(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each section header and key with its line; the parser itself keeps none."""
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            section = _parts(header[1])
            yield section, number
        elif key := _KEY.match(line):
            yield (*section, *_parts(key[1])), number


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in dotted.split("."))


def line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Return the first line of each section header and key, for messages."""
    found: dict[tuple[str, ...], int] = {}
    for path, number in _places(text):
        for size in range(1, len(path) + 1):  # a dotted key opens its tables too
            found.setdefault(path[:size], number)
    return found


def _stands_twice(text: str) -> str:
    """Return line and words for the first key that stands twice, or an empty text."""
    seen: dict[tuple[str, ...], int] = {}
    for path, number in _places(text):
        if path in seen:
            name = printable(".".join(path))
            return f"{number}: {name} stands twice, first on line {seen[path]}; keep one of them"
        seen[path] = number
    return ""


def show(value: object) -> str:
    """Return a value of a document as the file has it, on one line, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and value.bit_length() > BITS_SHOWN_MAX:
        return f"an integer of {value.bit_length()} bits"
    return printable(f'"{value}"' if isinstance(value, str) else str(value))


def printable(text: str) -> str:
    """Return a text without control characters, which could move a terminal's cursor, and not longer than a line."""
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 3] + "..."
