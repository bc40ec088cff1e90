"""What CI does for a browser: one that is there, else Debian's, else a loud failure; never silence."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "browser"
TOOLS = ("bash", "mktemp", "tail", "rm", "cat", "chmod", "env")
BROWSER = "#!/bin/sh\n"


def asked(folder: Path, *, uid: int, apt: str | None, there: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script where nothing is installed but what a test puts there."""
    tools = folder / "bin"
    tools.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    made = {"id": f"#!/bin/sh\necho {uid}\n", **({there: BROWSER} if there else {})}
    if apt is not None:
        made["apt-get"] = f"#!/bin/sh\necho apt-get $* >> {folder}/apt.log\n{apt}"
    for name, text in made.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environ = {"PATH": str(tools), "HOME": str(folder), "TMPDIR": str(folder)}
    return subprocess.run([str(SCRIPT)], env=environ, capture_output=True, text=True, timeout=60, check=False)


def apt_calls(folder: Path) -> list[str]:
    log = folder / "apt.log"
    return [line.split()[1] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_is_there_is_taken_and_nothing_is_installed(tmp_path: Path, name: str) -> None:
    done = asked(tmp_path, uid=0, apt="exit 1", there=name)
    assert done.returncode == 0 and done.stdout.strip() == str(tmp_path / "bin" / name)
    assert not apt_calls(tmp_path)


def test_a_missing_one_is_installed_by_root(tmp_path: Path) -> None:
    place = tmp_path / "bin" / "chromium"
    done = asked(tmp_path, uid=0, apt=f"printf '{BROWSER}' > {place}; chmod 755 {place}\n")
    assert done.returncode == 0 and done.stdout.strip() == str(place), done.stderr
    assert apt_calls(tmp_path) == ["install"]


def test_lists_that_are_missing_are_asked_for_once(tmp_path: Path) -> None:
    place = tmp_path / "bin" / "chromium"
    apt = f"[ $1 = update ] && {{ : > {tmp_path}/lists; exit 0; }}\n[ -e {tmp_path}/lists ] || exit 100\n"
    done = asked(tmp_path, uid=0, apt=f"{apt}printf '{BROWSER}' > {place}; chmod 755 {place}\n")
    assert done.returncode == 0 and apt_calls(tmp_path) == ["install", "update", "install"], done.stderr


@pytest.mark.parametrize(
    ("uid", "apt", "words"),
    [
        (0, "echo Could not resolve a mirror >&2; exit 100\n", "Could not resolve a mirror"),
        (0, "exit 0\n", "it is not there"),
        (0, None, "no apt-get"),
        (1000, "exit 0\n", "only root can install it"),
    ],
    ids=["no mirror", "apt lies", "no apt", "not root"],
)
def test_without_one_it_fails_loudly(tmp_path: Path, uid: int, apt: str | None, words: str) -> None:
    done = asked(tmp_path, uid=uid, apt=apt)
    assert done.returncode == 1 and not done.stdout
    assert words in done.stderr and "!! THE PAGE WAS NOT LOOKED AT" in done.stderr


def test_ci_asks_for_it_and_fails_with_it() -> None:
    text = (SCRIPT.parent / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in text and "chromium=$(.ci/browser)\n" in text
    assert 'python -m tests.browser --chromium "$chromium"' in text
    assert os.access(SCRIPT, os.X_OK)
