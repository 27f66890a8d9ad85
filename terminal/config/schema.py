"""Every section and key of the configuration, what each takes, and which of them a role cannot do without.

A section is a class and a key is a field; the field's type says what the key takes. `config/load.py` reads them.
`[lcd]` stands in `config/lcd_settings.py`, `[tariff]` in `config/tariff_settings.py`, `[lookup]` and `[plate]` in
`config/lookup_settings.py`, `[alerts]`, `[discovery]` and `[log]` in `config/outward_settings.py`.
"""

import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from terminal.config.coupon_settings import CouponSettings
from terminal.config.field_types import (
    Arm,
    File,
    Host,
    LaneId,
    Name,
    Partner,
    Payee,
    Pin,
    Price,
    TcpPort,
    WatcherNames,
)
from terminal.config.lcd_settings import LcdSettings
from terminal.config.lookup_settings import LookupSettings, PlateSettings
from terminal.config.outward_settings import AlertsSettings, DiscoverySettings, LogSettings
from terminal.config.paystation_settings import PaystationSettings
from terminal.config.receipt_settings import ReceiptSettings
from terminal.config.section import Section
from terminal.config.tariff_settings import TariffSettings


class ConfigError(Exception):
    """The configuration, or a file that it names, cannot be used. It is one line, of ``text`` and, where that does not
    say what to do, of ``advice``; exit status 2."""

    def __init__(self, text: str, advice: str = "") -> None:
        super().__init__(f"{text}; {advice}" if advice else text)
        self.text, self.advice = text, advice


class GarageSettings(Section, frozen=True):
    """The garage: its id in topics and tickets, and what drivers are shown of it."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9]{1,12}\Z", description="1 to 12 characters of a-z and 0-9")]
    name: Name = ""
    name_ar: Name = ""
    timezone: Annotated[str, Meta(description='a time zone, such as "Asia/Dubai"')] = "Asia/Dubai"
    help_phone: Annotated[str, Meta(pattern=r"^[+0-9 ()-]{1,24}\Z", description="a telephone number")] = ""
    lanes: Annotated[int, Meta(ge=1, le=999, description="exit lanes, 1 to 999")] = 1


class LaneSettings(Section, frozen=True):
    """The lane of this machine."""

    id: LaneId


class MqttSettings(Section, frozen=True):
    """How every role reaches the broker; no `ca_file` means the system's authorities. With `clean_session` the broker
    keeps nothing for a role that is away."""

    url: Annotated[str, Meta(pattern=r"^mqtts?://[^/@\s]+/?\Z", description="mqtt://HOST:PORT or mqtts://HOST:PORT")]
    username: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z", description="a user of the broker")]
    password_file: File
    ca_file: File | None = None
    cert_file: File | None = None
    key_file: File | None = None
    clean_session: Annotated[bool, Meta(description="true or false")] = False


class BrokerSettings(Section, frozen=True):
    """The embedded broker; `users` is the folder of its password files."""

    users: Annotated[Path, Meta(description="the path of a folder")]
    port: TcpPort = 1883
    watchers: WatcherNames = ("watch",)


class PaybySettings(Section, frozen=True):
    """`payee_mid` is `partner_id` where the file leaves it out; the merchant's own key is the worker's alone."""

    payby_public_key: Annotated[tuple[Path, ...], Meta(min_length=1, max_length=8, description="a list of files")]
    payee_mid: Payee = ""
    partner_id: Partner = ""
    base_url: Annotated[str, Meta(pattern=r"^https?://[^/@\s?#]+(/[^\s?#]*)?\Z", description="https://HOST/PATH")] = ""
    private_key: File | None = None
    notify_url: (
        Annotated[str, Meta(pattern=r"^https?://[^/@\s]+/[^\s#]*\Z", max_length=200, description="https://HOST/PATH")]
        | None
    ) = None
    device_ids: Annotated[
        Mapping[LaneId, Annotated[str, Meta(pattern=r"^[!-~]{1,32}\Z")]],
        Meta(max_length=64, description='lanes and devices of PayBy\'s portal, such as { exit-1 = "20001019" }'),
    ] = {}
    query_every: Annotated[float, Meta(ge=2, le=6, description="seconds, 2 to 6")] = 3.0
    cancel_after: Annotated[float, Meta(ge=20, le=120, description="seconds, 20 to 120")] = 110.0
    timeout: Annotated[float, Meta(ge=0.1, le=60, description="seconds, 0.1 to 60")] = 10.0


class LiftSettings(Section, frozen=True):
    """`trusted` maps the name of a signer, `worker…` or `console…`, to its public key."""

    trusted: Annotated[
        Mapping[Annotated[str, Meta(pattern=r"^(worker|console)[A-Za-z0-9._-]{0,32}\Z")], Path],
        Meta(min_length=1, max_length=32, description='names and files, such as { worker = "worker.pub.pem" }; '
             "a name begins with worker or console"),
    ]  # fmt: skip
    private_key: File | None = None


class TicketSettings(Section, frozen=True):
    """`keys` maps ids to files; the first signs new tickets. For the worker and the command `ticket`, not a lane."""

    keys: Annotated[
        Mapping[Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,8}\Z")], Path],
        Meta(min_length=1, max_length=16, description='ids of 1 to 8 letters and digits, such as { k1 = "ticket-k1" }'),
    ]


class ReaderSettings(Section, frozen=True):
    """The ticket scanner; `serial` and `hid` need a `device`, and `baud` (bits a second) is for `serial`. `lost_pin` is
    that of a button at the pillar for lost tickets."""

    driver: Annotated[Literal["serial", "hid", "stdin"], Meta(description="serial, hid or stdin")]
    device: File | None = None
    baud: Annotated[int, Meta(ge=300, le=4_000_000, description="bits a second, 300 to 4000000")] = 9600
    lost_pin: Pin | None = None


class BarrierSettings(Section, frozen=True):
    """The barrier's pins, the times of its pulse and its arm (s), and the journal of spent lifts."""

    raise_pin: Pin
    journal: File
    pulse: Annotated[float, Meta(ge=0.05, le=5, description="seconds, 0.05 to 5")] = 0.5
    rise_time: Arm = 2.0
    close_time: Arm = 8.0
    up_pin: Pin | None = None
    down_pin: Pin | None = None


