"""Editing `targets.toml` so that its comments and order stay, and replacing it so that nothing is ever lost."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from rebalancer.core.money import HUNDRED, ZERO, plain
from rebalancer.core.targets import Targets
from rebalancer.errors import ConfigError
from rebalancer.targets_file import ASSET, ZERO_HINT, as_decimal, load_targets, parse_targets

PREVIOUS_SUFFIX = ".previous"


def set_weights(text: str, changes: Mapping[str, Decimal], leave: Collection[str], source: str) -> str:
    """Return the file's text with these weights set and these coins taken out; every other byte stays.

    Raises ConfigError when the sum would not be 100, saying by how much.
    """
    try:
        document: Any = tomlkit.parse(text)
    except TOMLKitError as exc:
        raise ConfigError(f"{source}: not valid TOML, so it cannot be edited: {exc}") from None
    weights = document.get("weights")
    if not isinstance(weights, Mapping):
        raise ConfigError(f"{source}: has no [weights] to edit")
    _require_editable(changes, leave, weights, source)
    for asset, percent in changes.items():
        _set(document["weights"], asset, percent)
    for asset in leave:
        del document["weights"][asset]
    total = sum((as_decimal_of(value) for value in document["weights"].values()), ZERO)
    if total != HUNDRED:
        verb = f"{plain(HUNDRED - total)} more" if total < HUNDRED else f"{plain(total - HUNDRED)} less"
        raise ConfigError(
            f"{source}: the weights would sum to {plain(total)}, must be 100; give some coin {verb} in the same command"
        )
    return tomlkit.dumps(document)


def as_decimal_of(value: object) -> Decimal:
    """Return an item of a tomlkit table as an exact Decimal, from its own text; ConfigError if it is no number."""
    text = value.as_string() if hasattr(value, "as_string") else str(value)
    try:
        found = as_decimal(Decimal(text))
    except ArithmeticError:
        found = None
    if found is None:
        raise ConfigError(f"a weight in the file is not a bare number: {text[:40]}")
    return found


def _require_editable(
    changes: Mapping[str, Decimal], leave: Collection[str], weights: Mapping[str, object], source: str
) -> None:
    for asset, percent in changes.items():
        if not ASSET.fullmatch(asset):
            raise ConfigError(f"{asset}: an asset is capital letters and digits, such as BTC=40")
        if percent == ZERO:
            raise ConfigError(f"{asset}=0: {ZERO_HINT} (`--leave {asset}` does that)")
        if not ZERO < percent <= HUNDRED:
            raise ConfigError(f"{asset}={plain(percent)}: a weight is above 0 and at most 100 percent")
    for asset in leave:
        if asset not in weights:
            raise ConfigError(f"{source}: {asset} is not in [weights], so it cannot be left out")


def _set(weights: Any, asset: str, percent: Decimal) -> None:
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
        _append(weights, asset, item)


def _append(weights: Any, asset: str, item: Any) -> None:
    """Add a coin after the last weight, before the blank lines and comments that lead to the next section."""
    last = list(weights)[-1]
    weights.value._insert_after(last, asset, item)  # noqa: SLF001  # tomlkit's own `append` would land behind them


def replace_atomically(path: Path, text: str) -> Path:
    """Put `text` in the file's place, keep the version before beside it, and return where that is.

    At every moment, power loss included, the file is whole: the old one or the new one.
    """
    before = path.read_bytes()
    previous = path.with_name(path.name + PREVIOUS_SUFFIX)
    mode = path.stat().st_mode & 0o777
    write_durably(previous, before, mode)
    write_durably(path, text.encode("utf-8"), mode)
    return previous


def write_durably(path: Path, content: bytes, mode: int) -> None:
    """Replace a file by a whole new one that survives the loss of power."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def diff(before: str, after: str, source: str, against: str) -> str:
    """Return a unified diff, empty when nothing changed."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), fromfile=against, tofile=source
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


class LastGood:
    """The last version of the file that was in order, kept in the state directory for when the file is not."""

    def __init__(self, path: Path, state: Path) -> None:
        self._path = path
        self._kept = state / "targets.last-good.toml"

    def load(self) -> tuple[Targets, str]:
        """Return the targets and an empty text, or the last good ones and what is wrong with the file.

        Raises ConfigError when the file is bad and no good version is known.
        """
        try:
            targets = load_targets(self._path)
        except ConfigError as exc:
            if not self._kept.exists():
                raise
            kept = self._kept.read_text(encoding="utf-8")
            return parse_targets(kept, str(self._kept)), str(exc)
        self._keep(self._path.read_bytes(), targets)
        return targets, ""

    def _keep(self, content: bytes, targets: Targets) -> None:
        if self._kept.exists() and self._kept.read_bytes() == content:
            return
        # The file may have been replaced since it was checked: only what passes the check itself is kept.
        if parse_targets(content.decode("utf-8"), str(self._path)).digest == targets.digest:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._kept, content, 0o640)
