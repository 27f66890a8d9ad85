"""A clock that a test turns."""


class TurnedClock:
    """Both clocks stand still until a test turns them."""

    def __init__(self, wall_ms: int = 1_795_000_000_000) -> None:
        self.wall = wall_ms
        self.steady = 1_000_000

    def wall_ms(self) -> int:
        return self.wall

    def steady_ms(self) -> int:
        return self.steady

    def turn(self, ms: int) -> None:
        self.wall += ms
        self.steady += ms
