"""The pinned dependencies: all of them, each with hashes, and not a word about where they come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / ".ci" / "requirements-3.11.txt"


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, tuple[str, list[str]]]:
    """Return version and hashes by name; a line that is neither is an error."""
    text = re.sub(r"^#.*\n", "", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    made: dict[str, tuple[str, list[str]]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        found = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)((?:\s+--hash=\S+)*)\s*", line)
        assert found, line
        made[normalised(found[1])] = (found[2], found[3].split())
    return made


def requirements() -> list[str]:
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])


def release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"\d+(\.\d+)*", version)[0].split("."))  # type: ignore[index]


def test_every_dependency_is_pinned_within_the_range_that_the_project_states() -> None:
    pinned = locked()
    for requirement in requirements():
        name, bounds = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
        version = release(pinned[normalised(name)][0])
        for bound in bounds.split(","):
            operator, limit = re.fullmatch(r"(>=|<)([\d.]+)", bound).groups()  # type: ignore[union-attr]
            assert (version >= release(limit)) if operator == ">=" else (version < release(limit)), requirement


def test_every_pin_has_hashes_of_the_strong_kind() -> None:
    for name, (_, hashes) in locked().items():
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), name


def test_no_address_and_no_host_stands_in_the_lock() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert not re.search(r"https?:|://|--(extra-)?index-url|--find-links|--trusted-host", text)
