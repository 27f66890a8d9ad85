"""Every target there is, by its name."""

from tests.fuzz import files, lane_input, messages, payby_words
from tests.fuzz.target import FuzzTarget

ALL: dict[str, FuzzTarget] = {
    target.name: target for part in (messages, payby_words, lane_input, files) for target in part.TARGETS
}
