"""What all sections of the configuration share."""

import msgspec


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. Every role that uses the table needs each field that has no default."""

    @classmethod
    def section(cls) -> str:
        """The table's name in the file."""
        return cls.__name__.removesuffix("Settings").lower()
