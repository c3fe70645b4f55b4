"""What a test says of the classes of values is what the resolver says of their witnesses."""

import math

from controlplane.planning.shares.classes import _Says, _witnesses
from controlplane.planning.shares.witnesses import DATES, NUMBERS, SIZES, VERSIONS
from lightbulb.model import FIXED_ATTRIBUTES, Comparison, Operator
from lightbulb.resolution.operators import value_test
from tests.lightbulb.test_overlap import COMPARISONS

ORDERED = NUMBERS | DATES | VERSIONS | SIZES | {Operator.PREFIX, Operator.PREFIX_IGNORING_CASE}


def test_what_is_looked_up_is_what_the_resolver_says_of_each_witness() -> None:
    finite = [
        each
        for each in COMPARISONS
        if not any(isinstance(value, float) and not math.isfinite(value) for value in each.values)
    ]
    assert "device" in FIXED_ATTRIBUTES
    for attribute in ("x", "device"):
        tests = [
            Comparison(attribute=attribute, operator=each.operator, values=each.values) for each in finite
        ]
        says, seen = _Says(attribute, tests), set[tuple[Operator, bool]]()
        for witness in _witnesses(attribute, tests):
            yes, free = says.of(witness)
            for at, test in enumerate(tests):
                if witness.value is None or (test.operator is Operator.IN and not witness.single):
                    assert not (yes | free) >> at & 1
                    continue
                holds = value_test(test)(witness.value)
                unsure = test.operator in witness.uncertain
                assert (bool(yes >> at & 1), bool(free >> at & 1)) == (holds and not unsure, unsure)
                seen.add((test.operator, holds))
        if attribute == "x":
            assert {(each, holds) for each in ORDERED for holds in (True, False)} <= seen
