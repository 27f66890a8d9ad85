"""What holds for every request: who asks, in which language, and what a browser may do with the answer.

Nothing but the sign-in page and its style is given to whoever is not signed in. A form counts only with the token of
its own sign-in, and only from a page of this desk.
"""

import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from terminal.config.users import BadUsersFile, DeskUser, UserRole, UsersFile
from terminal.journal.rows import JournalError
from terminal.roles.console.sign_in import SignIn, SignIns, same
from terminal.roles.console.texts import WORDS, Words

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY_MOST = 16 * 1024
COOKIE, LANGUAGE_COOKIE = "desk", "desk_language"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OPEN = ("sign-in", "static", "font")
"""The first part of the paths that everybody may read."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is signed in."""

    user: DeskUser
    sign_in: SignIn
    words: Words


ASKER: web.RequestKey[Asker] = web.RequestKey("asker", Asker)
SPOKEN: web.RequestKey[Words] = web.RequestKey("spoken", Words)


class DeskGuard:
    """``admit`` signs somebody in who asks for a page without being signed in (the demo does); None: nobody.
    ``refuse`` draws an error's page; ``ended`` notes that a sign-in ended because its user was changed.
    ``failed`` is told what a journal raises: nothing can be done without it."""

    def __init__(
        self,
        users: UsersFile,
        sign_ins: SignIns,
        *,
        base: str,
        refuse: Callable[[web.Request, int, str], web.Response],
        ended: Callable[[SignIn], Awaitable[None]],
        failed: Callable[[BaseException], None],
        admit: Callable[[web.Request], tuple[str, SignIn] | None] = lambda request: None,
    ) -> None:
        self._users, self._sign_ins, self._base, self._refuse = users, sign_ins, base, refuse
        self._ended, self._failed, self._admit = ended, failed, admit
        self._known: dict[str, DeskUser] = {}

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Around every handler of the desk."""
        request[SPOKEN] = WORDS[_language(request)]
        token = ""
        try:
            response, token = await self._answer(request, handler)
        except web.HTTPException as error:
            if error.status < 400:
                response = see_other(error.headers[hdrs.LOCATION])
            else:
                key = {403: "error.may", 404: "error.page", 503: "no.journal"}.get(error.status, "error.form")
                response = self._refuse(request, error.status, key)
                response.headers.update({k: v for k, v in error.headers.items() if k in ("Allow", "Retry-After")})
        except JournalError as error:
            self._failed(error)
            response = self._refuse(request, 503, "no.journal")
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
            if token:
                set_cookie(request, response, token, self._base)
            if request.query.get("lang") in WORDS:
                path = self._base or "/"
                response.set_cookie(LANGUAGE_COOKIE, request.query["lang"], path=path, max_age=31_536_000,
                                    samesite="Strict", httponly=True)  # fmt: skip
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> tuple[web.StreamResponse, str]:
        path = request.path.removeprefix(self._base).strip("/")
        if request.method not in ("GET", "HEAD") and not _is_from_here(request):
            raise web.HTTPForbidden
        if path.partition("/")[0] in OPEN:
            return await handler(request), ""
        asker, token = await self.asker(request, use=not path.startswith("events")), ""
        if asker is None and request.method == "GET" and (admitted := self._admit(request)):
            token, sign_in = admitted
            asker = self._asker_of(request, sign_in)
        if asker is None:
            return self._to_sign_in(request, path), ""
        request[ASKER] = asker
        if request.method == "POST":
            form = await form_of(request)
            if not same(str(form.get("csrf", "")), asker.sign_in.csrf):
                raise web.HTTPBadRequest
        return await handler(request), token

    async def asker(self, request: web.Request, *, use: bool = True) -> Asker | None:
        """Who asks; None: nobody, or nobody any more."""
        sign_in = self._sign_ins.find(request.cookies.get(COOKIE, ""), use=use)
        if sign_in is None:
            return None
        found = self._asker_of(request, sign_in)
        if found is None:
            self._sign_ins.end(sign_in)
            await self._ended(sign_in)
        return found

    def _asker_of(self, request: web.Request, sign_in: SignIn) -> Asker | None:
        """Is the user still there, as he was when he signed in? While the file cannot be used nobody is thrown out of
        a sign-in that he has, but nobody gets one."""
        try:
            users = self._users.users()
        except BadUsersFile as error:
            log.warning("%s", error)
            user = self._known.get(sign_in.user)
        else:
            user = users.get(sign_in.user)
            if user and self._known.setdefault(user.name, user) != user:
                self._known[user.name] = user
                self._sign_ins.end_all_of(user.name)
                return None
        return Asker(user, sign_in, request[SPOKEN]) if user else None

    def _to_sign_in(self, request: web.Request, path: str) -> web.StreamResponse:
        """Of a page that only listens, or of a part of one, the browser must not show the sign-in page."""
        if path.partition("/")[0] in ("events", "part") or path.endswith(".png"):
            return web.Response(status=401)
        ended = "&ended=1" if request.cookies.get(COOKIE) else ""
        to = path if request.method == "GET" else ""
        return see_other(f"{self._base}/sign-in?to={quote(to)}{ended}")


async def form_of(request: web.Request) -> Mapping[str, object]:
    """The fields of a form of ours; raises HTTPBadRequest for a body that is none, of whatever form it may be."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest
    try:
        return await request.post()
    except (ValueError, LookupError):  # bytes that are no text, or a charset that nobody knows
        raise web.HTTPBadRequest from None


def see_other(url: str) -> web.Response:
    """Lead a browser to another page, which it gets by GET."""
    return web.Response(status=303, headers={hdrs.LOCATION: url})


def need(asker: Asker, role: UserRole) -> None:
    """Raise HTTPForbidden unless the asker has that role's rights."""
    if not asker.user.may(role):
        raise web.HTTPForbidden


def set_cookie(request: web.Request, response: web.StreamResponse, token: str, base: str) -> None:
    """Give a browser its sign-in, for as long as it is open; an empty token takes it away."""
    common: dict[str, Any] = {"path": base or "/", "samesite": "Strict", "httponly": True, "secure": is_https(request)}
    if token:
        response.set_cookie(COOKIE, token, **common)
    else:
        response.del_cookie(COOKIE, **common)


def address_of(request: web.Request) -> str:
    """Where the request comes from; behind a proxy on this machine, what that says."""
    remote = request.remote or "?"
    if _is_loopback(remote) and (said := request.headers.get("X-Forwarded-For", "")):
        last = said.rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(last))
        except ValueError:
            return remote
    return remote


def is_https(request: web.Request) -> bool:
    """Did the browser ask over TLS? A proxy on this machine says so."""
    if request.secure:
        return True
    return _is_loopback(request.remote or "") and request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def _is_loopback(remote: str) -> bool:
    try:
        return ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False


def _is_from_here(request: web.Request) -> bool:
    """A form of another site is refused by what its browser says of it."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    try:
        return origin is None or urlsplit(origin).netloc == request.host
    except ValueError:  # no address at all
        return False


def _language(request: web.Request) -> str:
    for asked in (request.query.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if asked in WORDS:
            return asked
    accepted = request.headers.get("Accept-Language", "")[:64].lower()
    return "ar" if accepted.startswith("ar") else "en"
