"""The books in words and as a document."""

from __future__ import annotations

from dataclasses import replace

from rebalancer.core.ledger import Books, Look, Trades, next_books, open_books
from rebalancer.report.books import books_document, books_lines
from tests.core.builders import NOW, d

PRICES = {"BTC": d(80000), "USDT": d(1)}


def books() -> Books:
    held = {"BTC": d("0.1"), "USDT": d(2000)}
    first = open_books(Look(NOW, "USDT", PRICES, held, {"BTC": d(80), "USDT": d(20)}))
    done = Trades().plus("BTC", {"BTC": d("-0.01"), "USDT": d("798.4")}, {"USDT": d("1.6")}, PRICES)
    after = {"BTC": d("0.09"), "USDT": d("2898.4")}
    return next_books(first, Look(NOW, "USDT", PRICES, after, {"BTC": d(80), "USDT": d(20)}), done)


def test_the_lines_say_what_it_cost_what_came_and_that_it_adds_up() -> None:
    shown = " | ".join(books_lines(books(), "USDT"))
    for words in (
        "10,098.40 now; 10,100.00 had nothing been traded; 10,100.00 at the targets",
        "1 order(s) of 800.00; fees 1.6 USDT (about 1.60), slippage 0.00",
        "by other hands: +100 USDT",
        "add up to the balances to the last digit",
    ):
        assert words in shown, words


def test_books_that_do_not_add_up_say_by_how_much() -> None:
    wrong = replace(books(), held={"BTC": d("0.09"), "USDT": d("2898.39")})
    assert books_lines(wrong, "USDT")[-1] == "THEY DO NOT ADD UP: -0.01 USDT"
    assert books_document(wrong)["adds_up"] is False


def test_the_document_keeps_every_digit_of_what_moved() -> None:
    document = books_document(books())
    assert document["flows"] == {"USDT": "100"} and document["fees"] == {"USDT": "1.6"} and document["adds_up"]
    assert (document["nav_quote"], document["never_rebalanced_quote"]) == ("10098.4", "10100")
