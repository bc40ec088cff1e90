"""The page as an application: routes, and around them the door that lets only the owner's own browser in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from rebalancer.errors import RebalancerError
from rebalancer.seams import Clock
from rebalancer.web.access import FORM_FIELD, HEADERS, RENEW_AFTER, Access, Attempts
from rebalancer.web.pages import Pages

BODY_BYTES_MAX = 50_000
FIELDS_MAX = 300
SEE_OTHER, FORBIDDEN, NOT_FOUND, TOO_LARGE, MISDIRECTED, TOO_MANY, UNAVAILABLE = 303, 403, 404, 413, 421, 429, 503
Form = Mapping[str, str]
Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(pages: Pages, access: Access, clock: Clock) -> Starlette:
    """Return the application; every answer is made in the one thread that owns the journal.

    `clock` is the machine's, by which somebody who looks no more is logged out.
    """
    routes = [
        Route("/login", _login(pages, access, clock), methods=["GET", "POST"]),
        Route("/logout", _changing(pages, access, lambda _request, _form: _out(access)), methods=["POST"]),
        Route("/", _showing(pages, lambda _: pages.overview())),
        Route("/runs", _showing(pages, lambda request: pages.runs(request.query_params.get("before", "")))),
        Route("/runs/{run_id}", _showing(pages, lambda request: pages.run(request.path_params["run_id"]))),
        Route("/coins/{asset}", _showing(pages, lambda request: pages.coin(request.path_params["asset"]))),
        Route("/cost", _showing(pages, lambda _: pages.cost())),
        Route("/health", _showing(pages, lambda _: pages.health())),
        Route("/targets", _showing(pages, lambda request: pages.targets(request.query_params.get("version", "")))),
        _changes("/targets/preview", pages, access, lambda _request, form: pages.preview(form)),
        _changes("/targets/stage", pages, access, lambda _request, form: pages.stage(form)),
        _changes("/ask/{what}", pages, access, lambda request, form: pages.ask(request.path_params["what"], form)),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=_door(access, clock))])


def _door(access: Access, clock: Clock) -> Callable[[Request, RequestResponseEndpoint], Awaitable[Response]]:
    """Answer only to our own names, show nothing but the login to strangers, and put the headers on everything."""

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        hosts = request.headers.getlist("host")
        path, now = request.url.path, clock.now()
        idle = access.idle(request.cookies.get(access.cookie), now)
        if len(hosts) != 1 or not access.knows(hosts[0]):
            answer: Response = HTMLResponse("this page has another name", MISDIRECTED)
        elif path == "/login" or path.startswith("/static/") or idle is not None:
            answer = await call_next(request)
        elif request.method in {"GET", "HEAD"}:
            answer = RedirectResponse("/login", SEE_OTHER)
        else:
            answer = HTMLResponse("log in first", FORBIDDEN)
        for name, value in HEADERS.items():
            answer.headers[name] = value
        if idle is not None and idle > RENEW_AFTER and path != "/logout":
            _let_in(answer, access, now)
        return answer

    return dispatch


def _showing(pages: Pages, make: Callable[[Request], str | None]) -> Endpoint:
    async def show(request: Request) -> Response:
        try:
            text = make(request)
        except RebalancerError as exc:
            return HTMLResponse(pages.problem(str(exc)), UNAVAILABLE)
        if text is None:
            return HTMLResponse(pages.problem("There is no such page."), NOT_FOUND)
        return HTMLResponse(text)

    return show


def _changes(path: str, pages: Pages, access: Access, make: Callable[[Request, Form], str]) -> Route:
    endpoint = _changing(pages, access, lambda request, form: HTMLResponse(make(request, form)))
    return Route(path, endpoint, methods=["POST"])


def _changing(pages: Pages, access: Access, make: Callable[[Request, Form], Response]) -> Endpoint:
    async def change(request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return HTMLResponse(pages.problem("This form is too large."), TOO_LARGE)
        if not access.may_change(request.headers, form.get(FORM_FIELD)):
            return HTMLResponse(pages.problem("This form does not come from this page."), FORBIDDEN)
        try:
            return make(request, form)
        except RebalancerError as exc:
            return HTMLResponse(pages.problem(str(exc)), UNAVAILABLE)

    return change


def _login(pages: Pages, access: Access, clock: Clock) -> Endpoint:
    attempts = Attempts()

    async def login(request: Request) -> Response:
        if request.method != "POST":
            return HTMLResponse(pages.login(wrong=False))
        form = await _form(request)
        # A stranger has no form token yet; the origin is held against our names all the same.
        if form is None or not access.may_change(request.headers, access.form_token):
            return HTMLResponse(pages.problem("This form does not come from this page."), FORBIDDEN)
        now = clock.now()
        if attempts.too_many(now):
            return HTMLResponse(pages.problem("Too many wrong tokens: wait a minute."), TOO_MANY)
        if not access.opens(form.get("token", "")):
            attempts.count(now)
            return HTMLResponse(pages.login(wrong=True), FORBIDDEN)
        answer = RedirectResponse("/", SEE_OTHER)
        _let_in(answer, access, now)
        return answer

    return login


def _let_in(answer: Response, access: Access, now: datetime) -> None:
    """Give the cookie that lets its browser in until nobody looked for too long."""
    answer.set_cookie(
        access.cookie,
        access.session(now),
        httponly=True,
        samesite="strict",
        secure=access.secure,
        path="/",
    )


def _out(access: Access) -> Response:
    answer = RedirectResponse("/login", SEE_OTHER)
    answer.delete_cookie(access.cookie, path="/", secure=access.secure, httponly=True, samesite="strict")
    return answer


async def _form(request: Request) -> Form | None:
    """Return the fields of a form, the last of each name; None when it is larger than any of ours."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            return None
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return None
