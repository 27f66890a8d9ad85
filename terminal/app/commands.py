"""Runs the commands. ``app`` is the only package that names concrete classes. An error becomes one line
on stderr and an exit status: 1 if something failed, 2 if something must be corrected before it can work.
"""

import argparse
import asyncio
import errno
import getpass
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from zoneinfo import ZoneInfo

from terminal import allocator, build
from terminal.app import output
from terminal.app.exit_status import failed, in_a_line, set_right
from terminal.app.hardware import RealHardware
from terminal.app.log_stream import is_json, log_as, log_to_stderr
from terminal.app.roles import run_roles
from terminal.app.service_manager import ServiceManager
from terminal.app.signals import until_stopped
from terminal.config import load
from terminal.config.lcd_settings import LcdSettings
from terminal.config.schema import ConfigError, GarageSettings, Settings
from terminal.payby.plain_text import plain
from terminal.threads import aside


def main(args: argparse.Namespace) -> int:
    """Run the command that ``args`` name; returns its exit status."""
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "contract": _contract,
        "screens": _screens,
        "sandbox": _sandbox,
        "demo": _demo,
        "ticket": _ticket,
        "tariff": _tariff,
        "init": _init,
        "backup": _backup,
        "restore": _restore,
        "check": _check,
        "refund": _refund,
        "reconcile": _reconcile,
        "export": _export,
        "watch": _watch,
        "user": _user,
        "run": _run,
    }
    output.make_plain(sys.stdout)
    log_to_stderr()
    try:
        return commands.get(args.command, _role)(args)
    except in_a_line() as error:
        leaf = _first(error)
        if not isinstance(leaf, set_right() + failed()):
            raise leaf from None
        said = plain(str(leaf), 1_000)
        if is_json():
            logging.getLogger("exit-terminal").critical(said)
        else:
            print(f"exit-terminal: {said}", file=sys.stderr)
        ServiceManager(os.environ).status(str(leaf))
        return 2 if isinstance(leaf, set_right()) else 1