class LoopsSettings(Section, frozen=True):
    """The pins of the loop where a vehicle waits and of the one under the boom."""

    waiting_pin: Pin
    boom_pin: Pin


class ListenerSettings(Section, frozen=True):
    """Where PayBy's notifications are listened for, behind a reverse proxy."""

    host: Host = "127.0.0.1"
    port: TcpPort = 8080


class ConsoleSettings(Section, frozen=True):
    """Where the operator's desk listens, the key with which it signs lifts and commands, its files, and its limits."""

    host: Host = "127.0.0.1"
    port: TcpPort = 8081
    lift_private_key: File | None = None
    folder: Annotated[Path, Meta(description="the path of a folder")] | None = None
    refund_limit: Price = "50.00"
    idle: Annotated[int, Meta(ge=1, le=720, description="minutes, 1 to 720")] = 30
    metrics_token_file: File | None = None


class JournalSettings(Section, frozen=True):
    """The worker's journal, in a file or in a PostgreSQL database; with [payby] it makes this machine run the garage's
    worker. With a database, several may: the one that holds its lease works. `patroni` is for `check` alone."""

    path: File | None = None
    url: (
        Annotated[
            str,
            Meta(
                pattern=r"^postgres(ql)?://([^\s:@/?#]+@)?[^\s@/?#]*/[^\s@#]*\Z",
                description='"postgresql://USER@HOST/DATABASE" without a password, for which there is journal.passfile',
            ),
        ]
        | None
    ) = None
    passfile: File | None = None
    patroni: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^https?://[^/@\s?#]+/?\Z", max_length=300)], ...],
        Meta(max_length=16, description='addresses of Patroni, such as ["https://db-1.example:8008"]'),
    ] = ()


