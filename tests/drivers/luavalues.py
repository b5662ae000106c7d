"""Values of all sorts, for tests that try many."""

from __future__ import annotations

from hypothesis import strategies as st

from drivers.values import canonical

values = st.recursive(
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["\udcff", 'item(1);\n["key"] = "x"', "]]--[["]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8).filter(lambda k: k[:2] != "__"), inner, max_size=4),
    max_leaves=12,
).map(canonical)
