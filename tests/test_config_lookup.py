"""`[lookup]` and `[plate]`: tickets that this garage did not make."""

from pathlib import Path

import pytest

from terminal import build
from terminal.app.worker_settings import foreign_tickets
from terminal.config import tokens
from terminal.config.schema import ConfigError
from terminal.roles.worker.ticket_lookup import ForeignTicketPolicy
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from tests.support.authority import Authority
from tests.support.config_files import file, read, said

__all__ = ["file"]

NUMBERS = '[lookup]\nnumbers = "[0-9]{12}"\n'


def test_without_the_sections_no_ticket_of_others_is_taken(file: Path) -> None:
    settings = read(file, "")
    assert (settings.lookup, settings.plate, build.numbers(settings)) == (None, None, None)
    assert foreign_tickets(settings) == ForeignTicketSettings()


def test_the_form_alone_is_enough_and_a_failure_is_help(file: Path) -> None:
    settings = read(file, NUMBERS + "[plate]\n")
    assert foreign_tickets(settings) == ForeignTicketSettings(
        build.numbers(settings), 90, ForeignTicketPolicy(3.0, 0, 900_000, 10_000)
    )
    numbers = build.numbers(settings)
    assert numbers and numbers.fullmatch("123456789012") and not numbers.fullmatch("1234567890123")


def test_a_flat_fee_is_whole_fils(file: Path) -> None:
    settings = read(file, NUMBERS + 'on_failure = "flat"\nflat_fee = "20.5"\n[plate]\nleast_confidence = 75\n')
    assert (foreign_tickets(settings).policy.flat, foreign_tickets(settings).least_confidence) == (2050, 75)


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ('numbers = "[0-9"', "lookup.numbers: got '[0-9', takes a regular expression"),
        ('numbers = ".*"', "lookup.numbers: got '.*', which also fits 'LOST'; takes numbers alone"),
        ('numbers = "[0-9]*"', "lookup.numbers: got '[0-9]*', which also fits ''; takes numbers alone"),
        ('numbers = ""', "lookup.numbers: got '', takes a regular expression for whole numbers"),
        ('on_failure = "flat"', "lookup.flat_fee: takes an amount above 0.00"),
        ('on_failure = "flat"\nflat_fee = "0.00"', "lookup.flat_fee: takes an amount above 0.00"),
        ('flat_fee = "5.00"', "lookup.flat_fee: takes an amount above 0.00"),
        (
            'url = "https://host/tickets"',
            "lookup.url: got a text of 20 characters, takes https://HOST/PATH with {number}",
        ),
        ('url = "https://{number}/t"', "lookup.url: got a text of 18 characters, takes"),
        ('url = "https://user@host/{number}"', "lookup.url: got a text of 26 characters, takes"),
        ('url = "https://host:0/{number}"', "lookup.url: got a text whose host or port is none"),
        ('url = "http://other.example/{number}"', "lookup.url: got http:// to other.example, takes https://"),
        ('token_file = "token"', "lookup.token_file: got a file, takes one with lookup.url alone"),
        ('ca_file = "ca"', "lookup.ca_file: got a file, takes one with lookup.url alone"),
        ("timeout = 11", "lookup.timeout: got 11, takes seconds, 0.2 to 10"),
        ("cache_tickets = 1", "lookup.cache_tickets: got 1, takes 100 to 100000"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(file: Path, lines: str, line: str) -> None:
    head = "[lookup]\n" if lines.startswith("numbers") else NUMBERS
    assert said(file, head + lines).startswith(line)


@pytest.mark.parametrize("least", ["0", "101", "0.9"])
def test_a_confidence_is_in_whole_per_cent(file: Path, least: str) -> None:
    assert said(file, f"[plate]\nleast_confidence = {least}").endswith("takes per cent, 1 to 100")


def test_a_token_is_a_secret_in_one_line(file: Path) -> None:
    token, settings = file.with_name("token"), NUMBERS + 'url = "https://h/{number}"\ntoken_file = "token"\n'
    lookup = read(file, settings).lookup
    assert lookup
    for content, mode, why in (
        (b"s3cret", 0o644, "others may read"),
        (b"s3\ncret", 0o600, "has no token"),
        (b"s\xc3\xa9cret", 0o600, "has no token"),
    ):
        token.write_bytes(content)
        token.chmod(mode)
        with pytest.raises(ConfigError, match=f"^lookup.token_file: .*{why}") as refused:
            tokens.lookup_token(lookup)
        assert "cret" not in str(refused.value).replace(str(token), "")
    token.write_bytes(b"s3cret\n")
    assert tokens.lookup_token(lookup) == "s3cret"


def test_a_certificate_authority_is_pem(file: Path) -> None:
    authority, text = file.with_name("ca"), NUMBERS + 'url = "https://h/{number}"\nca_file = "ca"\n'
    lookup = read(file, text).lookup
    assert lookup
    authority.write_text("nothing")
    with pytest.raises(ConfigError, match=r"^lookup.ca_file: .* has no certificate, takes PEM; name "):
        build.lookup_tls(lookup)
    authority.write_bytes(Authority(file.parent).file.read_bytes())
    assert build.lookup_tls(lookup)
