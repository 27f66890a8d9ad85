"""The options of `exit-terminal init` that answer its questions: the option, what stands for its value, and its help.

The questions are in answers.py. What is here imports nothing, because every command reads it.
"""

ANSWERS = (
    ("--garage", "ID", "1 to 12 of a-z and 0-9"),
    ("--name", "TEXT", "the garage's name, for drivers"),
    ("--name-ar", "TEXT", "the same in Arabic"),
    ("--help-phone", "NUMBER", "for drivers who need help"),
    ("--timezone", "ZONE", "of the garage, as Asia/Dubai"),
    ("--exit-lanes", "N", "how many exit lanes the garage has"),
    ("--partner-id", "ID", "the merchant's, in PayBy's portal"),
    ("--notify-url", "URL", "where PayBy's notifications go"),
    ("--trn", "NUMBER", "a tax registration number of 15 digits: each payment has a tax invoice"),
    ("--supplier", "TEXT", "who issues the invoices, as registered for VAT"),
    ("--supplier-ar", "TEXT", "the same in Arabic"),
    ("--address", "TEXT", "the supplier's address"),
    ("--address-ar", "TEXT", "the same in Arabic"),
    ("--receipt-url", "URL", "where drivers' phones find the invoices"),
    ("--coupons", "YES", "yes: coupons and season passes, with a key for them"),
    ("--paystation", "NAME", "a pay station, such as station-1, with a pair of keys for it"),
    ("--mqtt-url", "URL", "where lanes reach the server's broker"),
    ("--reader", "DRIVER", "serial, hid or stdin"),
    ("--device", "PATH", "the scanner's"),
    ("--panel", "PANEL", "the LCD's, or png"),
    ("--pins", "KIND", "auto, or mock without hardware"),
)


def option_key(option: str) -> str:
    """``--name-ar`` -> ``name_ar``, as the parsed arguments name it."""
    return option.removeprefix("--").replace("-", "_")
