"""The tree of a YAML text is the one that PyYAML composes, and what isn't allowed is refused by line."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controlplane.rules.yaml_tree import MAX_DEPTH, BadYaml, MappingNode, Node, ScalarNode, read_tree

texts = st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts


def nested(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return lists and mappings of leaves."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=20,
    )


styled = st.tuples(nested(scalars), st.none()) | st.tuples(
    nested(texts), st.sampled_from([None, '"', "'", "|", ">"])
)
"""Values and how their scalars are written; what isn't a text is written with a tag in some ways."""


def plain(node: Node | None) -> object:
    """Return a node as tuples: what it is, its line, what is in it."""
    if node is None:
        return None
    if isinstance(node, ScalarNode):
        return "scalar", node.line, node.value, node.quoted
    if isinstance(node, MappingNode):
        return "mapping", node.line, [(plain(key), plain(value)) for key, value in node.pairs()]
    return "sequence", node.line, [plain(item) for item in node.items]


def composed(node: yaml.Node | None) -> object:
    """Return what PyYAML composes, as `plain` does."""
    if node is None:
        return None
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return "scalar", line, node.value, bool(node.style)
    if isinstance(node, yaml.MappingNode):
        return "mapping", line, [(composed(key), composed(value)) for key, value in node.value]
    return "sequence", line, [composed(item) for item in node.value]


class WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


@given(styled, st.sampled_from([True, False, None]))
def test_whatever_is_dumped_is_read_as_it_is_composed(
    written: tuple[object, str | None], flow: bool | None
) -> None:
    value, style = written
    text = yaml.dump(value, Dumper=WithoutAliases, default_flow_style=flow, default_style=style)
    assert plain(read_tree(text)) == composed(yaml.compose(text, Loader=yaml.SafeLoader))


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "---\n", "a: 1\na: 2\n", "? [a]\n: {b: c}\n", "a: 5\nb: |\n  x\n", "a:\n"],
)
def test_a_text_is_read_as_it_is_composed(text: str) -> None:
    assert plain(read_tree(text)) == composed(yaml.compose(text, Loader=yaml.SafeLoader))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: &x 2\n", 2, "anchors and aliases are not allowed"),
        ("a: 1\nb: *x\n", 2, "anchors and aliases are not allowed"),
        ("a: 1\nb: &x [1]\n", 2, "anchors and aliases are not allowed"),
        ("a:\n " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, 2, f"nested deeper than {MAX_DEPTH} levels"),
        ("a: 1\n---\n\nb: 2\n", 2, "another document begins"),
        ("a: 1\n---\nb: [\n", 4, "the text ends where a value is to be"),
        ("a: 1\nb: 'x\n", 2, "the quote that opens here is not closed"),
    ],
)
def test_a_text_that_isnt_one_plain_document_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(BadYaml) as refused:
        read_tree(text)
    assert (refused.value.line, refused.value.message) == (line, message)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert read_tree("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
