"""What must hold of the Python and the libraries under this program before it signs, sends and keeps anything.

An upgrade of the machine changes them without a word; a golden answer each is cheap and looks at all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

from rebalancer.errors import ConfigError, MalformedReply

SIGNED_AT = datetime(2019, 11, 21, 10, 0, 0, tzinfo=UTC)
# Of the request that HTX's own SDK signs in its tests.
SIGNATURE = "rWnLcMt3XBAsmXoNHtTQVpvMbH%2FcE1PXFwQAGeYwt3s%3D"
ROW_HASH = "efa611d7789d9ce5ab286a5d17ec626405be255e6056ba1fadee26c6042f8cf7"


def signing() -> bool:
    """Sign the published request."""
    from rebalancer.venues.htx.sign import Credentials, signed_query  # noqa: PLC0415

    keys = Credentials("access", "secret")
    query = signed_query(keys, method="GET", host="api.huobi.pro", path="/v1/account/accounts", moment=SIGNED_AT)
    return query.endswith(f"&Signature={SIGNATURE}")


def arithmetic() -> bool:
    """Round down what other roundings would take up, and write it without an exponent."""
    from rebalancer.core.money import floor_to_step, parse_decimal, plain  # noqa: PLC0415

    nearly_one = parse_decimal("0." + "9" * 32)
    return floor_to_step(nearly_one, Decimal(1)) == 0 and plain(parse_decimal("0.00000001")) == "0.00000001"


def reading() -> bool:
    """Read a number to its last digit, and refuse what is none."""
    from rebalancer.venues.htx.decode import decode  # noqa: PLC0415

    for text in (b'{"a":NaN}', b'{"a":1,"a":2}'):
        with suppress(MalformedReply):
            decode("self-test", text)
            return False
    digits = "0.1000000000000000055511151231257827"
    return bool(decode("self-test", f'{{"a":{digits}}}'.encode())["a"] == Decimal(digits))


def chaining() -> bool:
    """Bind a row of the journal as it was always bound."""
    from rebalancer.journal.rows import GENESIS, Entry, Kind, row_of  # noqa: PLC0415

    entry = Entry(Kind.HALT, {"amount": Decimal("0.10"), "text": "é"}, "run", 1, SIGNED_AT)
    return row_of(entry, seq=1, t_wall="then", prev_hash=GENESIS, fence=1).hash == ROW_HASH


def speaking() -> bool:
    """Have a TLS that verifies whom it speaks to, in no version that was broken."""
    import ssl  # noqa: PLC0415

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED and ssl.HAS_TLSv1_2


TESTS: tuple[Callable[[], bool], ...] = (signing, arithmetic, reading, chaining, speaking)


def require_sound_machine() -> None:
    """Raise ConfigError when an answer is not the golden one: nothing is signed or written then."""
    wrong = [test.__name__ for test in TESTS if not test()]
    if wrong:
        raise ConfigError(
            f"self-test: {', '.join(wrong)} does not do what it must under this Python and its libraries; "
            "install rebalancer anew, with the packages of its lock"
        )
