"""Texts that are known by their digests."""

from hypothesis import given
from hypothesis import strategies as st

from terminal.core.digests import Digests


@given(st.lists(st.tuples(st.sampled_from(["add", "discard"]), st.sampled_from("abcdef"))))
def test_digests_are_a_collection_of_texts(changes: list[tuple[str, str]]) -> None:
    digests, model = Digests(map(Digests.of, "ab")), ["a", "b"]
    for what, text in changes:
        if what == "add":
            digests.add(text)
            model.append(text)
        else:
            digests.discard(text)
            if text in model:
                model.remove(text)
        assert {text for text in "abcdefg" if text in digests} == set(model)
        assert list(digests) == sorted(map(Digests.of, model))
        assert len(digests) == len(model)