class GpioSettings(Section, frozen=True):
    """`mock` moves no pin: it is for trials without hardware."""

    pins: Annotated[Literal["auto", "mock"], Meta(description="auto or mock")] = "auto"


SECTIONS: Mapping[str, type[Section]] = {
    kind.section(): kind
    for kind in (
        GarageSettings, LaneSettings, MqttSettings, BrokerSettings, PaybySettings, LiftSettings, TicketSettings,
        CouponSettings, LookupSettings, PlateSettings, TariffSettings, ReaderSettings, LcdSettings, BarrierSettings,
        LoopsSettings, ListenerSettings, ConsoleSettings, AlertsSettings, DiscoverySettings, JournalSettings,
        ReceiptSettings, PaystationSettings, GpioSettings, LogSettings,
    )
}  # fmt: skip

_NEEDS: Mapping[str, tuple[str, ...]] = {
    "reader": ("garage", "lane", "mqtt", "reader"),
    "worker": (
        "garage", "garage.name", "garage.name_ar", "mqtt", "payby.base_url", "payby.partner_id", "payby.private_key",
        "payby", "lift.private_key", "lift", "ticket", "journal",
    ),
    "listener": ("garage", "mqtt", "payby", "payby.payee_mid"),
    "barrier": ("garage", "lane", "mqtt", "barrier", "lift", "payby", "payby.payee_mid"),
    "lcd": ("garage", "garage.name", "garage.name_ar", "garage.help_phone", "lane", "mqtt", "lift", "lcd"),
    "loops": ("garage", "lane", "mqtt", "loops"),
    "console": ("garage", "mqtt"),
    "alerts": ("garage", "mqtt", "alerts"),
    "discovery": ("garage", "mqtt", "discovery"),
    "broker": ("garage", "broker"),
    "ticket": ("garage", "ticket"),
}  # fmt: skip
"""The sections that a role (or the command `ticket`) needs, and the keys that have no default for it."""
_WHOLE = {"reader": ("lookup",), "worker": ("coupon", "lookup", "receipt", "paystation"), "listener": ("receipt",)}
"""The sections that a role can do without, but not with half of one: it would leave out what they are for, and not say
so."""

_ROLES = ("broker", "worker", "listener", "barrier", "loops", "lcd", "reader", "console", "alerts", "discovery")
"""In the order in which `run` starts them: a role that answers comes before the one that asks it."""

MENDS: Mapping[str, str] = {
    "62019": "correct payby.partner_id: PayBy knows no such payee",
    "62036": "correct payby.device_ids: the merchant's portal has no such device",
    "62037": "correct payby.device_ids: the portal forbids that device",
    "62086": "correct payby.partner_id and payby.payee_mid: PayBy takes no payments for them",
}
"""What to mend, by the code with which PayBy refuses."""


def advice(code: str) -> str:
    """What to add to PayBy's message with this code; empty where no setting is known to be wrong."""
    return f"; {MENDS[code]}" if code in MENDS else ""


_KEYS = re.compile(
    r"(?<![\w./-])(?P<section>[a-z]+)\.(?P<key>[\w-]+)(?:\.[\w-]+)?(?![\w/-])(?P<unknown>\)?: no such key)?"
)

