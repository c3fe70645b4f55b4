"""What each expression of a rule file may be: conditions are followed through names, functions, lists. Pure.

The order of statements is left aside: what a variable is given anywhere it may be everywhere. Where nothing
is known, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from controlplane.rules.kinds import Flow, Kind, Step, member, own
from controlplane.rules.scopes import FUNCTIONS, Scopes, inner
from controlplane.rules.syntax import Tree
from controlplane.rules.written import Written, key

BUILDERS = ("any", "all", "not", "segment")
_GIVEN = {
    "context": Kind.CONTEXT,
    **dict.fromkeys(BUILDERS, Kind.BUILDER),
    **dict.fromkeys(("Objectives", "constants", "NaN", "Infinity", "Math", "JSON"), Kind.ORDINARY),
}
_ORDINARY = frozenset({"number", "string", "template_string", "true", "regex", "update_expression", "class"})
_PROPERTIES = frozenset(
    {
        "property_identifier",
        "private_property_identifier",
        "shorthand_property_identifier",
        "shorthand_property_identifier_pattern",
    }
)
_ABSENT = frozenset({"null", "undefined", "false"})
CHOOSING = frozenset({"||", "&&", "??", "||=", "&&=", "??="})
_FIRST = frozenset({"map", "flatMap", "filter", "find", "findLast", "forEach", "some", "every"})
_BOTH = frozenset({"reduce", "reduceRight", "sort", "toSorted"})
_RESULTS = frozenset({"map", "flatMap"})
_SAME = frozenset(
    {"filter", "slice", "concat", "reverse", "toReversed", "sort", "toSorted", "flat", "flatMap"}
)
_ONE = frozenset({"find", "findLast", "at", "pop", "shift", "reduce", "reduceRight"})


class Values:
    """The values of a file: nodes, then bindings, then what is a property of some name."""

    def __init__(self, tree: Tree, scopes: Scopes) -> None:
        """Follow everything in a file."""
        self._tree = tree
        self._scopes = scopes
        self._written = Written(tree, scopes)
        names = dict.fromkeys(tree.name(node) for node in range(len(tree)) if tree.kind(node) in _PROPERTIES)
        first = len(tree) + scopes.count
        self._properties = {name: first + number for number, name in enumerate(names)}
        self._by_name: list[tuple[str, int]] = []
        self.flow = Flow(first + len(names))
        for node in range(len(tree)):
            self._follow(node, tree.kind(node))
        self.flow.run()
        for name, node in self._by_name:
            value = self._properties[name]
            if not own(self.flow.bits[value]) & Kind.ORDINARY:  # else it is another thing of that name
                self.flow.step(value, node)
        self.flow.run()

    def bits(self, node: int) -> int:
        """Return what a node may be."""
        return self.flow.bits[node]

    def _follow(self, node: int, kind: str) -> None:  # noqa: C901, PLR0912 - a flat table reads best
        tree, flow = self._tree, self.flow
        match kind:
            case "identifier" | "shorthand_property_identifier":
                self._follow_name(node)
            case "parenthesized_expression" | "await_expression" | "sequence_expression" | "yield_expression":
                last = -1
                for last in inner(tree, node):  # noqa: B007 - the last is what it gives
                    pass
                flow.step(last, node)
            case "ternary_expression":
                flow.step(tree.child(node, "consequence"), node)
                flow.step(tree.child(node, "alternative"), node)
            case "binary_expression" | "augmented_assignment_expression" | "assignment_expression":
                self._follow_operator(node)
            case "unary_expression":
                flow.seed(node, Kind.ORDINARY)
            case "variable_declarator":
                self._give(tree.child(node, "value"), tree.child(node, "name"))
            case "for_in_statement":
                right, left = tree.child(node, "right"), tree.child(node, "left")
                if tree.source(tree.child(node, "operator")) == "of":
                    self._give(right, left, Step.OUT_OF)
            case "member_expression":
                name = tree.name(tree.child(node, "property"))
                self._follow_member(tree.child(node, "object"), name, node)
            case "subscript_expression":
                self._follow_subscript(node)
            case "call_expression":
                self._follow_call(node)
            case "object" | "array":
                for each in inner(tree, node):
                    self._follow_part(node, each)
            case "return_statement":
                function = self._scopes.around[node]
                flow.step(_last(tree, node), function, Step.RETURN)
            case _:
                self._follow_other(node, kind)

    def _follow_other(self, node: int, kind: str) -> None:
        tree, flow = self._tree, self.flow
        if kind in _ORDINARY:
            flow.seed(node, Kind.ORDINARY)
        elif kind in _ABSENT:
            flow.seed(node, Kind.ABSENT)
        elif kind in FUNCTIONS:
            flow.seed(node, Kind.FUNCTION)
            body, name = tree.child(node, "body"), tree.child(node, "name")
            if kind == "arrow_function" and tree.kind(body) != "statement_block":
                flow.step(body, node, Step.RETURN)
            if name >= 0:
                flow.step(node, self._scopes.bindings[name])
        elif _is_pattern(kind):
            self._follow_pattern(node, kind)

    def _follow_name(self, node: int) -> None:
        binding = self._scopes.bindings[node]
        if binding >= 0:
            self.flow.step(binding, node)
        else:
            self.flow.seed(node, _GIVEN.get(self._tree.name(node), 0))

    def _follow_operator(self, node: int) -> None:
        tree, flow = self._tree, self.flow
        left, right = tree.child(node, "left"), tree.child(node, "right")
        operator = tree.child(node, "operator")
        chooses = operator >= 0 and tree.source(operator) in CHOOSING
        if tree.kind(node) != "binary_expression" and (operator < 0 or chooses):
            self._give(right, left)
        if operator < 0 or chooses:
            flow.step(right, node)
        if chooses:
            flow.step(left, node)
        elif operator >= 0:
            flow.seed(node, Kind.ORDINARY)

    def _give(self, value: int, target: int, step: Step = Step.SAME) -> None:
        """Let a value go into what is declared or assigned."""
        tree = self._tree
        if value < 0 or target < 0:
            return
        if tree.kind(target) == "member_expression":
            name = tree.name(tree.child(target, "property"))
            self.flow.step(value, self._properties[name], step)
        else:
            self.flow.step(value, self._into(target), step)

    def _into(self, target: int) -> int:
        """Return what takes a value at a place: a pattern itself, or what a name is bound to."""
        return target if _is_pattern(self._tree.kind(target)) else self._scopes.bindings[target]

    def _follow_pattern(self, node: int, kind: str) -> None:
        tree = self._tree
        if kind in {"assignment_pattern", "object_assignment_pattern"}:
            left = tree.child(node, "left")
            self._give(tree.child(node, "right"), left)
            if kind == "assignment_pattern":
                self._give(node, left)
        elif kind == "array_pattern":
            for each in inner(tree, node):
                self._give(node, each, Step.SAME if tree.kind(each) == "rest_pattern" else Step.OUT_OF)
        elif kind == "rest_pattern":
            self._give(node, next(inner(tree, node), -1))
        elif kind == "object_pattern":
            for each in inner(tree, node):
                self._follow_property_pattern(node, each)

    def _follow_property_pattern(self, node: int, each: int) -> None:
        tree = self._tree
        kind = tree.kind(each)
        if kind == "pair_pattern":
            name, target = tree.child(each, "key"), tree.child(each, "value")
        elif kind == "object_assignment_pattern":
            name = target = tree.child(each, "left")
        else:
            name = target = each
        if kind == "rest_pattern":
            self._give(node, each)
        else:
            self._follow_member(node, key(tree, name), self._into(target))

    def _follow_member(self, holder: int, name: str, node: int) -> None:
        """Follow `.name` of a value."""
        self.flow.step(holder, node, member(name))
        if member(name) is not Step.MEMBER:
            self.flow.step(holder, node, Step.MEMBER)
        known = self._written.known(holder)
        if known >= 0 and self._tree.kind(known) == "object":
            value = self._written.properties_of(known).get(name, -1)
            if value >= 0:
                self.flow.step(value, node)
                return
        if name in self._properties and self._scopes_may_hold(holder):
            self._by_name.append((name, node))

    def _scopes_may_hold(self, holder: int) -> bool:
        """Say whether a value may be an object of the file's own."""
        tree = self._tree
        return not (
            tree.kind(holder) == "identifier"
            and self._scopes.bindings[holder] < 0
            and tree.name(holder) in _GIVEN
        )

    def _follow_subscript(self, node: int) -> None:
        tree = self._tree
        holder, index = tree.child(node, "object"), tree.child(node, "index")
        if tree.kind(index) == "string":
            self._follow_member(holder, key(tree, index), node)
        else:
            self.flow.step(holder, node, Step.OUT_OF)

    def _follow_part(self, node: int, part: int) -> None:
        """Follow what an object or a list is made of."""
        tree, flow = self._tree, self.flow
        kind = tree.kind(part)
        if kind == "spread_element":
            flow.step(next(inner(tree, part), -1), node, Step.HELD)
        elif kind == "pair":
            value = tree.child(part, "value")
            flow.step(value, node, Step.INTO)
            flow.step(value, self._properties.get(key(tree, tree.child(part, "key")), -1))
        elif kind == "method_definition":
            getter = tree.kind(part + 1) == "get"
            value = self._properties.get(key(tree, tree.child(part, "name")), -1)
            flow.step(part, value, Step.CALL if getter else Step.SAME)
        else:
            flow.step(part, node, Step.INTO)
            if kind == "shorthand_property_identifier":
                flow.step(part, self._properties[tree.name(part)])

    def _follow_call(self, node: int) -> None:
        tree, flow = self._tree, self.flow
        called, arguments = tree.child(node, "function"), tree.child(node, "arguments")
        flow.step(called, node, Step.CALL)
        function = self._written.known(called)
        if function >= 0 and tree.kind(function) in FUNCTIONS:
            self._pass_arguments(function, arguments)
        if tree.kind(called) == "member_expression":
            name = tree.name(tree.child(called, "property"))
            self._follow_method(node, tree.child(called, "object"), name, arguments)

    def _pass_arguments(self, function: int, arguments: int) -> None:
        tree = self._tree
        parameters = self.parameters(function)
        for argument in inner(tree, arguments):
            parameter = next(parameters, -1)
            if tree.kind(argument) == "spread_element":
                break
            if parameter >= 0 and tree.kind(parameter) == "rest_pattern":
                self.flow.step(argument, parameter, Step.INTO)
                parameters = iter([parameter])
                continue
            self._give(argument, parameter)

    def parameters(self, function: int) -> Iterator[int]:
        """Yield the parameters of a function."""
        tree = self._tree
        for each in tree.children(function):
            if tree.field(each) == "parameter":
                yield each
            elif tree.kind(each) == "formal_parameters":
                yield from inner(tree, each)

    def _follow_method(self, node: int, holder: int, name: str, arguments: int) -> None:
        """Follow what a list's methods do, and Object's."""
        tree, flow = self._tree, self.flow
        first = next(inner(tree, arguments), -1)
        if name in {"push", "unshift"}:
            for each in inner(tree, arguments):
                self._hold(each, holder)
        if name in {"freeze", "values"} and _is_object(tree, holder):
            flow.step(first, node)
        self._pass_items(holder, first, name)
        if name in _RESULTS:
            flow.step(first, node, Step.RESULTS)
        if name in _SAME:
            flow.step(holder, node, Step.HELD)
        if name in _ONE:
            flow.step(holder, node, Step.OUT_OF)
        if name in {"reduce", "reduceRight"}:
            flow.step(first, node, Step.CALL)

    def _pass_items(self, holder: int, called: int, name: str) -> None:
        """Let what a list holds go into the function that one of its methods calls with it."""
        function = self._written.known(called)
        if function >= 0 and self._tree.kind(function) in FUNCTIONS and name in _FIRST | _BOTH:
            parameters = self.parameters(function)
            for _ in range(2 if name in _BOTH else 1):
                self._give(holder, next(parameters, -1), Step.OUT_OF)

    def _hold(self, value: int, holder: int) -> None:
        """Let a list hold one more value."""
        self.flow.step(value, holder, Step.INTO)
        self.flow.step(value, self._scopes.bindings[holder], Step.INTO)


def _last(tree: Tree, node: int) -> int:
    """Return what a return statement returns; -1 when nothing."""
    return next((each for each in inner(tree, node) if tree.kind(each) != "return"), -1)


def _is_pattern(kind: str) -> bool:
    return kind.endswith("_pattern") and kind != "shorthand_property_identifier_pattern"


def _is_object(tree: Tree, node: int) -> bool:
    """Say whether a node names JavaScript's own `Object`."""
    return tree.kind(node) == "identifier" and tree.name(node) == "Object"
