"""The operator's desk: a web page on which the garage is seen as it is, and on which people act, each by name.

``role.py`` puts it together. ``desk.py`` knows the garage, ``lane_card.py`` and ``desk_view.py`` say it in a person's
words, ``live.py`` and ``stream.py`` tell open pages of it. ``actions.py`` does what is asked for, ``desk_journal.py``
keeps who asked and why, ``history.py`` what was heard. ``guard.py`` stands before every page.
"""
