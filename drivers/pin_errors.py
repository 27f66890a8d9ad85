"""Why pins cannot be had: without gpiozero, which a machine without pins need not import."""


class NoGpio(Exception):
    """This machine has no GPIO chip that we can use; the text is one line and says what to do."""


class PinHeld(OSError):
    """The line ``number`` (BCM) cannot be used; ``why`` is the chip's reason: most often another program holds it."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"GPIO {number} cannot be used: {why}")
        self.number = number
        self.why = why
