"""Takes peers' evaluation vectors out of their published packages: the data alone, compact.

    npm pack @unleash/client-specification@6.1.0
    pip download --no-deps --no-binary :all: launchdarkly-server-sdk==9.20.0 openfeature-provider-flagd==0.1.5
    python -m tests.vectors.collect FOLDER_OF_THOSE_ARCHIVES

And of a repository, since its packages don't have them: `tests/cases.json` of growthbook/growthbook-python at
v2.2.1, as growthbook-cases.json in that folder.

A vector is [name, condition in the peer's words, context, whether it is met].
"""

import ast
import json
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
UNLEASH = "unleash-client-specification-6.1.0.tgz"
LAUNCHDARKLY = "launchdarkly_server_sdk-9.20.0.tar.gz"
FLAGD = "openfeature_provider_flagd-0.1.5.tar.gz"
GROWTHBOOK = "growthbook-cases.json"
FLAGD_FILES = ("custom-ops.json", "testing-flags.json", "evaluator-refs.json")
UNLEASH_FILES = ("02-", "09-", "11-", "13-", "14-", "15-", "21-", "22-")
"""Those on constraints, segments and users; the others are on rollouts, variants and the client's API."""

Vector = list[object]


def texts_in(archive: Path, *endings: str) -> dict[str, str]:
    """Return the files of an archive that end so, by name."""
    with tarfile.open(archive) as opened:
        return {
            member.name: opened.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in sorted(opened.getmembers(), key=lambda member: member.name)
            if member.isfile() and member.name.endswith(endings)
        }


def unleash(folder: Path) -> Iterator[Vector]:
    for name, text in texts_in(folder / UNLEASH, ".json").items():
        if not Path(name).name.startswith(UNLEASH_FILES) or "/specifications/" not in name:
            continue
        suite = json.loads(text)
        features = {feature["name"]: feature for feature in suite["state"]["features"]}
        segments = {each["id"]: each["constraints"] for each in suite["state"].get("segments", ())}
        for test in suite.get("tests", ()):
            feature = features.get(test["toggleName"])
            if feature is None:
                continue  # it asks of a flag that the suite hasn't
            strategies = [
                {
                    "name": strategy["name"],
                    "users": strategy.get("parameters", {}).get("userIds"),
                    "constraints": strategy.get("constraints", []),
                    "segments": [segments.get(each) for each in strategy.get("segments", ())],
                }
                for strategy in feature["strategies"]
            ]
            context = {**test["context"], **test["context"].get("properties", {})}
            context.pop("properties", None)
            yield [
                f"{suite['name']}: {test['description']}",
                {"enabled": feature["enabled"], "strategies": strategies},
                context,
                test["expectedResult"],
            ]


def launchdarkly(folder: Path) -> Iterator[Vector]:
    (text,) = texts_in(folder / LAUNCHDARKLY, "testing/impl/test_operators.py").values()
    tables = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.List) and node.elts and isinstance(node.elts[0], ast.List)
    )
    for operator, sent, written, met in ast.literal_eval(next(tables)):
        yield [f"{sent!r} {operator} {written!r}", {"op": operator, "value": written}, {"attr": sent}, met]


def flagd(folder: Path) -> Iterator[Vector]:
    flags = {}
    for text in texts_in(
        folder / FLAGD, "custom-ops.json", "testing-flags.json", "evaluator-refs.json"
    ).values():
        content = json.loads(text)
        named = content.get("$evaluators", {})
        for key, flag in content["flags"].items():
            targeting = json.dumps(flag.get("targeting", {}))
            for name, evaluator in named.items():
                targeting = targeting.replace(json.dumps({"$ref": name}), json.dumps(evaluator))
            flags[key] = {**flag, "targeting": json.loads(targeting)}
    for feature in texts_in(folder / FLAGD, "flagd-json-evaluator.feature").values():
        yield from _scenarios(feature, flags)


def _scenarios(text: str, flags: dict[str, dict[str, object]]) -> Iterator[Vector]:
    """Yield the examples of each outline whose flag has a text for each outcome."""
    for outline in text.split("Scenario Outline:")[1:]:
        lines = [line.strip() for line in outline.splitlines()]
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
        ]
        for row in rows[1:]:
            values = dict(zip(rows[0], row, strict=True))
            filled = " ".join(lines)
            for name, value in values.items():
                filled = filled.replace(f"<{name}>", value)
            key = filled.partition('with key "')[2].partition('"')[0]
            sent = filled.partition('a context containing a key "')[2]
            attribute, found, rest = sent.partition('", with value ')
            if not found or key not in flags or not flags[key]["targeting"]:
                continue
            context = {attribute: json.loads(rest.split(" ")[0])}
            yield [f"{key} {context}", flags[key]["targeting"], context, json.loads(values["value"])]


def growthbook(folder: Path) -> Iterator[Vector]:
    """Yield their conditions; a saved group is inlined, one that isn't there is empty."""
    cases = json.loads((folder / GROWTHBOOK).read_text())["evalCondition"]
    seen = Counter[str]()
    for name, condition, context, met, *groups in cases:
        seen[name] += 1
        told = name if seen[name] == 1 else f"{name} ({seen[name]})"
        yield [told, _inlined(condition, groups[0] if groups else {}), context, met]


def _inlined(condition: object, groups: dict[str, list[object]]) -> object:
    if isinstance(condition, list):
        return [_inlined(each, groups) for each in condition]
    if not isinstance(condition, dict):
        return condition
    inlined = {"$inGroup": "$in", "$notInGroup": "$nin"}
    return {
        inlined.get(key, key): groups.get(value, []) if key in inlined else _inlined(value, groups)
        for key, value in condition.items()
    }


PEERS = {"unleash": unleash, "launchdarkly": launchdarkly, "flagd": flagd, "growthbook": growthbook}


def main(folder: Path) -> None:
    for name, vectors in PEERS.items():
        lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors(folder))
        (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
