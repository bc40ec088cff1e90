"""What `status` tells of things that wait or were refused: the owner's answers, and weights staged on the page."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.core.canonical import moment_text
from rebalancer.core.money import plain
from rebalancer.errors import ConfigError

if TYPE_CHECKING:
    from rebalancer.service.answers import Waiting
    from rebalancer.settings import Settings


def waiting_document(settings: Settings, now: datetime) -> dict[str, Any]:
    """Return the parts `answers` and `staged` of `rebalancer.status/1`; None for what is not there, or not ours to see.

    A `problem` says why nothing more is known.
    """
    return {"answers": _answers(settings.paths.state, now), "staged": _staged(settings)}


def _answers(state: Path, now: datetime) -> dict[str, Any] | None:
    from rebalancer.service.answers import waiting  # noqa: PLC0415
    from rebalancer.service.box import RequestRefused  # noqa: PLC0415
    from rebalancer.service.refusals import SHOWN, refused_in  # noqa: PLC0415

    document: dict[str, Any] = {"waiting": [], "refused": [], "problem": None}
    if state.exists() and state.stat().st_uid != os.geteuid():  # they are their owner's alone
        return None
    try:
        document["waiting"] = [_waiting(each, now) for each in waiting(state)]
        document["refused"] = [
            {"id": each.id, "what": each.what, "at": moment_text(each.at), "text": each.why}
            for each in refused_in(state)
            if now - each.at <= SHOWN
        ]
    except (RequestRefused, ConfigError) as exc:
        document["problem"] = str(exc)
    except OSError as exc:
        document["problem"] = f"{exc.filename}: {exc.strerror}"
    return document


def _waiting(each: Waiting, now: datetime) -> dict[str, Any]:
    from rebalancer.service.answers import LIFE  # noqa: PLC0415

    asked_at = None if each.answer is None else each.answer.asked_at
    problem = each.problem
    if asked_at is not None and abs(now - asked_at) > LIFE:
        why = "it waited for too long" if now > asked_at else "the clock was set back since"
        problem = f"{why}; answer again"
    return {
        "id": each.id,
        "what": each.what,
        "asked_at": asked_at and moment_text(asked_at),
        "counts_until": asked_at and moment_text(asked_at + LIFE),
        "problem": problem or None,
    }


def _staged(settings: Settings) -> dict[str, Any] | None:
    from rebalancer.targets.file import load_targets  # noqa: PLC0415
    from rebalancer.targets.staging import staged_in, staged_words  # noqa: PLC0415

    state = settings.paths.state
    try:
        staged = staged_in(state)
        if staged is None:
            return None
        document = {
            "weights": {asset: plain(percent) for asset, percent in staged.weights.items()},
            "asked_at": moment_text(staged.asked_at),
        }
        return {**document, "text": staged_words(state, load_targets(settings.paths.targets)), "problem": None}
    except ConfigError as exc:
        return {"weights": None, "asked_at": None, "text": None, "problem": str(exc)}


def waiting_texts(document: dict[str, Any]) -> list[str]:
    """Return the same in words, each with what answers it."""
    texts, answers, staged = (
        [],
        document["answers"] or {"waiting": [], "refused": [], "problem": None},
        document["staged"],
    )
    for each in answers["waiting"]:
        if each["problem"]:
            texts.append(f"ANSWER to {each['what']} will be refused: {each['problem']}")
        else:
            asked = each["asked_at"][:16].replace("T", " ")
            texts.append(f"ANSWER to {each['what']} waits since {asked} UTC; the service takes it when it runs")
    for each in answers["refused"]:
        at = each["at"][:16].replace("T", " ")
        texts.append(f"ANSWER to {each['what']} was refused at {at} UTC: {each['text']}")
    if answers["problem"]:
        texts.append(f"ANSWERS cannot be looked at: {answers['problem']}")
    if staged and staged["problem"]:
        texts.append(f"STAGED weights: {staged['problem']}")
    elif staged:
        text = f"STAGED on the page: {staged['text']}; `rebalancer targets confirm`"
        texts.append(f"{text}, or --discard")
    return texts
