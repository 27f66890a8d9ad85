"""Signing in and out. Each try and its outcome is in the console's journal."""

import asyncio
import re

from aiohttp import web

from terminal.clock import Clock
from terminal.config.users import BadUsersFile, DeskUser, UsersFile, is_password_of
from terminal.payby.plain_text import plain
from terminal.roles.console.desk_journal import DeskJournal, SignedWhat, SignRecord
from terminal.roles.console.drawing import Drawing
from terminal.roles.console.guard import ASKER, SPOKEN, address_of, form_of, log, see_other, set_cookie
from terminal.roles.console.sign_in import SignIn, SignIns, SignInThrottle

WAITING_MOST = 8
"""Passwords that wait to be checked; each takes a tenth of a second and 64 MiB, one at a time."""
_WANTED: web.RequestKey[str] = web.RequestKey("wanted", str)
_TO = re.compile(r"[a-z]*(/[A-Za-z0-9-]+)*")


class SignInPages:
    """``base`` is the desk's path."""

    def __init__(
        self,
        drawing: Drawing,
        users: UsersFile,
        sign_ins: SignIns,
        throttle: SignInThrottle,
        journal: DeskJournal,
        clock: Clock,
    ) -> None:
        self._drawing, self._users, self._sign_ins, self._throttle = drawing, users, sign_ins, throttle
        self._journal, self._clock = journal, clock
        self._checking = asyncio.Lock()
        self._waiting = 0

    def routes(self) -> list[web.RouteDef]:
        """What the desk's application gets."""
        return [
            web.get("/sign-in", self.form),
            web.post("/sign-in", self.sign_in),
            web.post("/sign-out", self.sign_out),
        ]

    async def form(self, request: web.Request) -> web.Response:
        """The form; whoever is signed in already may sign in as somebody else."""
        key = "sign.ended" if request.query.get("ended") else ""
        try:
            if not self._users.users():
                key = "sign.nobody"
        except BadUsersFile as error:
            log.warning("%s", error)
            key = "sign.file"
        return self._form(request, key, status=200)

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Check name and password."""
        form = await form_of(request)
        request[_WANTED] = str(form.get("to", ""))
        name, password = (str(form.get(field, "")) for field in ("name", "password"))
        name, address = plain(name.strip(), 64), address_of(request)
        if wait_ms := self._throttle.wait_ms(name, address):
            seconds = -(-wait_ms // 1000)
            response = self._form(request, "sign.wait", status=429, s=seconds)
            response.headers["Retry-After"] = str(seconds)
            return response
        if self._waiting >= WAITING_MOST:
            return self._form(request, "sign.busy", status=503)
        try:
            user = self._users.users().get(name)
        except BadUsersFile as error:
            log.warning("%s", error)
            await self._note("refused", name, address, "the users' file cannot be used")
            return self._form(request, "sign.file", status=503)
        if not await self._is_good(user, password) or user is None:
            self._throttle.failed(name, address)
            await self._note("refused", name, address, "wrong password" if user else "no such user")
            return self._form(request, "sign.wrong", status=401)
        self._throttle.succeeded(name, address)
        await self._note("in", user.name, address)
        token, _ = self._sign_ins.begin(user.name, address)
        to = str(form.get("to", ""))
        response = see_other(f"{self._drawing.base}/{to if _TO.fullmatch(to) else ''}")
        set_cookie(request, response, token, self._drawing.base)
        return response

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """End the sign-in."""
        asker = request[ASKER]
        self._sign_ins.end(asker.sign_in)
        await self._note("out", asker.user.name, asker.sign_in.address)
        response = see_other(f"{self._drawing.base}/sign-in")
        set_cookie(request, response, "", self._drawing.base)
        return response

    async def ended(self, sign_in: SignIn) -> None:
        """A sign-in ended because its user was changed or removed."""
        await self._note("ended", sign_in.user, sign_in.address, "the user was changed or removed")

    async def _is_good(self, user: DeskUser | None, password: str) -> bool:
        self._waiting += 1
        try:
            async with self._checking:
                return await asyncio.to_thread(is_password_of, user, password)
        finally:
            self._waiting -= 1

    async def _note(self, what: SignedWhat, user: str, address: str, why: str = "") -> None:
        await self._journal.sign(SignRecord(what, user, address, why), self._clock.wall_ms())

    def _form(self, request: web.Request, key: str, *, status: int, **values: object) -> web.Response:
        to = request.query.get("to", "") or str(request.get(_WANTED, ""))
        said = request[SPOKEN](key, **values) if key else ""
        return self._drawing.page(request, "sign_in.html", status=status, said=said, to=to if _TO.fullmatch(to) else "")
