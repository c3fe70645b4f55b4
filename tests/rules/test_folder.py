"""Files of a workspace are read, also in folders, or named when they would be lost."""

from pathlib import Path

import pytest

from controlplane.model import Workspace
from controlplane.problems import WorkspaceError
from controlplane.rules.compile import compile_workspace
from controlplane.rules.folder import MAX_DEPTH
from controlplane.rules.workspace import check_workspace, content_hash, read_workspace
from tests.rules.workspaces import rule, workspace


def put(folder: Path, files: dict[str, str]) -> Path:
    """Write files, and return their folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def good(folder: Path) -> Path:
    """Write the good workspace."""
    return put(folder, {name: content.decode() for name, content in workspace().files.items()})


def refused(folder: Path) -> list[str]:
    """Return what is said of a folder, which must not be read."""
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(folder)
    return [str(each) for each in caught.value.problems]


def test_rules_in_folders_are_rules_with_their_path(tmp_path: Path) -> None:
    text = rule('when: context.country.eq("FR"), model: {name: "plain"}')
    found = read_workspace(put(good(tmp_path), {"search/more/fr.js": text}))
    (table,) = compile_workspace(found).tables
    (condition,) = table.context_rules
    assert condition.source.file == "search/more/fr.js"
    assert content_hash(found) != content_hash(workspace())
    renamed = {name.replace("fr.js", "de.js"): content for name, content in found.files.items()}
    assert content_hash(found) != content_hash(Workspace(files=renamed))


def test_a_problem_in_a_folder_names_the_path(tmp_path: Path) -> None:
    found = read_workspace(
        put(good(tmp_path), {"a/x.js": "const defineXRule = 1", "a/models.yaml": "models: []"})
    )
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(found)
    places = [(each.file, each.line, each.code) for each in caught.value.problems]
    assert places == [("a/models.yaml", 0, "UNKNOWN_FILE"), ("a/x.js", 1, "NOT_A_FUNCTION")]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("search.ts", "rename it to search.js, and write JavaScript"),
        ("a/search.mts", "rename it to search.js"),
        ("search.mjs", "rename it to search.js"),
        ("search.cjs", "rename it to search.js"),
        ("search.jsx", "rename it to search.js"),
        ("search.JS", "rename it to search.js"),
        ("models2.yml", "rename it to models2.yaml"),
        ("a/models2.YAML", "rename it to models2.yaml"),
    ],
)
def test_a_file_that_looks_like_a_rule_but_is_not_read_is_named(
    tmp_path: Path, name: str, remedy: str
) -> None:
    (problem,) = refused(put(good(tmp_path), {name: ""}))
    assert problem.startswith(f"{name} UNREAD_FILE: ")
    assert remedy in problem


def test_links_to_nothing_and_to_folders_are_named(tmp_path: Path) -> None:
    folder = good(tmp_path / "rules")
    (folder / "gone.js").symlink_to("nowhere.js")
    (folder / "loop").symlink_to(folder)
    assert refused(folder) == [
        "gone.js UNREAD_FILE: a link to nothing; put the file itself here, or remove the link",
        "loop UNREAD_FILE: a link to a folder is not followed; put the folder itself here",
    ]


def test_folders_are_read_to_a_depth(tmp_path: Path) -> None:
    deep = "/".join("a" * (MAX_DEPTH + 1))
    (problem,) = refused(put(good(tmp_path), {f"{deep}/x.js": ""}))
    assert problem.startswith(f"{deep} UNREAD_FILE: folders are read {MAX_DEPTH} deep")


def test_what_belongs_to_editors_and_tools_is_let_be(tmp_path: Path) -> None:
    others = dict.fromkeys(
        (
            *(
                "README.md",
                "lightbulb.d.ts",
                "a/types.d.ts",
                "jsconfig.json",
                "tsconfig.json",
                "package.json",
            ),
            *(
                "cases.yaml",
                "package-lock.json",
                "notes.txt",
                ".ci/x.yml",
                ".git/x.js",
                "node_modules/x/y.js",
            ),
        ),
        "",
    )
    folder = put(good(tmp_path), others)
    (folder / ".#rules.js").symlink_to("user@host.1")  # an editor's lock
    (folder / "linked.js").symlink_to(folder / "rules.js")
    found = read_workspace(folder)
    assert found.files.keys() == {*workspace().files, "linked.js"}


@pytest.mark.parametrize(
    "name",
    [
        "a/../b.js",
        "/a.js",
        "a//b.js",
        "./a.js",
        "a/.b/c.js",
        "a\\b.js",
        "a/" * 9 + "b.js",
        "é/b.js",
        "a" * 100 + "/" + "b" * 100,
    ],
)
def test_a_path_that_is_none_of_a_workspace_is_refused_whoever_sent_it(name: str) -> None:
    (problem,) = check_workspace(Workspace(files={name: b""}))
    assert problem.code == "FILE_NAME"


def test_a_path_is_taken_from_whoever_sent_it() -> None:
    assert check_workspace(Workspace(files={"a/b-c/d.js": b"", "a/" * 8 + "b.js": b""})) == ()
