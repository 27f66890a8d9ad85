"""What an error says of a value that a key does not take."""

import re


def got(value: object, *, quiet: bool = False) -> str:
    """The words of an error for what a key got; ``quiet``: nothing of it, since it may be a secret."""
    match value:
        case str() if quiet:
            return f"a text of {len(value)} characters"
        case dict():
            return f"a table of {', '.join(map(str, value)) or 'nothing'}"
        case list():
            return f"a list of {len(value)}"
        case bool():
            return "true" if value else "false"
        case str():
            value = re.sub(r"^([a-z]*://)?.*@", r"\1…@", value, flags=re.DOTALL)  # who writes a password into a URL
            return repr(value if len(value) <= 60 else value[:60] + "…")
        case _:
            return str(value)
