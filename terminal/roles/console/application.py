"""The desk as an aiohttp application, to be served alone or under a path of another one."""

from collections.abc import Callable

from aiohttp import web

from terminal.clock import Clock
from terminal.config.users import UsersFile
from terminal.roles.console.act_pages import ActPages
from terminal.roles.console.actions import Actions
from terminal.roles.console.desk import Desk
from terminal.roles.console.desk_journal import DeskJournal
from terminal.roles.console.drawing import Drawing
from terminal.roles.console.guard import BODY_MOST, SPOKEN, DeskGuard
from terminal.roles.console.invoice_files import InvoiceFiles
from terminal.roles.console.pages import Pages
from terminal.roles.console.sign_in import SignIn, SignIns, SignInThrottle
from terminal.roles.console.sign_in_pages import SignInPages

Admit = Callable[[web.Request, SignIns], tuple[str, SignIn] | None]
"""Signs somebody in who has no sign-in; see DeskGuard."""


def application(
    desk: Desk,
    actions: Actions,
    journal: DeskJournal,
    drawing: Drawing,
    users: UsersFile,
    clock: Clock,
    *,
    idle_ms: int,
    admit: Admit | None = None,
    invoices: InvoiceFiles | None = None,
) -> web.Application:
    """The desk's application; its paths begin with ``drawing.base``, under which it must be mounted."""
    sign_ins, throttle = SignIns(clock, idle_ms), SignInThrottle(clock)
    signing = SignInPages(drawing, users, sign_ins, throttle, journal, clock)

    def refuse(request: web.Request, status: int, key: str) -> web.Response:
        words = request[SPOKEN]
        return drawing.page(request, "message.html", status=status, said=words(key), back="", title=words("error"))

    guard = DeskGuard(
        users,
        sign_ins,
        base=drawing.base,
        refuse=refuse,
        ended=signing.ended,
        failed=actions.journal_failed,
        admit=(lambda request: admit(request, sign_ins)) if admit else lambda request: None,
    )
    app = web.Application(middlewares=[guard.__call__], client_max_size=BODY_MOST)
    pages = Pages(desk, actions, journal, drawing, sign_ins)
    acts = ActPages(desk, actions, journal, drawing)
    app.add_routes([*signing.routes(), *pages.routes(), *acts.routes()])
    if invoices:
        app.add_routes(invoices.routes(refuse))

    async def end(_: web.Application) -> None:
        desk.feed.end()

    app.on_shutdown.append(end)
    return app
