"""What goes out, over real channels: Apprise and a watcher, neither of which can hold a cycle up or be told of."""

from __future__ import annotations

import threading

import pytest

from rebalancer.alerts.channels import WAITING_MAX, Courier, apprise_sender, http_pinger
from rebalancer.alerts.condition import Message
from rebalancer.errors import ConfigError
from tests.alerts.listening import listening


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
