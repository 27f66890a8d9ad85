"""The public holidays of a year, for `[tariff] holidays` once a person has confirmed them.

A fee must not change because a package was updated, so they stand in the configuration as dates.
"""

from collections.abc import Iterator

from terminal.config.schema import ConfigError


def lines(country: str, year: int) -> Iterator[str]:
    """The lines of `holidays = [...]`, with names; raises ConfigError where the package or the country is absent."""
    try:
        import holidays
    except ModuleNotFoundError:
        raise ConfigError(
            "tariff --holidays: the package is missing: pip install 'parking-exit-terminal[tools]'"
        ) from None
    try:
        found = holidays.country_holidays(country, years=year, language="en_US")
    except NotImplementedError:
        raise ConfigError(f"tariff --country: got {country!r}, takes a country's two letters, such as AE") from None
    yield "holidays = ["
    for day, name in sorted(found.items()):
        yield f'  "{day}",  # {name}'
    yield "]"
    yield "# to be confirmed by a person: days that follow the moon are estimates"
