"""The support file: all that one who helps will ask for, whatever is broken, for the owner's eyes, without a key."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rebalancer import __version__
from rebalancer.cli.exits import Exit
from rebalancer.service.lock import hold_lock
from rebalancer.settings import SECRET_FIELDS
from tests.cli.conftest import Owner, Said
from tests.cli.exchanges import EMBEDDED, LIVE

PARTS = [
    "README.txt",
    "versions.json",
    "settings.json",
    "targets.toml",
    "checks.json",
    "status.json",
    "runs.json",
    "state.json",
]


def bundled(owner: Owner, *words: str, **environ: str) -> tuple[Said, dict[str, str]]:
    said = owner.say("bundle", "--output", "help.zip", *words, **environ)
    with zipfile.ZipFile(owner.folder / "help.zip") as bundle:
        assert bundle.testzip() is None
        return said, {name: bundle.read(name).decode() for name in bundle.namelist()}


def finding(parts: dict[str, str], topic: str) -> dict[str, Any]:
    (found,) = [each for each in json.loads(parts["checks.json"]) if each["topic"] == topic]
    return dict(found)


def test_it_holds_every_part_says_so_and_only_its_owner_may_read_it(owner: Owner) -> None:
    said, parts = bundled(owner)
    assert said.code == Exit.DONE and list(parts) == PARTS
    assert said.out.startswith("DRY-RUN on embedded\n")
    for name, text in parts.items():
        assert f"{name:<16} {len(text.encode()):>9,} bytes" in said.out
        assert name in parts["README.txt"] or name == "README.txt"
    assert stat.S_IMODE((owner.folder / "help.zip").stat().st_mode) == 0o600
    assert [path.name for path in owner.folder.iterdir() if path.name.startswith(".")] == [], "no draft is left"
    assert not owner.state.exists(), "it changes nothing"


def test_it_names_itself_by_the_moment_where_no_name_is_given(owner: Owner) -> None:
    document = json.loads(owner.say("bundle", "--json").out)
    assert document["schema"] == "rebalancer.bundle/1"
    assert (owner.folder / document["path"]).exists() and document["path"].startswith("rebalancer-bundle-20")
    assert [each["name"] for each in document["files"]] == PARTS


def test_an_older_file_of_that_name_is_replaced_with_its_rights(owner: Owner) -> None:
    (owner.folder / "help.zip").write_text("old")
    (owner.folder / "help.zip").chmod(0o644)
    _, parts = bundled(owner)
    assert list(parts) == PARTS
    assert stat.S_IMODE((owner.folder / "help.zip").stat().st_mode) == 0o600


def test_it_tells_versions_settings_targets_and_the_last_runs_as_the_other_verbs_do(owner: Owner) -> None:
    owner.say("run", **EMBEDDED)
    owner.say("run", "--live", **LIVE)
    _, parts = bundled(owner, "--runs", "1", REBALANCER_LOG_LEVEL="DEBUG", REBALANCER_MOOD="good", **LIVE)
    versions, settings = json.loads(parts["versions.json"]), json.loads(parts["settings.json"])
    assert versions["rebalancer"] == __version__ and {"httpx", "numpy", "click"} <= versions["packages"].keys()
    assert all(versions["packages"].values())
    assert (settings["mode"], settings["log_level"], settings["secrets_set"]) == ("live", "DEBUG", [])
    assert settings["variables_unknown"] == ["REBALANCER_MOOD means nothing; did you mean REBALANCER_MODE?"]
    assert parts["targets.toml"] == owner.targets.read_text(encoding="utf-8")
    known = json.loads(owner.say("history", "--json", **LIVE).out)
    assert json.loads(parts["runs.json"]) == known["runs"][:1] and known["runs"][0]["orders"]
    assert json.loads(parts["status.json"])["last_run"] == known["runs"][0]
    assert finding(parts, "journal")["grade"] == "ok"
    state = json.loads(parts["state.json"])
    assert (state["paused"], state["lock_held"]) == (False, False)
    assert {"embedded/journal.db"} <= {each["name"] for each in state["files"]}


def test_what_is_broken_is_told_in_its_place_and_the_rest_all_the_same(owner: Owner) -> None:
    owner.say("run", **EMBEDDED)
    journal = owner.state / "embedded" / "journal.db"
    journal.write_bytes(journal.read_bytes()[:5000] + b"\0" * 4000)
    owner.targets.write_text("weights = 3\n", encoding="utf-8")
    owner.say("pause", "--reason", "looking into it")
    said, parts = bundled(owner)
    assert said.code == Exit.DONE
    assert parts["targets.toml"] == "weights = 3\n"
    assert finding(parts, "targets")["grade"] == finding(parts, "journal")["grade"] == "fail"
    assert parts["runs.json"].startswith("this part could not be made: JournalError: ")
    state = json.loads(parts["state.json"])
    assert state["paused"] is True and state["pause_reason"].startswith("looking into it")
    assert json.loads(parts["versions.json"])["rebalancer"] == __version__


def test_refused_settings_leave_what_does_not_need_them(owner: Owner) -> None:
    said, parts = bundled(owner, REBALANCER_MODE="livid")
    assert said.code == Exit.DONE and said.out.startswith("SETTINGS REFUSED")
    assert list(parts) == ["README.txt", "versions.json", "settings.json"]
    assert "REBALANCER_MODE" in json.loads(parts["settings.json"])["problem"]


def test_logs_are_put_in_each_under_its_name_and_only_their_ends(owner: Owner) -> None:
    (owner.folder / "a").mkdir()
    for place in ("service.log", "a/service.log"):
        (owner.folder / place).write_bytes(b"first\n" + b"x" * 2_000_000 + f"\nlast of {place}\n".encode())
    _, parts = bundled(owner, "--log", "service.log", "--log", "a/service.log")
    assert list(parts)[len(PARTS) :] == ["logs/1-service.log", "logs/2-service.log"]
    for number, place in ((1, "service.log"), (2, "a/service.log")):
        text = parts[f"logs/{number}-service.log"]
        assert text.endswith(f"last of {place}\n") and "first" not in text


def test_a_log_that_is_not_there_is_said_before_anything_is_written(owner: Owner) -> None:
    said = owner.say("bundle", "--log", "sevrice.log")
    assert said.code == Exit.USAGE and "sevrice.log" in said.err
    assert not list(owner.folder.glob("*.zip"))


@pytest.mark.parametrize("place", ["no/such/folder/help.zip", "targets.toml/help.zip"])
def test_a_place_that_cannot_be_written_is_named_with_a_way_out(owner: Owner, place: str) -> None:
    said = owner.say("bundle", "--output", place)
    assert said.code == Exit.CONFIG and place in said.err and "--output" in said.err
    assert not Path(place).exists()


def test_a_lock_that_is_held_is_seen_and_not_touched(owner: Owner) -> None:
    with hold_lock(owner.state / "lock"):
        _, parts = bundled(owner)
        assert json.loads(parts["state.json"])["lock_held"] is True
    _, parts = bundled(owner)
    assert json.loads(parts["state.json"])["lock_held"] is False


def test_every_secret_setting_is_masked_wherever_it_lies_also_in_settings_that_are_refused(owner: Owner) -> None:
    secrets = {f"REBALANCER_{name.upper()}": f"c4n4ry-{name}-t0k3n" for name in SECRET_FIELDS}
    assert {"REBALANCER_HTX_SECRET_KEY", "REBALANCER_NOTIFY_URLS", "REBALANCER_PING_URL"} <= secrets.keys()
    (owner.folder / "service.log").write_text(" ".join(secrets.values()), encoding="utf-8")
    owner.targets.write_text(
        owner.targets.read_text(encoding="utf-8") + f"# {' '.join(secrets.values())}\n", encoding="utf-8"
    )
    fit = {name: value for name, value in secrets.items() if "PRIVATE" not in name and "URL" not in name}
    urls = {
        "REBALANCER_NOTIFY_URLS": "json://c4n4ry-one json://c4n4ry-two",
        "REBALANCER_PING_URL": "https://c4n4ry.example/x",
    }
    for environ in (secrets, fit | urls):
        said, parts = bundled(owner, "--log", "service.log", **environ)
        words = {word for value in environ.values() for word in value.split()}
        for text in (said.out, said.err, *parts.values()):
            assert not [word for word in words if word in text]
    assert json.loads(parts["settings.json"])["secrets_set"] == [
        "htx_access_key",
        "htx_secret_key",
        "notify_urls",
        "ping_url",
    ]
