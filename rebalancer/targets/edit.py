"""Editing `targets.toml` so that its comments and order stay, and replacing it so that nothing is ever lost."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from rebalancer.core.money import HUNDRED, ZERO, plain
from rebalancer.durable import write_durably
from rebalancer.errors import ConfigError
from rebalancer.targets.check import as_decimal, too_fine
from rebalancer.targets.file import ZERO_HINT
from rebalancer.targets.keys import ASSET
from rebalancer.targets.toml_text import line_numbers, loads, show

PREVIOUS_SUFFIX = ".previous"


def set_weights(
    text: str, changes: Mapping[str, Decimal], leave: Collection[str], source: str, *, sell: Collection[str] = ()
) -> str:
    """Return the file's text with these weights set and these coins taken out; every other byte stays.

    Those to `sell` are taken out too and named in [exit]. Raises ConfigError when the sum would not be 100, saying by
    how much.
    """
    before = loads(text, source)
    weights = before.get("weights")
    if not isinstance(weights, dict) or not weights:
        raise ConfigError(f"{source}: has no [weights] to edit; write the section by hand first")
    out = [*leave, *sell]
    _require_editable(changes, out, weights, source)
    wished = {asset: percent for asset, percent in {**weights, **changes}.items() if asset not in out}
    _require_hundred(wished, source)
    after = _edited(text, changes, out, source)
    leaving = before.get("exit", {})
    new = [asset for asset in dict.fromkeys(sell) if asset not in leaving]
    after = _with_exits(after, new, source)
    exits = {"exit": {**leaving, **dict.fromkeys(new, True)}} if new else {}
    if loads(after, source) != {**before, "weights": wished, **exits}:
        raise ConfigError(f"{source}: this layout cannot be edited here; change [weights] and [exit] by hand")
    return after


def with_weights(text: str, weights: Mapping[str, Decimal], source: str) -> str:
    """Return the file's text with these weights and no others; a figure that stays is left as it is written.

    Raises ConfigError as `set_weights` does.
    """
    before = loads(text, source).get("weights")
    known = before if isinstance(before, dict) else {}
    changes = {asset: percent for asset, percent in weights.items() if as_decimal(known.get(asset)) != percent}
    leaving = [asset for asset, percent in known.items() if asset not in weights and as_decimal(percent) != ZERO]
    return set_weights(text, changes, leaving, source)


def _with_exits(text: str, coins: Collection[str], source: str) -> str:
    """Return the text with coins named in [exit]: below its header, or in a new section at the end."""
    if not coins:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    new = "".join(f"{coin} = true{newline}" for coin in coins)
    lines = text.splitlines(keepends=True)
    number = line_numbers(text).get(("exit",))
    if number is None:
        gap = "" if text.endswith("\n") else newline
        return f"{text}{gap}{newline}[exit]{newline}{new}"
    head = lines[number - 1]
    if not head.lstrip().startswith("["):
        raise ConfigError(f"{source}:{number}: [exit] is not written as one section; name {', '.join(coins)} by hand")
    lines[number - 1] = head if head.endswith("\n") else head + newline
    return "".join([*lines[:number], new, *lines[number:]])


def _require_hundred(weights: Mapping[str, object], source: str) -> None:
    percents = {asset: as_decimal(value) for asset, value in weights.items()}
    wrong = [asset for asset, percent in percents.items() if percent is None or too_fine(percent)]
    if wrong:
        raise ConfigError(
            f"{source}: {wrong[0]} is not a bare number of percent, so the sum is not known; mend it first"
        )
    total = sum((percent for percent in percents.values() if percent is not None), ZERO)
    if total != HUNDRED:
        verb = f"{plain(HUNDRED - total)} more" if total < HUNDRED else f"{plain(total - HUNDRED)} less"
        raise ConfigError(
            f"{source}: the weights would sum to {plain(total)}, must be 100; give some coin {verb} in the same command"
        )


def _edited(text: str, changes: Mapping[str, Decimal], leave: Collection[str], source: str) -> str:
    try:
        document: Any = tomlkit.parse(text)
    except (TOMLKitError, RecursionError) as exc:
        raise ConfigError(f"{source}: cannot be edited here: {exc}; change [weights] by hand") from None
    weights = document["weights"]
    for asset, percent in changes.items():
        _set(weights, asset, percent, newline="\r\n" if "\r\n" in text else "\n")
    for asset in set(leave):
        del weights[asset]
    return tomlkit.dumps(document)


def _require_editable(
    changes: Mapping[str, Decimal], leave: Collection[str], weights: Mapping[str, object], source: str
) -> None:
    for asset, percent in changes.items():
        if not ASSET.fullmatch(asset):
            raise ConfigError(f"{asset}: an asset is capital letters and digits, such as BTC=40")
        if percent == ZERO:
            raise ConfigError(f"{asset}=0: {ZERO_HINT} (`--exit {asset}` or `--leave {asset}`)")
        if not (percent.is_finite() and ZERO < percent <= HUNDRED):
            raise ConfigError(f"{asset}={show(percent)}: a weight is above 0 and at most 100 percent")
        if fine := too_fine(percent):
            raise ConfigError(f"{asset}: {fine}")
    for asset in leave:
        if asset in changes:
            raise ConfigError(f"{asset}: is set and left out in the same command; choose one")
        if asset not in weights:
            raise ConfigError(f"{source}: {asset} is not in [weights], so it cannot be left out")


def _set(weights: Any, asset: str, percent: Decimal, *, newline: str) -> None:
    """Set one weight in place: the comment behind it and its place in the file stay."""
    item: Any = tomlkit.value(plain(percent))
    if asset in weights:
        # tomlkit keeps a replaced item's comment only where the trivia is carried over.
        item.trivia.indent = weights[asset].trivia.indent
        item.trivia.comment_ws = weights[asset].trivia.comment_ws
        item.trivia.comment = weights[asset].trivia.comment
        item.trivia.trail = weights[asset].trivia.trail
        weights[asset] = item
    else:
        _append(weights, asset, item, newline)


def _append(weights: Any, asset: str, item: Any, newline: str) -> None:
    """Add a coin after the last weight, before the blank lines and comments that lead to the next section."""
    last = list(weights)[-1]
    if isinstance(weights, Table):
        item.trivia.indent = weights[last].trivia.indent
        item.trivia.trail = newline
        if "\n" not in weights[last].trivia.trail:  # the file's last line has no end
            weights[last].trivia.trail += newline
            item.trivia.trail = ""
    if not isinstance(weights, Table | InlineTable):
        raise ConfigError(f"[weights] is not written as one section; write {asset} = {item.as_string()} by hand")
    weights.value._insert_after(last, asset, item)  # noqa: SLF001  # tomlkit's own `append` would land behind them


def previous_of(path: Path) -> Path:
    """Return where the version before the last change lies."""
    return path.with_name(path.name + PREVIOUS_SUFFIX)


def replace_atomically(path: Path, text: str) -> Path:
    """Put `text` in the file's place, keep the version before beside it, and return where that is.

    At every moment, power loss included, the file is whole: the old one or the new one.
    """
    before, now = path.read_bytes(), path.stat()
    previous = previous_of(path)
    mode = now.st_mode & 0o777
    write_durably(previous, before, mode, owner=(now.st_uid, now.st_gid))
    # A link stays a link: what it leads to is replaced.
    write_durably(path.resolve(), text.encode("utf-8"), mode, owner=(now.st_uid, now.st_gid))
    return previous


def diff(before: str, after: str, source: str, against: str) -> str:
    """Return a unified diff, empty when nothing changed."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), fromfile=against, tofile=source
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)
