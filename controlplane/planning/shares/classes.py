"""The classes that the conditions of tables tell the values of an attribute apart into. Pure.

Each class has a witness, and what a comparison says of it is what the resolver's own code says of that, or
what follows from its place in the comparison's order, which is the same. A comparison that no witness speaks
for, such as a regular expression on texts that aren't named, is *free* in a class: it may hold or not. So no
class is missed, though some may be of no value that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.planning.shares.witnesses import Witness, lists, numbers, single, texts
from lightbulb.model import FIXED_ATTRIBUTES, AttributeValue, Comparison, Operator, RequestContext
from lightbulb.resolution.allocate import identify
from lightbulb.resolution.operators import typed, value_test
from lightbulb.resolution.orders import Order, allowed, place_of
from lightbulb.resolution.ranges import Covering, Ranges

USER = " user"
"""What lists of users are about. No attribute begins with a space."""

MAX_WORDS = 3

MAX_ALONE = 100
"""Named values of a unit that are looked at one by one; of more, those alike count as spread evenly."""


@dataclass(frozen=True, slots=True)
class HasUnit:
    """True when a context has the attribute that a decision goes by."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Among:
    """True for some users."""

    users: frozenset[str]


Test = Comparison | HasUnit | Among
"""What tells values of one attribute apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueClass:
    """Values that no test tells apart. `only` is the text that is hashed if it is one value alone."""

    words: str
    only: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """What a test says of the classes, as bits: it holds in those of `yes`, and may in those of `free`."""

    yes: int
    free: int


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of one attribute, and what each test says of them."""

    classes: tuple[ValueClass, ...]
    splits: Mapping[Test, Split]

    @property
    def all(self) -> int:
        """All of them, as bits."""
        return (1 << len(self.classes)) - 1


@dataclass(slots=True)
class _Members:
    """The witnesses of one class, and which tests hold of it, or may."""

    yes: int
    free: int
    words: dict[str, None] = field(default_factory=dict)
    singles: list[AttributeValue] = field(default_factory=list)
    open: bool = False


def classes_of(attribute: str, tests: Sequence[Test]) -> Classes:
    """Return the classes that the tests of one attribute tell apart."""
    witnesses = _users(tests) if attribute == USER else _witnesses(attribute, tests)
    return _grouped(witnesses, tests, _Says(attribute, tests))


def _users(tests: Sequence[Test]) -> Iterator[Witness]:
    yield from map(single, sorted({user for test in tests if isinstance(test, Among) for user in test.users}))
    yield Witness(value="", words="another")


def _witnesses(attribute: str, tests: Sequence[Test]) -> Iterator[Witness]:
    comparisons = [test for test in tests if isinstance(test, Comparison)]
    yield Witness(value=None, words="absent")
    if attribute in FIXED_ATTRIBUTES:
        yield from (each for each in texts(comparisons, empty=False) if each.value != "")
        return
    yield from texts(comparisons, empty=len(comparisons) < len(tests))
    yield from numbers(comparisons)
    yield from map(single, (True, False))
    yield from lists(comparisons)


class _Says:
    """What each test says of a value, as bits. Listed values and ranges are looked up, however many."""

    def __init__(self, attribute: str, tests: Sequence[Test]) -> None:
        self._listed: dict[object, int] = {}
        self._others: list[tuple[int, Callable[[AttributeValue], bool], Operator | None]] = []
        self._by: dict[Operator, int] = {}
        ordered: dict[Order, list[tuple[Ranges, int]]] = {}
        for position, test in enumerate(tests):
            bit = 1 << position
            if isinstance(test, HasUnit):
                self._others.append((bit, _has_unit(attribute), None))
            elif isinstance(test, Comparison) and test.operator is not Operator.IN:
                exact = [each for each in allowed(test) if each.exact]
                for each in exact:
                    ordered.setdefault(each.order, []).append((each.ranges, bit))
                    self._by[test.operator] = self._by.get(test.operator, 0) | bit
                if not exact:
                    self._others.append((bit, value_test(test), test.operator))
            else:
                for value in test.users if isinstance(test, Among) else test.values:
                    self._listed[typed(value)] = self._listed.get(typed(value), 0) | bit
        self._ordered = {order: Covering(sets) for order, sets in ordered.items()}

    def of(self, witness: Witness) -> tuple[int, int]:
        """Return which tests hold of a witness, and which may of others like it."""
        value = witness.value
        if value is None:
            return 0, 0
        yes, free = 0, 0
        if witness.single and not isinstance(value, tuple):
            yes = self._listed.get(typed(value), 0)
        for order, covering in self._ordered.items():
            place = place_of(order, value)
            yes |= covering.outside if place is None else covering.after((place, 0))
        for unsure in self._by.keys() & witness.uncertain:
            free |= self._by[unsure]
        yes &= ~free
        for bit, holds, operator in self._others:
            if operator in witness.uncertain:
                free |= bit
            elif holds(value):
                yes |= bit
        return yes, free


def _has_unit(attribute: str) -> Callable[[AttributeValue], bool]:
    unit_of = identify(attribute)
    if attribute in FIXED_ATTRIBUTES:
        return bool
    return lambda value: bool(unit_of(RequestContext(user_id="", attributes={attribute: value})))


def _grouped(witnesses: Iterable[Witness], tests: Sequence[Test], says: _Says) -> Classes:
    """Return witnesses of which the tests say the same as one class."""
    members: dict[tuple[object, ...], _Members] = {}
    alone = _each_alone(tests)
    for witness in witnesses:
        own = (type(witness.value), witness.value) if alone and witness.single else ()
        holding, uncertain = says.of(witness)
        group = members.setdefault((holding, uncertain, own), _Members(holding, uncertain))
        group.words[witness.words] = None
        if witness.single and witness.value is not None:
            group.singles.append(witness.value)
        else:
            group.open = True
    yes, free = [0] * len(tests), [0] * len(tests)
    for index, group in enumerate(members.values()):
        for into, bits in ((yes, group.yes), (free, group.free)):
            for position in _positions(bits):
                into[position] |= 1 << index
    splits = {test: Split(yes[position], free[position]) for position, test in enumerate(tests)}
    return Classes(tuple(map(_value_class, members.values())), splits)


def _each_alone(tests: Sequence[Test]) -> bool:
    """Say whether each value that is named is a class of its own: it is hashed, and has one bucket."""
    named = sum(len(test.values) for test in tests if isinstance(test, Comparison))
    return named <= MAX_ALONE and any(isinstance(test, HasUnit) for test in tests)


def _value_class(group: _Members) -> ValueClass:
    only = str(group.singles[0]) if len(group.singles) == 1 and not group.open else ""
    return ValueClass(words=listed(tuple(group.words)), only=only)


def listed(words: Sequence[str]) -> str:
    """Return some of the words, and how many more there are."""
    more = f" or {len(words) - MAX_WORDS} more" if len(words) > MAX_WORDS else ""
    return " or ".join(words[:MAX_WORDS]) + more


def _positions(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
