"""The shipped units: dry, confined, without secrets, and in step with the program they start."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rebalancer.cli.exits import Exit
from rebalancer.cli.main import VERBS
from rebalancer.scheduler import TURN_S
from rebalancer.service.execute import PLAN_AGE_MAX_S
from rebalancer.service.settle import POLLS_S
from rebalancer.settings import ALERT_NAMES, PREFIX, SECRET_NAMES, unknown_names
from rebalancer.venues.htx.transport import DEADLINE_S, PLACE_DEADLINE_S
from tests.typed_command import parsed

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "systemd"
SERVICES = ("rebalancer.service", "rebalancer-once.service")
TIMER = "rebalancer-once.timer"
DROP_IN = "rebalancer-live.conf.example"
ENV_FILE = "rebalancer.env.example"
PROGRAM = "/opt/rebalancer/bin/rebalancer"
EXPOSURE_MAX = 1.2
SANDBOX_UNUSABLE = 125
Lines = list[tuple[str, str, str]]

ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def read_unit(name: str) -> Lines:
    """Return (section, key, value) of each line, in order; anything else in the file is an error."""
    made: Lines = []
    section = ""
    for number, line in enumerate((UNITS / name).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if header := re.fullmatch(r"\[([A-Za-z]+)\]", line):
            section = header[1]
            continue
        key, separator, value = line.partition("=")
        assert section and separator and key.isalnum(), f"{name}:{number}: {line}"
        made.append((section, key, value))
    return made


def values(name: str, key: str) -> list[str]:
    return [value for _, found, value in read_unit(name) if found == key]


def value(name: str, key: str) -> str:
    found = values(name, key)
    assert len(found) == 1, (name, key, found)
    return found[0]


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|min|h|d)?", text).groups()  # type: ignore[union-attr]
    return int(number) * {None: 1, "s": 1, "min": 60, "h": 3600, "d": 86400}[unit]


def environment_of(name: str) -> dict[str, str]:
    return dict(part.split("=", 1) for text in values(name, "Environment") for part in text.split())


def env_example(*, commented: bool) -> dict[str, str]:
    mark = "#?" if commented else ""
    text = (UNITS / ENV_FILE).read_text(encoding="utf-8")
    return dict(re.findall(rf"^{mark}([A-Z_]+)=(.*)$", text, re.MULTILINE))


def parse_command(line: str) -> tuple[str, dict[str, object]]:
    """Return the verb and its options of an ExecStart, as the program itself understands them."""
    program, verb, *arguments = line.split()
    assert program == PROGRAM and verb in VERBS, line
    return verb, parsed(verb, arguments).params


@pytest.mark.parametrize(("name", "verb"), [("rebalancer.service", "serve"), ("rebalancer-once.service", "run")])
def test_a_shipped_unit_runs_dry(name: str, verb: str) -> None:
    found, params = parse_command(value(name, "ExecStart"))
    assert found == verb
    assert params["live"] is False
    assert f"{PREFIX}MODE" not in environment_of(name)


def test_the_shipped_environment_file_leaves_the_mode_alone() -> None:
    assert f"{PREFIX}MODE" not in env_example(commented=True)


def test_the_drop_in_says_both_words_and_nothing_else() -> None:
    first, *commands = values(DROP_IN, "ExecStart")
    assert first == ""  # takes the dry command away
    verb, params = parse_command(commands[0])
    assert (verb, params["live"], len(commands)) == ("serve", True, 1)
    assert environment_of(DROP_IN) == {f"{PREFIX}MODE": "live"}
    assert {key for _, key, _ in read_unit(DROP_IN)} == {"Environment", "ExecStart"}


@pytest.mark.parametrize("name", SERVICES)
def test_credentials_have_the_names_that_the_settings_look_for(name: str) -> None:
    expected = [f"{PREFIX.lower()}{secret}" for secret in (*SECRET_NAMES, *ALERT_NAMES)]
    assert values(name, "LoadCredential") == expected
    encrypted = re.findall(
        r"^#\s+LoadCredentialEncrypted=(\S+)$", (UNITS / name).read_text(encoding="utf-8"), re.MULTILINE
    )
    assert encrypted == expected


@pytest.mark.parametrize("name", [*SERVICES, DROP_IN])
def test_no_unit_puts_a_secret_into_the_environment(name: str) -> None:
    assert not [key for key in environment_of(name) if re.search("KEY|SECRET|TOKEN|PASS", key)]
    assert not values(name, "SetCredential")
    assert not values(name, "PassEnvironment")


def test_the_environment_file_names_only_what_means_something_and_no_secret() -> None:
    named = env_example(commented=True)
    assert named
    assert unknown_names(named) == []
    assert not [key for key in named if re.search("KEY|SECRET|TOKEN|PASS", key)]


def test_the_environment_file_leads_commands_typed_by_hand_to_what_the_units_use() -> None:
    stated = env_example(commented=False)
    assert stated == {
        f"{PREFIX}STATE_DIR": f"/var/lib/{value('rebalancer.service', 'StateDirectory')}",
        f"{PREFIX}TARGETS": f"/etc/{value('rebalancer.service', 'ConfigurationDirectory')}/targets.toml",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_exit_code_that_a_unit_treats_specially_exists(name: str) -> None:
    known = {int(code) for code in Exit}
    for key in ("RestartPreventExitStatus", "SuccessExitStatus"):
        for text in values(name, key):
            assert {int(code) for code in text.split()} <= known, (key, text)


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_never_restarts_into_what_only_a_human_can_mend(name: str) -> None:
    prevented = {int(code) for code in value(name, "RestartPreventExitStatus").split()}
    assert prevented >= {Exit.USAGE, Exit.REFUSED, Exit.OUTCOME_UNKNOWN, Exit.CREDENTIALS, Exit.CONFIG}
    assert Exit.UNREACHABLE not in prevented  # the exchange comes back by itself


@pytest.mark.parametrize("name", SERVICES)
def test_a_stop_leaves_time_for_the_order_under_way(name: str) -> None:
    leg_s = 2 * DEADLINE_S + PLACE_DEADLINE_S + sum(POLLS_S)  # a look, the order, its end
    assert seconds(value(name, "TimeoutStopSec")) > leg_s


def test_the_watchdog_waits_longer_than_a_cycle_may_go_on_sending() -> None:
    leg_s = 2 * DEADLINE_S + PLACE_DEADLINE_S + sum(POLLS_S)
    assert seconds(value("rebalancer.service", "WatchdogSec")) > PLAN_AGE_MAX_S + leg_s + TURN_S


@pytest.mark.parametrize("name", SERVICES)
def test_the_state_belongs_to_a_fixed_user_and_is_closed_to_others(name: str) -> None:
    assert value(name, "User") == value(name, "Group") == value(name, "StateDirectory") == "rebalancer"
    assert value(name, "StateDirectoryMode") == "0750"
    assert value(name, "UMask") == "0027"


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_waits_for_the_network_and_a_set_clock(name: str) -> None:
    assert set(value(name, "After").split()) == {"network-online.target", "time-sync.target"}
    assert value(name, "Wants") == value(name, "After")


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_that_fails_at_every_start_is_given_up_and_left_failed(name: str) -> None:
    """Each start does no harm; but a service that cannot live must not look alive for ever."""
    assert value(name, "Restart") == "on-failure"
    starts, apart_s = int(value(name, "StartLimitBurst")), seconds(value(name, "RestartSec"))
    assert 0 < starts * apart_s < seconds(value(name, "StartLimitIntervalSec"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_has_a_cap_of_memory_and_leaves_no_core_with_the_key_in_it(name: str) -> None:
    assert value(name, "MemoryMax") == "512M"
    assert value(name, "LimitCORE") == "0"
    assert (value(name, "ProtectProc"), value(name, "ProcSubset")) == ("invisible", "pid")


def test_both_services_are_confined_alike() -> None:
    one, two = ([line for line in read_unit(name) if line[0] == "Service"] for name in SERVICES)
    start = ("Service", "User", "rebalancer")
    assert one[one.index(start) :] == two[two.index(start) :]


@needs_analyze
def test_systemd_accepts_the_units_with_and_without_the_drop_in(tmp_path: Path) -> None:
    stage(tmp_path)
    names = [*SERVICES, TIMER]
    verify = [str(ANALYZE), "verify", "--man=no", "--recursive-errors=no", *names]
    plain = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (plain.returncode, plain.stdout + plain.stderr) == (0, "")
    folder = tmp_path / "rebalancer.service.d"
    folder.mkdir()
    (folder / "live.conf").write_text(with_program_of_this_machine(DROP_IN), encoding="utf-8")
    armed = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (armed.returncode, armed.stdout + armed.stderr) == (0, "")


@needs_analyze
@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_is_hardly_exposed(name: str, tmp_path: Path) -> None:
    stage(tmp_path)
    command = [str(ANALYZE), "security", "--offline=true", "--no-pager", f"./{name}"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", shown.stdout)
    assert score, shown.stdout + shown.stderr
    assert float(score[1]) <= EXPOSURE_MAX, shown.stdout


@needs_analyze
def test_the_timer_has_a_calendar_that_systemd_can_read() -> None:
    for calendar in values(TIMER, "OnCalendar"):
        subprocess.run([str(ANALYZE), "calendar", calendar], capture_output=True, check=True)


def test_the_timer_runs_in_utc_makes_up_a_missed_slot_and_spreads_its_start() -> None:
    assert all(calendar.endswith(" UTC") for calendar in values(TIMER, "OnCalendar"))
    assert value(TIMER, "Persistent") == "true"
    assert seconds(value(TIMER, "RandomizedDelaySec")) > 0


@needs_analyze
def test_the_daemon_starts_reports_itself_and_stops_under_its_own_system_call_filter(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text("\n".join(sorted(allowed_calls("rebalancer.service"))), encoding="ascii")
    told = tmp_path / "notify"
    environment = {key: text for key, text in os.environ.items() if not key.startswith(PREFIX)} | {
        "NOTIFY_SOCKET": str(told),
        "STATE_DIRECTORY": str(tmp_path / "state"),
        "CONFIGURATION_DIRECTORY": str(ROOT),  # where targets.toml lies
    }
    verb, _ = parse_command(value("rebalancer.service", "ExecStart"))
    sandbox = [sys.executable, str(ROOT / "tests" / "systemd_sandbox.py"), str(allowed)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(told))
        listener.settimeout(0.5)
        command = [*sandbox, sys.executable, "-m", "rebalancer", verb]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            ready = any("READY=1" in message for message in messages(listener, process))
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
    if process.returncode == SANDBOX_UNUSABLE:
        pytest.skip(said)
    assert ready, said
    assert process.returncode == Exit.DONE, said


def messages(listener: socket.socket, process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield what the process tells its supervisor, until it ends."""
    while process.poll() is None:
        try:
            yield listener.recv(4096).decode()
        except TimeoutError:
            continue


def allowed_calls(name: str) -> set[str]:
    """Return the system calls that the unit's SystemCallFilter= lines leave."""
    allowed: set[str] = set()
    for text in values(name, "SystemCallFilter"):
        groups = text.removeprefix("~").split()
        calls = set[str]().union(*(calls_of(group) for group in groups))
        allowed = allowed - calls if text.startswith("~") else allowed | calls
    return allowed


def calls_of(group: str) -> set[str]:
    command = [str(ANALYZE), "syscall-filter", "--no-pager", group]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    words = {line.strip() for line in shown.splitlines()} - {"", group}
    inner = {word for word in words if word.startswith("@")}
    return {word for word in words if word[0] not in "@#"}.union(*(calls_of(each) for each in inner))


def with_program_of_this_machine(name: str) -> str:
    """Return a unit's text with a program that exists: systemd refuses an ExecStart that does not."""
    text = (UNITS / name).read_text(encoding="utf-8")
    return re.sub(rf"^ExecStart={re.escape(PROGRAM)}.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE)


def stage(folder: Path) -> None:
    for name in (*SERVICES, TIMER):
        (folder / name).write_text(with_program_of_this_machine(name), encoding="utf-8")
