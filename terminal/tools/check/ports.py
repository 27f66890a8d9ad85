"""Can `run` listen on its ports, on this machine and as this user?"""

import errno
import socket
from collections.abc import AsyncIterator

from terminal import build
from terminal.config.schema import Settings
from terminal.tools.check.finding import Finding, Machine


async def ports(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """Can each port that `run` listens on be bound? One that the running service has is unproven."""
    roles = settings.roles()
    listener, console, broker = settings.listener, settings.console, settings.broker
    if listener and "listener" in roles:
        yield _port("listener", listener.host, listener.port, machine)
    if console:
        yield _port("console", console.host, console.port, machine)
    if broker:
        yield _port("broker", "127.0.0.1", broker.port, machine)


def _port(section: str, host: str, port: int, machine: Machine) -> Finding:
    name = f"port {section}.port"
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in places:
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(place)
                trial.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and machine.listens(port):
            text = f"{host}, port {port}, is the running service's"
            return Finding(name, True, text, but="unproven", about=f"{section}.port")
        key, text, advice = build.cannot_listen(section, host, port, error)
        return Finding(name, False, text, advice, about=key)
    return Finding(name, True, f"{host}, port {port}, can be had", about=f"{section}.port")
