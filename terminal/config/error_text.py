"""What an error says of a value that a key does not take."""

import re

_SHOWN = 60
_LARGEST_INT = 10**30


def named(name: str) -> str:
    """A key or section that somebody made up, as it may stand in a line: cut, and printable."""
    name = "".join(char if char.isprintable() else "?" for char in name[: _SHOWN + 1])
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "…"


def got(value: object, *, quiet: bool = False) -> str:
    """The words of an error for what a key got; ``quiet``: nothing of it, since it may be a secret."""
    match value:
        case str() if quiet:
            return f"a text of {len(value)} characters"
        case dict():
            names = [named(str(name)) for name in value]
            return f"a table of {', '.join(names[:8]) or 'nothing'}{', …' if len(names) > 8 else ''}"
        case list():
            return f"a list of {len(value)}"
        case bool():
            return "true" if value else "false"
        case str():
            value = re.sub(r"^([a-z]*://)?.*@", r"\1…@", value, flags=re.DOTALL)  # who writes a password into a URL
            return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
        case int() if abs(value) > _LARGEST_INT:  # Python writes out no more than some thousand digits
            return "a number of very many digits"
        case _:
            return str(value)
