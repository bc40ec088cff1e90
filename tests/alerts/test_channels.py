"""What goes out, over real channels: Apprise and a watcher, neither of which can hold a cycle up or be told of."""

from __future__ import annotations

import threading

import pytest

from rebalancer.alerts.channels import WAITING_MAX, Courier, apprise_sender, http_pinger
from rebalancer.alerts.condition import Message
from rebalancer.cli.alerting import make_courier
from rebalancer.errors import ConfigError
from rebalancer.logs import redact
from rebalancer.settings import Settings
from tests.alerts.listening import listening
from tests.canary import listening as logging_to
from tests.canary import own_logging


def test_a_message_and_pings_arrive_in_order() -> None:
    lost: list[str] = []
    with listening() as heard:
        courier = Courier(apprise_sender([heard.board]), http_pinger(heard.watcher), lost.append)
        courier.ping("start")
        courier.tell(Message("halted", "order 7"))
        courier.ping("")
        courier.ping("fail")
        courier.close()
    assert heard.notices == [{"title": "rebalancer: halted", "body": "order 7"}]
    assert heard.pings == ["start", "", "fail"] and lost == []


@pytest.mark.parametrize("status", [301, 404, 500])
def test_what_is_not_taken_is_said_without_the_address(status: int) -> None:
    lost: list[str] = []
    with listening(status) as heard:
        courier = Courier(apprise_sender([heard.board]), http_pinger(heard.watcher), lost.append)
        courier.tell(Message("halted", "order 7"))
        courier.ping("fail")
        courier.close()
    assert lost == ["the notice 'halted' was not taken", "the ping 'fail' was not taken"]


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING"])
def test_no_library_logs_an_address_at_any_level(status: int, level: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A bot's token is part of the path that it is asked under, which HTTP libraries like to log."""
    with listening(status) as heard, logging_to(level) as log:
        courier = Courier(apprise_sender([heard.board]), http_pinger(heard.watcher), lambda _text: None)
        courier.tell(Message("halted", "order 7"))
        courier.ping("fail")
        courier.close()
    with logging_to(level) as refused:
        gone = Courier(apprise_sender([heard.board]), http_pinger(heard.watcher), lambda _text: None)
        gone.tell(Message("halted", "order 7"))
        gone.close()
    assert heard.notices and heard.pings
    said = capfd.readouterr()
    for text in (log.getvalue(), refused.getvalue(), said.out, said.err):
        assert "token-of-the" not in text


def test_what_of_an_address_may_be_a_token_is_masked_wherever_else_it_turns_up() -> None:
    token = "AAEhBOweik6ad9r_QXMENQjcrGbqCr4K"
    with own_logging():
        settings = Settings(
            notify_urls=f"tgram://123456789:{token}/-1001234567 json://bot:pa55w0rd-x@localhost/path-t0ken",
            ping_url="https://watch.example/0f3c-uuid-uuid",
        )
        make_courier(settings, lambda _text: None).close()
        said = redact(
            f"POST /bot123456789:{token}/sendMessage by pa55w0rd-x at /path-t0ken, watch.example/0f3c-uuid-uuid"
        )
        assert redact("a run on localhost, of watch.example") == "a run on localhost, of watch.example"
    for secret in (token, "pa55w0rd-x", "path-t0ken", "0f3c-uuid-uuid"):
        assert secret not in said


def test_a_channel_that_breaks_is_said_by_kind_alone_and_the_next_message_goes_out() -> None:
    lost: list[str] = []
    sent: list[str] = []

    def send(message: Message) -> bool:
        if message.title == "first":
            raise RuntimeError("http://token@host failed")
        sent.append(message.title)
        return True

    courier = Courier(send, http_pinger("http://127.0.0.1:9/secret"), lost.append)
    courier.tell(Message("first", ""))
    courier.ping("")
    courier.tell(Message("second", ""))
    courier.close()
    assert lost == [
        "the notice 'first' could not be sent: RuntimeError",
        "the ping 'ok' could not be sent: ConnectError",
    ]
    assert sent == ["second"]


def test_a_channel_that_hangs_holds_nobody_up_and_what_no_longer_fits_is_said() -> None:
    lost: list[str] = []
    let_go = threading.Event()
    courier = Courier(lambda _message: let_go.wait(60), None, lost.append)
    for number in range(WAITING_MAX + 50):
        courier.tell(Message(str(number), ""))
    assert 48 <= len(lost) <= 50 and all("was dropped" in text for text in lost)
    let_go.set()
    courier.close()


def test_an_address_that_apprise_does_not_know_is_a_config_error_without_it() -> None:
    with pytest.raises(ConfigError, match="address 2 is none") as caught:
        apprise_sender(["json://127.0.0.1/a", "nonsense-with-a-token"])
    assert "token" not in str(caught.value)
