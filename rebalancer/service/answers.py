"""The owner's answers while the service runs: left as private files, taken by whoever holds the lock.

An answer is to exactly the question that its owner was shown. It is journalled before its file is removed, and its row
carries its name: a crash between the two is a file whose answer is known, and it has no second effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.core.canonical import jsonable, parse_moment
from rebalancer.core.money import parse_decimal
from rebalancer.errors import ConfigError
from rebalancer.journal.rows import Kind
from rebalancer.journal.store import Journal
from rebalancer.service.box import ENDING, Box, Found, new_id
from rebalancer.service.questions import About, Question, Word, find, row_for
from rebalancer.service.refusals import Refusal, forget, remember

FOLDER = "answers"
SCHEMA = "rebalancer.answer/1"
LIFE = timedelta(hours=2)
TEXT_MAX = 20_000
YEARS = range(2000, 9999)  # no clock of ours ever showed another, and a life fits on either side
UNREADABLE = "an unreadable question"  # what a file is about that is no answer


@dataclass(frozen=True, slots=True)
class Answer:
    """A question as its owner was shown it, the word on it, who gave it and when, and the account that it is about."""

    question: Question
    word: Word
    who: str
    asked_at: datetime
    account: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer that nobody took yet, or a file that is none, with why."""

    id: str
    answer: Answer | None
    problem: str = ""

    @property
    def what(self) -> str:
        """Return the name of the question."""
        return UNREADABLE if self.answer is None else self.answer.question.what


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one answer: carried out, or refused with why."""

    id: str
    what: str
    refused: str = ""


def account_of(journal: Journal) -> dict[str, str]:
    """Return which account a journal is about."""
    return {} if journal.state.binding is None else asdict(journal.state.binding)


def leave(state: Path, answer: Answer) -> str:
    """Leave an answer for whoever holds the lock; return its id. One to the same question that waits is replaced.

    RequestRefused while too many wait, or where the folder is not ours alone.
    """
    box, made = Box(state / FOLDER, private=True), new_id()
    withdraw(state, answer.question.what)
    return box.put({"schema": SCHEMA, "id": made, **jsonable(asdict(answer))}, made)


def withdraw(state: Path, what: str) -> None:
    """Take back the answers to a question that nobody took yet. RequestRefused, OSError as `waiting`."""
    for each in waiting(state):
        if each.what == what:
            Box(state / FOLDER, private=True).remove(f"{each.id}{ENDING}")


def waiting(state: Path) -> list[Waiting]:
    """Return what waits, oldest first. RequestRefused, OSError: the folder is not to be trusted, or cannot be read."""
    return [_read(found) for found in Box(state / FOLDER, private=True).waiting()]


def waits(state: Path, answer_id: str) -> bool:
    """Return whether an answer was not taken yet."""
    return (state / FOLDER / f"{answer_id}{ENDING}").exists()


def is_recorded(journal: Journal, answer_id: str, asked_at: datetime) -> bool:
    """Return whether an answer stands in the journal."""
    # Taken within its life by some clock, so no row of it was written before that clock's reading.
    since = journal.seq_from(asked_at - LIFE)
    rows = journal.rows(after_seq=since - 1, kinds=(Kind.ACK,))
    return any(json.loads(row.payload_text).get("answer") == answer_id for row in rows)


def record(journal: Journal, answer: Answer, weights_digest: Callable[[], str], answer_id: str = "") -> None:
    """Journal an answer; ConfigError where its question does not stand any more as it was shown."""
    question = answer.question
    if answer.account != account_of(journal):
        raise ConfigError(f"the answer to {question.what} is about another account than this journal")
    now = find(journal, question.what, weights_digest)
    if now != question:
        raise ConfigError(f"{question.what} is another question by now: {now.text}; look at it, then answer again")
    row = row_for(question, answer.word, answer.who)
    journal.append(replace(row, payload={**row.payload, "answer": answer_id}) if answer_id else row)


def take(journal: Journal, state: Path, weights_digest: Callable[[], str], now: datetime) -> Iterator[Taken]:
    """Carry out what waits, oldest first, and yield what became of each; for the holder of the lock alone.

    What is refused is kept for `status`. RequestRefused, OSError as `waiting`; what was not reached waits on.
    """
    for each in waiting(state):
        yield _take(journal, state, weights_digest, now, each)


def _take(journal: Journal, state: Path, weights_digest: Callable[[], str], now: datetime, each: Waiting) -> Taken:
    why = each.problem
    if each.answer is not None and not is_recorded(journal, each.id, each.answer.asked_at):
        why = _refusal(journal, weights_digest, now, each.id, each.answer)
    if why:
        remember(state, Refusal(each.id, each.what, why, now))
    elif each.answer is not None:
        forget(state, each.what)
    Box(state / FOLDER, private=True).remove(f"{each.id}{ENDING}")
    return Taken(each.id, each.what, why)


def _refusal(journal: Journal, weights_digest: Callable[[], str], now: datetime, answer_id: str, answer: Answer) -> str:
    """Record an answer, or return why not."""
    if abs(now - answer.asked_at) > LIFE:
        return f"it was given at {answer.asked_at:%Y-%m-%d %H:%M} UTC, and counts for {LIFE.seconds // 3600} hours"
    try:
        record(journal, answer, weights_digest, answer_id)
    except ConfigError as exc:
        return str(exc)
    return ""


def _read(found: Found) -> Waiting:
    if found.problem:
        return Waiting(found.id, None, found.problem)
    try:
        return Waiting(found.id, _answer(found.document, found.id))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return Waiting(found.id, None, "it is no answer that this version writes")


def _answer(raw: Mapping[str, Any], answer_id: str) -> Answer:
    if (raw["schema"], raw["id"]) != (SCHEMA, answer_id):
        raise ValueError("another schema, or copied from another file")
    asked, word = raw["question"], raw["word"]
    question = Question(About(asked["about"]), _text(asked["what"]), _text(asked["text"]), _texts(asked["facts"]))
    said = Word(
        outcome=_text(word["outcome"]),
        filled=None if word["filled"] is None else _amounts(*word["filled"]),
        up_to_quote=None if word["up_to_quote"] is None else _amount(word["up_to_quote"]),
        reason=_text(word["reason"]),
    )
    if not said.fits(question):
        raise ValueError("the word does not answer the question")
    asked_at = parse_moment(_text(raw["asked_at"]))
    if asked_at.year not in YEARS:
        raise ValueError("no moment of ours")
    return Answer(question, said, _text(raw["who"]), asked_at, _texts(raw["account"]))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise TypeError("no text")
    return value


def _texts(values: Any) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in values.items()}


def _amounts(base: Any, quote: Any) -> tuple[Decimal, Decimal]:
    return _amount(base), _amount(quote)


def _amount(value: Any) -> Decimal:
    return parse_decimal(_text(value))
