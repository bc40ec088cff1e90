"""Every exit code of the contract is reached by what it stands for, and each refusal says what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from rebalancer.cli.exits import MEANING, Exit, advice_for, exit_of
from rebalancer.errors import AuthCause, AuthFailed, ConfigError, RebalancerError
from rebalancer.service.lock import hold_lock
from rebalancer.simulator.faults import Faults
from tests.cli.conftest import Owner, Said
from tests.cli.exchanges import LIVE, exchange_with, key_for
from tests.cli.rehearsed import saw_the_prices
from tests.e2e.processes import ACCESS_KEY, SECRET_KEY

SECRETS = (ACCESS_KEY, SECRET_KEY, "Signature=")


def crowded(owner: Owner) -> Said:
    with hold_lock(owner.state / "lock"):
        return owner.say("run")


def unanswered(owner: Owner) -> Said:
    """Send live to an exchange that keeps every answer about orders to itself."""
    with exchange_with(faults="lost_reply@place,http_429@client-order,http_429@order") as (url, _):
        return owner.say("run", "--live", "--settle", "0", **key_for(url, live=True))


def paused(owner: Owner) -> Said:
    owner.say("pause")
    return owner.say("run", "--live", **LIVE)


def mistaken(owner: Owner) -> Said:
    owner.targets.write_text(owner.targets.read_text(encoding="utf-8").replace("BTC  = 35", "BTC  = 36"), "utf-8")
    return owner.say("plan")


def away(owner: Owner) -> Said:
    with exchange_with() as (url, _):
        pass
    return owner.say("plan", **key_for(url))


def halted(owner: Owner) -> Said:
    with exchange_with(faults="halted") as (url, _):
        return owner.say("check", **key_for(url))


def broken(owner: Owner) -> Said:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rebalancer.cli.history.journal_to_read", None)
        return owner.say("history")


def strong(owner: Owner) -> Said:
    with exchange_with(permissions=("readOnly", "trade", "withdraw")) as (url, _):
        return owner.say("run", "--live", **key_for(url, live=True))


WAYS: dict[Exit, list[Callable[[Owner], Said]]] = {
    Exit.DONE: [lambda owner: owner.say("plan"), lambda owner: owner.say("run")],
    Exit.FAILURE: [broken],
    Exit.USAGE: [lambda owner: owner.say("plna"), lambda owner: owner.say("ack")],
    Exit.WORK_LEFT: [lambda owner: owner.say("run", "--live", **LIVE)],
    Exit.REFUSED: [paused],
    Exit.OUTCOME_UNKNOWN: [unanswered],
    Exit.TRADES_TO_MAKE: [lambda owner: owner.say("plan", "--exit-code")],
    Exit.LOCKED: [crowded],
    Exit.UNREACHABLE: [away, halted],
    Exit.CREDENTIALS: [strong],
    Exit.CONFIG: [mistaken, lambda owner: owner.say("run", "--live")],
}


def test_the_table_of_meanings_and_of_ways_is_whole() -> None:
    assert set(MEANING) == set(WAYS) == set(Exit)
    assert sorted(Exit) == [0, 1, 2, 3, 4, 5, 10, 11, 75, 77, 78]


@pytest.mark.parametrize(
    ("code", "way"), [(code, way) for code, ways in WAYS.items() for way in ways], ids=lambda value: str(value)[:12]
)
def test_the_code_is_reached(owner: Owner, code: Exit, way: Callable[[Owner], Said]) -> None:
    said = way(owner)
    assert said.code == code, (said.out, said.err)
    assert not [secret for secret in SECRETS if secret in said.out + said.err]


def test_within_bands_is_0_also_with_exit_code(owner: Owner) -> None:
    saw_the_prices(owner)
    for _ in range(4):
        said = owner.say("run", "--live", "--json", **LIVE)
    assert said.code == Exit.DONE and json.loads(said.out)["status"] == "within_bands"
    assert owner.say("plan", "--exit-code").code == Exit.DONE


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"REBALANCER_HTX_ACCESS_KEY": "some-other-key-0002"}, Exit.CREDENTIALS, "does not know this key"),
        ({"REBALANCER_HTX_SECRET_KEY": "some-other-secret-02"}, Exit.CREDENTIALS, "does not belong to the access key"),
        ({"REBALANCER_HTX_ACCOUNT_ID": "99"}, Exit.CREDENTIALS, "REBALANCER_HTX_ACCOUNT_ID"),
        ({"REBALANCER_MODE": "live", "REBALANCER_HTX_ACCOUNT_ID": ""}, Exit.CREDENTIALS, "`rebalancer check`"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_key_or_account_that_does_not_fit_is_77_with_what_to_do(
    owner: Owner, verb: str, changes: dict[str, str], code: Exit, words: str
) -> None:
    with exchange_with() as (url, exchange):
        environ = key_for(url) | changes
        live = environ["REBALANCER_MODE"] == "live"
        if live and verb == "check":
            assert owner.say("check", **environ).code == Exit.DONE, "check is what finds the id out"
            return
        said = owner.say(verb, *(["--live"] if live else []), **environ)
        assert not exchange.state.orders
    assert said.code == code and words in " ".join((said.out + said.err).split())


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_clock_that_is_wrong_is_75_for_it_may_mend_itself(owner: Owner, verb: str) -> None:
    with exchange_with(faults="clock_skew") as (url, exchange):
        words = ("run", "--live") if verb == "run" else ("check",)
        said = owner.say(*words, **key_for(url, live=verb == "run"))
        assert not exchange.state.orders
    assert said.code == Exit.UNREACHABLE, said.err
    assert "clock" in said.out + said.err


def test_an_order_that_was_lost_is_found_by_the_next_run_and_not_sent_again(owner: Owner) -> None:
    with exchange_with(faults="lost_reply@place,http_429@client-order,http_429@order") as (url, exchange):
        assert owner.say("run", "--live", "--settle", "0", **key_for(url, live=True)).code == Exit.OUTCOME_UNKNOWN
        sent = len(exchange.state.orders)
        assert sent >= 1
        assert owner.say("status", **key_for(url)).out.count("UNKNOWN") >= 1
        exchange.faults = Faults([], 0)
        owner.say("run", "--live", "--settle", "0", **key_for(url, live=True))
        ids = [order.client_order_id for order in exchange.state.orders.values()]
    assert len(ids) == len(set(ids)) >= sent


def test_advice_of_our_own_refusals_does_not_blame_the_exchange() -> None:
    withdraw = AuthFailed(AuthCause.PERMISSION, "withdraw-right", "this key can withdraw")
    assert "lacks" not in advice_for(withdraw)
    assert "does not know" not in advice_for(AuthFailed(AuthCause.KEY, "no-key", "there is no key"))
    assert "belong together" not in advice_for(AuthFailed(AuthCause.ACCOUNT, "account-not-named", "name it"))


@pytest.mark.parametrize("cause", list(AuthCause))
def test_every_cause_of_a_refused_key_has_advice(cause: AuthCause) -> None:
    assert advice_for(AuthFailed(cause, "api-signature-not-valid", "as HTX says it"))
    assert exit_of(AuthFailed(cause, "x", "y")) in {Exit.CREDENTIALS, Exit.UNREACHABLE}


def test_an_error_that_names_its_own_next_step_gets_no_second_one() -> None:
    assert advice_for(ConfigError("targets.toml:4: give the missing 2 to a coin")) == ""


def test_every_kind_of_error_has_a_code() -> None:
    def kinds(of: type[RebalancerError]) -> list[type[RebalancerError]]:
        return [of, *(each for kind in of.__subclasses__() for each in kinds(kind))]

    for kind in kinds(RebalancerError):
        made = kind.__new__(kind)
        made.cause = AuthCause.KEY  # type: ignore[attr-defined]
        assert exit_of(made) in set(Exit) - {Exit.DONE, Exit.USAGE, Exit.TRADES_TO_MAKE}
