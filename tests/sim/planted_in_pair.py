"""Bugs of two workers on one database: the lease, and the fence in the append."""

from tests.sim.planted_bug import Bug

IN_PAIR = (
    Bug(
        "no epoch in the append",
        "terminal.journal.postgres.journal",
        "    WHERE epoch = %b AND seq = %b AND chain = %b RETURNING asked)\n",
        "    WHERE epoch >= %b - 9 AND seq = %b AND chain = %b RETURNING asked)\n",
        "one who was replaced writes once more before the next one's first row",
        climate="pair",
        only="I9",
        world=4,
    ),
    Bug(
        "lease looked at after sending",
        "terminal.journal.postgres.lease",
        "        return self.left_s() > 0\n",
        "        return not self._lost\n",
        "one who was frozen speaks before it has looked at its lease",
        climate="pair",
        only="I9",
    ),
)
