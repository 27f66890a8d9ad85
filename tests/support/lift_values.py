"""Every reason to refuse a lift, and other values for each of its fields."""

import base64
from typing import Any

from hypothesis import strategies as st

from terminal.contract.messages import Proof, stamp
from terminal.core.ids import derived_id
from tests.support.lifts import NOW, proof

REASONS = ["paid", "credit", "free", "operator"]

# Forged and altered

uuids = st.integers(0, 2**48 - 1).map(lambda ms: derived_id(ms, "any"))
words = st.text(st.characters(exclude_characters="|", exclude_categories=["Cc", "Cs"]), max_size=20)
amounts = st.integers(0, 10**6).map(lambda fils: f"{fils // 100}.{fils % 100:02d}")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": uuids,
    "session": uuids,
    "car": st.none() | uuids,
    "reason": st.sampled_from(REASONS),
    "by": words,
    "note": st.none() | words,
    "not_after": st.integers(NOW, NOW + 120_000).map(stamp),
    "order_no": st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    "amount": st.none() | amounts,
    "proof": st.none() | st.builds(lambda body: Proof(body, proof().sign), st.text(max_size=90)),
    "key": st.sampled_from(["worker", "worker-2", "console", "stranger", ""]),
    "sign": st.text(max_size=90) | st.binary(min_size=64, max_size=64).map(lambda raw: base64.b64encode(raw).decode()),
}

OTHER = derived_id(NOW + 1, "another")
