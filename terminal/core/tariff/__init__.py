"""Stays and their fees.

- ``stay``: what is priced. ``table``: a published table, price by length. ``calendar``: local days and hours.
- ``rate``: which table is in force when. ``schedule``: one whole tariff. ``conflicts``: rates that contradict
  each other.
- ``pricing``: a stay's fee, as the lines of ``fee``. ``boundaries``: where it changes.
- ``plain``: the plain form of the contract. ``history``: tariffs that follow each other. ``notation``, ``reading``:
  the configuration's values.
"""

from terminal.core.tariff.history import TariffHistory, TicketPricing
from terminal.core.tariff.plain import Tariff
from terminal.core.tariff.stay import DAY_S, MAX_PRICE, SettledStay, minutes, seconds

__all__ = ["DAY_S", "MAX_PRICE", "SettledStay", "Tariff", "TariffHistory", "TicketPricing", "minutes", "seconds"]
