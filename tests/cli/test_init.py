"""`rebalancer init` as a new owner meets it: at a terminal, with a key that is tried and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.targets.file import load_targets, parse_targets
from rebalancer.targets.new import new_text, shipped_text
from rebalancer.targets.schema import schema_text
from tests.cli.exchanges import exchange_with
from tests.cli.typed import Typed, typed
from tests.core.builders import d
from tests.e2e.processes import ACCESS_KEY, ACCOUNT, SECRET_KEY, environment, rebalancer

HAS_KEY = "Do you have an API key"
KEYS = [(HAS_KEY, "y"), ("Access key", ACCESS_KEY), ("Secret key", SECRET_KEY)]
# What a second run asks about: the schema, the key and the folders are the same.
REPLACED = ["targets.toml"]


def set_up(folder: Path, url: str, answers: list[tuple[str, str]]) -> Typed:
    environ = environment(REBALANCER_HTX_URL=url, REBALANCER_STATE_DIR=str(folder / "state"), TERM="dumb")
    return typed(environ, ["init", "--folder", str(folder / "own")], answers, hidden=("Access key", "Secret key"))


def test_a_key_is_tried_targets_are_what_is_held_and_the_files_work_at_once(tmp_path: Path) -> None:
    with exchange_with() as (url, exchange):
        said = set_up(tmp_path, url, KEYS)
        assert said.code == Exit.DONE, said.screen
        assert ACCESS_KEY not in said.screen and SECRET_KEY not in said.screen
        assert f"spot account {ACCOUNT}" in said.screen and "Limits:" in said.screen
        own = tmp_path / "own"
        targets = load_targets(own / "targets.toml")
        assert dict(targets.weights) == {"BTC": 60, "ETH": 20, "USDT": 20}
        assert (targets.limits.max_order_notional, targets.limits.max_notional_per_day) == (1000, 3000)
        settings = dict(
            line.split("=", 1) for line in (own / "rebalancer.env").read_text().splitlines() if line[0] != "#"
        )
        checked = rebalancer(environment(**settings, REBALANCER_STATE_DIR=str(tmp_path / "state")), "plan", "--json")
        assert checked.returncode == Exit.DONE and '"venue": "loopback"' in checked.stdout, checked.stderr
        assert not exchange.state.orders


def test_secrets_are_for_nobody_else_and_nothing_else_holds_them(tmp_path: Path) -> None:
    with exchange_with() as (url, _exchange):
        set_up(tmp_path, url, KEYS)
    own = tmp_path / "own"
    assert (own / "credentials").stat().st_mode & 0o777 == 0o700
    secret = {own / "credentials" / f"rebalancer_htx_{half}_key" for half in ("access", "secret")}
    for path in own.rglob("*"):
        if path.is_file():
            assert (path in secret) == bool({ACCESS_KEY, SECRET_KEY} & set(path.read_text().split())), path
            assert path.stat().st_mode & 0o777 == (
                0o644 if path.name in {"targets.toml", "targets.schema.json"} else 0o600
            ), path


@pytest.mark.parametrize(
    ("rights", "keys", "text"),
    [
        ({"permissions": ("readOnly", "trade", "withdraw")}, KEYS, "can withdraw"),
        (
            {},
            [(HAS_KEY, "y"), ("Access key", "someone-elses-key"), ("Secret key", SECRET_KEY)],
            "does not know this key",
        ),
        ({}, [(HAS_KEY, "y"), ("Access key", ACCESS_KEY), ("Secret key", "not-the-secret")], "does not belong"),
    ],
    ids=["withdraws", "unknown", "wrong secret"],
)
def test_a_key_that_is_refused_leaves_nothing_behind(
    tmp_path: Path, rights: dict[str, object], keys: list[tuple[str, str]], text: str
) -> None:
    with exchange_with(**rights) as (url, _exchange):
        said = set_up(tmp_path, url, keys)
    assert said.code == Exit.CREDENTIALS and text in " ".join(said.screen.split()), said.screen
    assert not (tmp_path / "own").exists()


def test_what_is_there_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "targets.toml").write_text("mine")
    with exchange_with() as (url, _exchange):
        said = set_up(tmp_path, url, [*KEYS, ("Replace it?", "n")])
        assert said.code == Exit.DONE and (own / "targets.toml").read_text() == "mine"
        again = set_up(tmp_path, url, [*KEYS, *(("Replace it?", "y") for _ in REPLACED)])
    assert again.code == Exit.DONE and load_targets(own / "targets.toml")


def test_without_a_key_the_example_is_written_and_points_to_the_embedded_exchange(tmp_path: Path) -> None:
    said = set_up(tmp_path, "http://127.0.0.1:9", [(HAS_KEY, "n")])
    assert said.code == Exit.DONE and "embedded exchange" in said.screen
    assert (tmp_path / "own" / "targets.toml").read_text() == shipped_text()
    assert (tmp_path / "own" / "targets.schema.json").read_text() == schema_text()


def test_a_proposal_keeps_every_comment_of_the_shipped_file() -> None:
    text = new_text(
        {"BTC": d(70), "DOGE": d(10), "USDT": d(20)}, {"max_order_notional": d(90), "max_notional_per_day": d(300)}
    )
    targets = parse_targets(text, "new")
    assert dict(targets.weights) == {"BTC": 70, "USDT": 20, "DOGE": 10} and targets.limits.max_order_notional == 90
    comments = [line.partition("#")[2] for line in shipped_text().splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in text.splitlines() if "#" in line] == comments
