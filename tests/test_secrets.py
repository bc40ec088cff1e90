"""The canary: a key is driven through everything that speaks, and nothing may repeat it, in any form."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest
from pydantic import ValidationError

from rebalancer import errors, logs
from rebalancer.alerts.herald import Herald
from rebalancer.cli import assets, main, targets
from rebalancer.cli.exits import Exit
from rebalancer.cli.main import run
from rebalancer.errors import RebalancerError
from rebalancer.journal import records
from rebalancer.journal.store import Journal
from rebalancer.metrics import Metrics
from rebalancer.service.lock import hold_lock
from rebalancer.settings import Settings
from rebalancer.simulator.faults import FAULT_KINDS
from rebalancer.venues.htx.sign import signed_query
from tests.alerts.test_herald import Ears, Told
from tests.canary import (
    ACCESS_KEY,
    KEYS,
    SECRET_KEY,
    CanaryHouse,
    contents,
    credentials,
    hits,
    listening,
    own_logging,
    served,
)
from tests.core.builders import NOW
from tests.service.house import ACCOUNT
from tests.support import FakeClock

TARGETS = Path(__file__).parent.parent / "targets.toml"
CHATTY = ("httpx", "httpcore", "asyncio", "filelock")


@pytest.fixture(autouse=True)
def without_masks() -> Iterator[None]:
    with own_logging():
        yield


def canary_settings() -> Settings:
    return Settings(htx_access_key=ACCESS_KEY, htx_secret_key=SECRET_KEY)


HOLDERS: dict[str, Callable[[Path], Any]] = {
    "credentials": lambda _folder: credentials(),
    "settings": lambda _folder: canary_settings(),
    "venue": lambda folder: CanaryHouse(folder).shell.venue,
    "shell": lambda folder: CanaryHouse(folder).shell,
}
VOICES: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "format": lambda holder: f"{holder} {holder!s} {holder!r} {[holder]} {holder=}",
    "pretty print": pprint.pformat,
    "attributes": lambda holder: repr(getattr(holder, "__dict__", "")),
    "directory": lambda holder: repr(dir(holder)),
    "pickle": lambda holder: [pickle.dumps(holder, version) for version in range(pickle.HIGHEST_PROTOCOL + 1)],
    "JSON": lambda holder: json.dumps(holder, default=str),
    "copy": lambda holder: repr(copy.copy(holder)),
    "log arguments": lambda holder: logging.makeLogRecord({"msg": "%s %r", "args": (holder, holder)}).getMessage(),
    "model": lambda holder: [repr(holder.model_dump()), holder.model_dump_json(), repr(holder.model_fields_set)],
}


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("holder", HOLDERS)
def test_no_voice_of_what_holds_the_key_repeats_it(tmp_path: Path, holder: str, voice: str) -> None:
    made = HOLDERS[holder](tmp_path)
    with suppress(TypeError, AttributeError, pickle.PicklingError):  # refusing to speak is the best answer
        assert hits(repr(VOICES[voice](made))) == []


@pytest.mark.parametrize("holder", ["credentials", "settings"])
def test_what_holds_the_key_is_not_serialised(tmp_path: Path, holder: str) -> None:
    with pytest.raises(TypeError, match="not serialised"):
        pickle.dumps(HOLDERS[holder](tmp_path))


def test_a_refused_setting_does_not_show_the_key_beside_it() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(htx_access_key=ACCESS_KEY, htx_secret_key=SECRET_KEY, mode="x", clock_rate=0)
    assert hits(str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)) == []
    with pytest.raises(ValidationError) as caught:
        Settings(htx_access_key=f"{ACCESS_KEY} {SECRET_KEY}", htx_secret_key=SECRET_KEY)
    assert hits(str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)) == []


def family(base: type[RebalancerError]) -> list[type[RebalancerError]]:
    return [base, *(member for child in base.__subclasses__() for member in family(child))]


@pytest.mark.parametrize("error", family(RebalancerError), ids=lambda each: each.__name__)
def test_an_exception_of_any_class_that_holds_the_key_is_masked_on_its_way_out(error: type[RebalancerError]) -> None:
    words = {
        errors.AuthFailed: (errors.AuthCause.KEY, "code"),
        errors.GuardTripped: ("code",),
        errors.Rejected: ("code",),
    }
    query = signed_query(credentials(), method="GET", host="h", path="/", moment=NOW)
    for secret in (*KEYS, query):
        with listening("DEBUG") as stream:
            logs.register_secrets(KEYS)
            try:
                raise error(*words.get(error, ()), f"about {secret}")
            except RebalancerError as exc:
                logging.getLogger("some.library").exception("failed: %s", exc)  # noqa: TRY401  # libraries do
                logs.logger().exception("failed", error=exc)
                said = logs.describe_crash(exc) + logs.redact(str(exc))
        assert hits(said, stream.getvalue()) == []
        assert query.partition("Signature=")[2] not in stream.getvalue()


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_whatever_the_exchange_does_nothing_that_is_kept_or_said_holds_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    with listening("DEBUG") as stream:
        heard = CanaryHouse(tmp_path, faults=f"{kind}=0.4").live()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "journal.db" for path in files)
    output = capsys.readouterr()
    assert hits(*heard, *files, stream.getvalue(), output.out, output.err) == []


def echo(request: httpx.Request) -> dict[str, str]:
    return {"err-msg": f"{request.url} {request.headers}", "message": str(request.url)}


# Answers that repeat the request: its query holds the access key and the signature.
ECHOES: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "gateway page": lambda request: httpx.Response(502, text=f"<html>{request.url}</html>"),
    "page as success": lambda request: httpx.Response(200, text=f"<html>{request.url}</html>"),
    "forbidden": lambda request: httpx.Response(403, json={"status": "error", **echo(request)}),
    "redirect": lambda request: httpx.Response(301, headers={"location": str(request.url)}),
    "odd status": lambda request: httpx.Response(200, json={"status": str(request.url)}),
    "words of a refusal": lambda request: httpx.Response(
        200, json={"status": "error", "err-code": "order-value-min-error", **echo(request)}
    ),
    "words of a failure": lambda request: httpx.Response(
        200, json={"status": "error", "err-code": "base-system-error", **echo(request)}
    ),
    "odd code": lambda request: httpx.Response(200, json={"code": str(request.url), **echo(request)}),
    "header that is no number": lambda request: httpx.Response(
        200, json={"status": "ok"}, headers={"X-HB-RateLimit-Requests-Remain": str(request.url)}
    ),
}


@pytest.mark.parametrize("answer", ECHOES)
def test_an_answer_that_repeats_the_request_is_not_repeated_by_us(tmp_path: Path, answer: str) -> None:
    house = CanaryHouse(tmp_path)
    honest, echoed = house.wire.handle_request, []

    def handle(request: httpx.Request) -> httpx.Response:
        """Repeat every place call, and after the first of them each third read."""
        if request.method == "POST" or (echoed and len(house.wire.calls) % 3 == 0):
            echoed.append(request.url.path)
            house.wire.calls.append("echoed")
            return ECHOES[answer](request)
        return honest(request)

    house.wire.handle_request = handle  # type: ignore[method-assign]
    heard = house.live()
    assert len(set(echoed)) > 1, "a place call and a read were to be repeated"
    assert hits(*heard, *(path for path in tmp_path.rglob("*") if path.is_file())) == []
    assert not [text for text in heard if "Signature=" in text]


@pytest.mark.parametrize("answer", ECHOES)
def test_no_notice_no_ping_and_no_figure_repeats_the_key(tmp_path: Path, answer: str) -> None:
    house, ears = CanaryHouse(tmp_path), Ears()
    metrics = Metrics(house.clock)
    metrics.started(mode="live", venue="htx", version="1")
    herald = Herald(tmp_path, ears, house.clock, lambda seen, result: metrics.saw(seen, result, house.journal.state))
    told = Told(house, ears, herald)
    honest = house.wire.handle_request

    def handle(request: httpx.Request) -> httpx.Response:
        """Repeat every second place call, and from the third cycle on all that is asked."""
        broken = (request.method == "POST" and len(house.wire.calls) % 2) or len(ears.pings) > 4
        if broken:
            house.wire.calls.append("echoed")
        return ECHOES[answer](request) if broken else honest(request)

    house.wire.handle_request = handle  # type: ignore[method-assign]
    for _ in range(5):
        told.cycle()
    assert "echoed" in house.wire.calls and len(ears.told) > 1 and len(ears.pings) > 8
    figures = generate_latest(metrics.registry).decode()
    assert "rebalancer_condition" in figures
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "alerts.json" for path in files)
    assert hits(repr(ears.told), repr(ears.pings), figures, *files) == []
    assert "Signature=" not in repr(ears.told) + figures


def test_an_answer_that_waits_for_the_service_holds_nothing_of_the_key(
    owner: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("REBALANCER_HTX_ACCESS_KEY", ACCESS_KEY)
    monkeypatch.setenv("REBALANCER_HTX_SECRET_KEY", SECRET_KEY)
    state = tmp_path / "state"
    with served() as url, listening("DEBUG", *CHATTY) as stream:
        monkeypatch.setenv("REBALANCER_HTX_URL", url)
        assert run(["run", "--live", "--settle", "0"]) in (Exit.DONE, Exit.WORK_LEFT)
        with Journal.open(state / "journal.db", FakeClock()) as journal:
            (row,) = journal.append(records.halt("foreign_order", "order 7 is not ours"))
        with hold_lock(state / "lock"):
            assert run(["ack", str(row.seq), "--yes", "--reason", "looked at it"]) == Exit.DONE
            waiting = [path for path in state.rglob("*.json") if path.parent.name == "answers"]
            assert waiting, list(state.rglob("*"))
            run(["status", "--json"])
            files = [path for path in state.rglob("*") if path.is_file()]
            output = capsys.readouterr()
            assert hits(output.out, output.err, stream.getvalue(), *files) == []


NETWORK_ERRORS = [
    each
    for each in vars(httpx).values()
    if isinstance(each, type) and issubclass(each, httpx.RequestError) and each is not httpx.RequestError
]


@pytest.mark.parametrize("error", NETWORK_ERRORS, ids=lambda each: each.__name__)
def test_an_error_of_the_network_that_holds_the_request_is_not_passed_on(
    tmp_path: Path, error: type[httpx.RequestError]
) -> None:
    house = CanaryHouse(tmp_path)

    def fail(request: httpx.Request) -> None:
        if house.wire.calls and len(house.wire.calls) % 3 == 0:
            house.wire.calls.append("failed")
            raise error(f"while asking {request.url}", request=request)

    house.wire.before = fail
    heard = house.live()
    assert "failed" in house.wire.calls
    assert hits(*heard, *(path for path in tmp_path.rglob("*") if path.is_file())) == []


VERBS: dict[str, list[str]] = {
    "demo": ["demo"],
    "check": ["check"],
    "check, deep": ["check", "--deep", "--json"],
    "prices": ["prices"],
    "prices as JSON": ["prices", "--json"],
    "assets": ["assets"],
    **{f"assets, {name}": ["assets", name] for name in assets.NAMES},
    "plan": ["plan"],
    **{f"plan as {form}": ["plan", "--format", form] for form in ("json", "csv", "md", "html")},
    "run": ["run", "--settle", "0"],
    "run live": ["run", "--live", "--settle", "0", "--json"],
    "status": ["status"],
    "status as JSON": ["status", "--json"],
    "status, paths": ["status", "--paths", "--json"],
    "history": ["history"],
    "history as JSON": ["history", "--json"],
    "history as CSV": ["history", "--csv"],
    **{f"history for {program}": ["history", "--csv", program] for program in ("cointracking", "koinly")},
    "report": ["report"],
    **{f"report as {form}": ["report", "--format", form] for form in ("json", "csv", "md", "html")},
    **{
        f"report of a week as {form}": ["report", "--week", "--format", form] for form in ("text", "json", "md", "html")
    },
    "replay": ["replay"],
    "replay as JSON": ["replay", "--json"],
    "export": ["export", "out/tables"],
    "export as a zip": ["export", "out/tables.zip"],
    "backup": ["backup", "out/journal.db"],
    "restore": ["restore", "out/journal.db", "--yes"],
    "targets": ["targets", "show"],
    "targets as JSON": ["targets", "show", "--json"],
    "targets, checked": ["targets", "check"],
    "targets, compared": ["targets", "diff"],
    "targets, a preview": ["targets", "set", "BTC=34", "USDT=16"],
    "targets, staged": ["targets", "confirm"],
    "targets, back": ["targets", "undo"],
    "targets, the past": ["targets", "history"],
    "targets, the past as JSON": ["targets", "history", "--json"],
    "targets, their schema": ["targets", "schema"],
    "pause": ["pause", "--reason", "canary"],
    "run, paused": ["run", "--live", "--settle", "0"],
    "resume": ["resume"],
    "ack": ["ack", "1"],
    "no such verb": ["plna"],
    "back-test, fetched": ["backtest", "fetch", "--days", "40"],
    "back-test": ["backtest", "run", "--policies", "bands,never"],
    "back-test as JSON": ["backtest", "run", "--policies", "bands", "--json"],
    **{f"back-test as {form}": ["backtest", "run", "--policies", "bands", "--format", form] for form in ("csv", "md")},
    "back-test, a page": [
        "backtest",
        "run",
        "--policies",
        "bands",
        "--format",
        "html",
        "--output",
        "out/back-test.html",
    ],
    "back-test, suggested": ["backtest", "suggest", "--json"],
    "bundle": ["bundle"],
    "bundle as JSON": ["bundle", "--json", "--output", "again.zip"],
}
# Processes of their own, and the asking of a key: tests/test_secrets_processes.py and tests/e2e/test_canary.py.
ELSEWHERE = {"serve", "exchange", "dashboard", "init"}


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Set an owner's environment, live, the key in credential files; return it for a change."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, secret in zip(("access", "secret"), KEYS, strict=True):
        (folder / f"rebalancer_htx_{name}_key").write_text(secret)
    made = {
        "CREDENTIALS_DIRECTORY": str(folder),
        "REBALANCER_TARGETS": str(TARGETS),
        "REBALANCER_STATE_DIR": str(tmp_path / "state"),
        "REBALANCER_MODE": "live",
        "REBALANCER_HTX_ACCOUNT_ID": ACCOUNT,
        "REBALANCER_LOG_LEVEL": "DEBUG",
    }
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.parametrize("failure", ["", "unreachable", "wrong secret"])
def test_no_verb_shows_the_key_even_when_libraries_speak_at_debug(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    owner: dict[str, str],
    failure: str,
) -> None:
    assert {words[0] for words in VERBS.values()} >= set(main.VERBS) - ELSEWHERE
    assert {words[1] for words in VERBS.values() if words[0] == "targets"} >= set(targets.command.commands)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    codes = {}
    with served() as url, listening("DEBUG", *CHATTY) as stream:
        if failure == "wrong secret":
            (Path(owner["CREDENTIALS_DIRECTORY"]) / "rebalancer_htx_secret_key").write_text(SECRET_KEY[:-3])
        if failure == "unreachable":
            monkeypatch.setenv("REBALANCER_CLOCK_RATE", "1000")  # the pauses between attempts are not waited for
        monkeypatch.setenv("REBALANCER_HTX_URL", "http://127.0.0.1:9" if failure == "unreachable" else url)
        for verb, arguments in VERBS.items():
            codes[verb] = run(arguments)
    output = capsys.readouterr()
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    files += [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    packed = contents(*tmp_path.rglob("*.zip"))
    assert len(packed) == 2 * 8 + 4
    assert hits(output.out, output.err, stream.getvalue(), *files, *packed) == []
    assert codes["plan"] == {"": Exit.DONE, "unreachable": Exit.UNREACHABLE, "wrong secret": Exit.CREDENTIALS}[failure]
    assert failure or "receive_response_headers" in stream.getvalue(), "the libraries did speak"
    assert failure or codes["back-test"] == codes["back-test, suggested"] == codes["back-test, a page"] == Exit.DONE
    assert failure or codes["backup"] == codes["restore"] == codes["export"] == Exit.DONE
    assert failure or codes["run live"] in (Exit.DONE, Exit.WORK_LEFT), output.err