def _first(error: BaseException) -> BaseException:
    """The first error, taken out of the exception groups that tasks put it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


# -- commands --------------------------------------------------------------------------------------------------------


def _load(args: argparse.Namespace) -> Settings:
    return load.load(args.config, os.environ)


def _run(args: argparse.Namespace) -> int:
    settings = _load(args)
    roles = settings.roles()
    if not roles:
        raise ConfigError("run: the configuration has no section for any role; see deploy/exit-terminal.toml")
    settings.require(*roles)
    return serve(settings, roles, process="run")


def _role(args: argparse.Namespace) -> int:
    settings = _load(args)
    if args.command == "lcd" and args.test:
        settings.need(LcdSettings)  # and no more: a panel is tested before there are a broker and keys
        return _lcd_test(settings)
    if args.command == "worker" and args.release:
        from terminal.tools import hand_over

        return hand_over.run(settings)
    settings.require(args.command)
    return serve(settings, [args.command], process=args.command)


def _contract(_: argparse.Namespace) -> int:
    from terminal.contract.asyncapi import document

    print(json.dumps(document(), indent=2, ensure_ascii=False))
    return 0


def _screens(args: argparse.Namespace) -> int:
    from terminal.screen import fonts
    from terminal.screen.qr import QrError
    from terminal.screen.sample_views import SITE
    from terminal.tools import screens

    site = SITE
    if args.config:
        settings = _load(args)
        lane = settings.lane.id if settings.lane else ""
        site = build.site(settings.need(GarageSettings), settings.lcd, lane=lane)
    if args.digits:
        site = replace(site, digits=args.digits)

    if not fonts.raqm_available():
        print(
            f"exit-terminal: Arabic is left out, because it cannot be shaped here; run: {fonts.INSTALL}",
            file=sys.stderr,
        )
    try:
        screens.run(args.out, args.url, site)
    except QrError as error:
        raise ConfigError(f"screens --url: {error}") from None
    return 0


def _ticket(args: argparse.Namespace) -> int:
    from drivers.printer import TicketPrinter
    from terminal.tools.ticket import command

    settings = _load(args)
    if not args.coupon:
        settings.require("ticket")
    wish = command.TicketWish(
        args.minutes_ago, args.key, args.code, args.lost, args.text, args.png, args.dots, args.coupon or "", args.days
    )
    try:
        command.run(
            settings,
            wish,
            printer=TicketPrinter(args.printer, args.dots) if args.printer else None,
            blocks=output.takes(sys.stdout, command.BLOCKS),
            now_ms=time.time_ns() // 1_000_000,
        )
    except ValueError as error:
        raise ConfigError(f"ticket: {error}") from None
    return 0


def _init(args: argparse.Namespace) -> int:
    from terminal.tools.init import command
    from terminal.tools.init.options import ANSWERS, option_key

    given = {key: getattr(args, key) for key in (option_key(option) for option, *_ in ANSWERS)}
    request = command.Request(
        args.config or (args.into or args.folder) / "exit-terminal.toml",
        given,
        shape=args.shape,
        lanes=tuple(args.lane),
        payby=args.payby,
        user=args.user,
        bundle_from=args.bundle,
        renew=tuple(args.renew),
        revoke=tuple(args.revoke),
        ca=args.ca,
        ca_key=args.ca_key,
        replace=args.replace,
    )
    prompt = input if sys.stdin.isatty() else None
    around = command.Surroundings(os.environ, command.utc_now(), socket.gethostname(), prompt)
    return command.run(request, around)


def _backup(args: argparse.Namespace) -> int:
    from terminal.tools.backup import save
    from terminal.tools.check import processes

    now_ms = time.time_ns() // 1_000_000
    return save.run(_load(args), args.file, secrets=not args.no_secrets, now_ms=now_ms, locked=processes.locked)


def _restore(args: argparse.Namespace) -> int:
    from terminal.tools.backup import restore

    return restore.run(args.file, args.folder, complete=args.complete, user=args.user)


def _check(args: argparse.Namespace) -> int:
    from drivers.framebuffer import probe
    from drivers.panel_kinds import check_offset, datasheet_hz
    from drivers.pins import claim, open_pins
    from terminal.tools.check import command, credentials, finding, machine, order, processes, report
    from terminal.tools.check import user as service_user

    if args.user:
        service_user.known(args.user)
        credentials.lend(load.file_of(args.config, os.environ), args.user, os.environ)
        service_user.become(args.user)
    # a broker that does not answer is a finding, not a warning
    logging.getLogger("terminal.mqtt.client").setLevel(logging.ERROR)
    here = finding.Machine(
        open_pins,
        machine.network_time,
        datasheet_hz,
        check_offset,
        framebuffer=probe,
        claim=claim,
        serves=processes.service_runs,
        connected_to=processes.connected_to,
        listens=processes.listens,
        locked=processes.locked,
        user=service_user.me(),
        rabbitmq_reports=tuple(args.rabbitmq),
    )
    document = report.Document(lambda text: print(text, file=sys.stderr)) if args.json else None
    lines, payers = document or report.Lines(), sys.stderr if document else sys.stdout
    settings = None
    try:
        settings, amount = _load(args), order.amount_of(args.amount)
        ready = asyncio.run(command.check(settings, here, lines))
        if ready and args.order:
            blocks = output.takes(payers, "▀▄█")
            ready = asyncio.run(order.prove(settings, amount, blocks=blocks, report=lines))
    except Exception as error:  # whatever it is, the document says it too; it goes on to its own exit status
        if document:
            leaf = _first(error)
            print(document.text(settings, plain(str(leaf), 1_000) or type(leaf).__name__))
        raise
    if document:
        print(document.text(settings))
    return 0 if ready else 1


def _tariff(args: argparse.Namespace) -> int:
    from terminal.tools.tariff import command, public_holidays

    if args.holidays is not None:
        for line in public_holidays.lines(args.country, args.holidays):
            print(line)
        return 0
    asked = command.TariffQuestion(
        entered=args.entered,
        exited=args.exited,
        ticket_class=args.ticket_class,
        paid=tuple(args.paid),
        earlier=tuple(args.earlier),
        check=args.check,
        chart=args.chart,
        until=args.until,
    )
    command.run(_load(args), asked, now_ms=time.time_ns() // 1_000_000)
    return 0


def _refund(args: argparse.Namespace) -> int:
    from terminal.tools.refund import command

    prompt = input if sys.stdin.isatty() else None
    return command.run(_load(args), args.order, amount=args.amount, reason=args.reason, yes=args.yes, prompt=prompt)


def _reconcile(args: argparse.Namespace) -> int:
    from terminal.tools.reconcile import command

    return command.run(
        _load(args),
        day=args.date,
        json_file=args.json,
        csv_file=args.csv,
        picture=args.picture,
        statements=args.statement,
        barrier_journals=args.barrier_journal,
    )


def _export(args: argparse.Namespace) -> int:
    from terminal.tools.reconcile import export

    return export.run(_load(args), first=args.date, last=args.until, csv_file=args.csv, apds_file=args.apds)


def _user(args: argparse.Namespace) -> int:
    from terminal.tools import user

    wish = user.UserWish(args.action, args.name or "", args.role, args.password_file, args.replace, args.json)
    ask = getpass.getpass if sys.stdin.isatty() else None
    return user.run(_load(args), wish, day=time.strftime("%Y-%m-%d"), ask=ask)


def _watch(args: argparse.Namespace) -> int:
    from terminal.tools.watch import command
    from terminal.tools.watch.output import PlainOutput, TerminalOutput
    from terminal.tools.watch.wish import WatchWish

    settings = _load(args)
    zone = ZoneInfo(settings.need(GarageSettings).timezone)
    # a broker that is not there is a line of ours, no warning
    logging.getLogger("terminal.mqtt.client").setLevel(logging.ERROR)
    wish = WatchWish(args.lane, args.kind, args.session, args.order, args.code, args.all)
    options = command.WatchOptions(
        wish, args.json, args.since, args.replay, args.url, args.user, args.password_file, args.garage
    )
    now_ms = time.time_ns() // 1_000_000
    is_seen = sys.stdout.isatty() and not args.json
    output = TerminalOutput(zone, now_ms=now_ms) if is_seen else PlainOutput(zone, now_ms=now_ms)
    return until_stopped(lambda: command.run(settings, options, output))


def _sandbox(args: argparse.Namespace) -> int:
    from terminal.payby.errors import BadKey
    from terminal.payby.sandbox.command import serve
    from terminal.payby.signing import load_public_keys

    if args.merchant_key:
        try:
            load_public_keys([args.merchant_key])
        except BadKey as error:
            raise ConfigError(f"sandbox: --merchant-key: {error}") from None
    try:
        return until_stopped(
            lambda: serve(
                "127.0.0.1",
                args.port,
                args.folder,
                args.merchant_key,
                args.partner_id,
                lambda line: print(line, flush=True),
            )
        )
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise ConfigError(f"sandbox: --port: port {args.port} cannot be had; take another") from None


def _demo(args: argparse.Namespace) -> int:
    from terminal.app.demo import run_demo

    return until_stopped(lambda: run_demo(args.port, args.cars))


def _lcd_test(settings: Settings) -> int:
    """Show the test card on the real panel until Ctrl-C."""
    from PIL import Image

    from terminal.screen.layouts import layout_for
    from terminal.tools.screens import test_card

    async def show() -> None:
        async with RealHardware(settings).panel() as panel:
            width, height = panel.size
            try:
                layout_for(settings.need(LcdSettings).panel, width, height)
            except ValueError as error:
                raise ConfigError(str(error)) from None
            card = test_card(width, height)
            # As a change of a white picture, so that it shows a panel's 3-bit colour beside its usual one.
            for picture in (Image.new("RGB", card.size, "white"), card):
                await aside(partial(panel.show, picture), "test card")
            print("The test card is on the panel; its code must scan (Ctrl-C ends the test).", flush=True)
            await asyncio.Event().wait()

    return until_stopped(show)


# -- roles -----------------------------------------------------------------------------------------------------------


def serve(settings: Settings, roles: Sequence[str], *, process: str) -> int:
    """Run ``roles`` until a signal ends them."""
    allocator.keep_small()
    log_as(settings.log.format)
    manager, hardware = ServiceManager(os.environ), RealHardware(settings)
    return until_stopped(
        lambda: run_roles(settings, roles, process=process, hardware=hardware, manager=manager), manager.stopping
    )