S = TypeVar("S", bound=Section)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked configuration. A section is None where the file lacks it, or lacks a key that it needs;
    `require` and `need` then say which. All paths are absolute."""

    garage: GarageSettings | None = None
    lane: LaneSettings | None = None
    mqtt: MqttSettings | None = None
    broker: BrokerSettings | None = None
    payby: PaybySettings | None = None
    lift: LiftSettings | None = None
    ticket: TicketSettings | None = None
    coupon: CouponSettings | None = None
    lookup: LookupSettings | None = None
    plate: PlateSettings | None = None
    tariff: TariffSettings = TariffSettings()  # noqa: RUF009 - a frozen Struct
    reader: ReaderSettings | None = None
    lcd: LcdSettings | None = None
    barrier: BarrierSettings | None = None
    loops: LoopsSettings | None = None
    listener: ListenerSettings | None = None
    console: ConsoleSettings | None = None
    alerts: AlertsSettings | None = None
    discovery: DiscoverySettings | None = None
    journal: JournalSettings | None = None
    receipt: ReceiptSettings | None = None
    paystation: PaystationSettings | None = None
    gpio: GpioSettings = GpioSettings()  # noqa: RUF009 - a frozen Struct
    log: LogSettings = LogSettings()  # noqa: RUF009 - a frozen Struct
    file: Path | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    """For each section that is named but incomplete: the key that it lacks."""

    def need(self, kind: type[S]) -> S:
        """The section of that class; raises ConfigError where the section or a key that it needs is missing."""
        name = kind.section()
        found = getattr(self, name)
        if isinstance(found, kind):
            return found
        if kind in (ListenerSettings, ConsoleSettings):  # every key has a default: alone, such a role needs no section
            return kind()
        raise ConfigError(self._missing(self.absent.get(name) or first_key(kind), kind))

    def require(self, *roles: str) -> None:
        """Raise ConfigError that names the first missing section or key that one of these roles needs."""
        for role in roles:
            for need in _NEEDS[role]:
                name, _, key = need.partition(".")
                kind = SECTIONS[name]
                section = self.need(kind)
                if key and not getattr(section, key):
                    raise ConfigError(self._missing(need, kind))
            for name in _WHOLE.get(role, ()):
                if name in self.absent:
                    raise ConfigError(self._missing(self.absent[name], SECTIONS[name]))

    def pins(self) -> Iterator[tuple[str, int]]:
        """Each GPIO line that this configuration uses, with the key that names it; a panel's only if it has a bus."""
        lcd = self.lcd if self.lcd and self.lcd.on_bus else None
        for name, section in (("lcd", lcd), ("barrier", self.barrier), ("loops", self.loops), ("reader", self.reader)):
            for key in type(section).__struct_fields__ if section else ():
                pin = getattr(section, key)
                if key.endswith("_pin") and pin is not None and pin >= 0:
                    yield f"{name}.{key}", pin

    def roles(self) -> tuple[str, ...]:
        """What `run` starts: each role whose section is there; the worker where [payby] and [journal] are."""
        there = {name for name in SECTIONS if getattr(self, name) is not None} | set(self.absent)
        if {"payby", "journal"} <= there:
            there.add("worker")
        return tuple(role for role in _ROLES if role in there)

    def _missing(self, key: str, kind: type[Section]) -> str:
        hint = hints(kind)[key.partition(".")[2]]
        where = f" in {self.file}" if self.file else ""
        return f"{key}: missing{where}; takes {takes(hint)}"


def present(value: T | None, key: str) -> T:
    """Return `value`, which `require` has found to be there; raises ConfigError that names the key otherwise."""
    if value is None:
        raise ConfigError(f"{key}: missing")
    return value


@cache
def hints(kind: type[Section]) -> dict[str, Any]:
    """The type of each key of a section."""
    return typing.get_type_hints(kind, include_extras=True)


def takes(hint: Any) -> str:
    """The description in a key's type, which every key has."""
    for part in (hint, *typing.get_args(hint)):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, Meta) and meta.description:
                return meta.description
    raise AssertionError(f"{hint} has no description")


def key_in(text: str) -> str:
    """The first configuration key that a text names, such as `payby.timeout` or `ticket.keys.k1`, or that it calls
    unknown; empty where it names none."""
    for found in _KEYS.finditer(text):
        section, key = found["section"], found["key"]
        if section in SECTIONS and (key in hints(SECTIONS[section]) or found["unknown"]):
            return found[0].removesuffix(found["unknown"] or "")
    return ""


def first_key(kind: type[Section], values: Mapping[str, object] | None = None) -> str:
    """The first key of a section that has no default and is not among the values."""
    fields = msgspec.structs.fields(kind)
    missing = (f.name for f in fields if f.required and f.name not in (values or {}))
    return f"{kind.section()}.{next(missing)}"
