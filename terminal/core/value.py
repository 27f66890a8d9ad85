"""What all nouns share: one that differs from another in a few fields is made without its ``__init__``.

Half of a rule's work is making nouns anew, and a frozen dataclass's ``__init__`` is slow: so a replay takes a quarter
less time than with ``dataclasses.replace``, which the types still hold this to.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace as replace
else:
    from dataclasses import fields
    from operator import attrgetter

    _KNOWN = {}

    def _parts(kind):
        names = [field.name for field in fields(kind)]
        setters = {name: getattr(kind, name).__set__ for name in names}
        return attrgetter(*names), tuple(setters.values()), setters

    def replace(noun, /, **changes):
        """A copy of a frozen dataclass with slots, with these fields changed; raises KeyError for one it has not.

        ``__init__`` and ``__post_init__`` do not run: only for a kind of more than one field that checks nothing there.
        """
        kind = noun.__class__
        if kind not in _KNOWN:
            _KNOWN[kind] = _parts(kind)
        values, setters, by_name = _KNOWN[kind]
        made = object.__new__(kind)
        for put, value in zip(setters, values(noun), strict=True):
            put(made, value)
        for name, value in changes.items():
            by_name[name](made, value)
        return made
