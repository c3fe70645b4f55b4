"""A small workspace in many versions. Clients cache next to nothing, so that what is old retires soon."""

from collections.abc import Mapping, Sequence

from controlplane.model import Workspace
from lightbulb.v1 import control_plane_pb2 as pb

SHARD = "a"
RANKING, FRAUD = "Ranking", "Fraud"


def files(
    version: int | str,
    *,
    cache: str = "10ms",
    memory: str = "100MiB",
    room: str = "2GiB",
    load: str = "",
    vips: Mapping[str, str] | None = None,
    places: Mapping[str, Sequence[str]] | None = None,
    without: Sequence[str] = (),
    candidate: str = "",
    percent: float = 0,
    default: str = "rank",
    steps: str = "",
    guarded: str = "",
    copied: str = "",
) -> dict[str, bytes]:
    """Return files in which Ranking is answered by rank@`version`, and Fraud always by fraud@1.

    `load` is rank's load_timeout; `vips` is shard -> VIP; `places` is shard -> models that it is told to
    hold; files `without` these. A rule shifts `percent` of Ranking's users from `default` to
    `candidate`, NAME@VERSION, unless these are the same model; or does what `steps` say; or copies to
    that what is `copied`. The default's rule says what is `guarded` besides.
    """
    shards = "".join(
        f"  - {{name: {shard}, vip: {vip}, memory: {room}, models: {list((places or {}).get(shard, ()))}}}\n"
        for shard, vip in (vips or {SHARD: "vip-a"}).items()
    )
    name, _, number = candidate.partition("@")
    timeout = f", load_timeout: {load}" if load else ""
    content = {
        "objectives.yaml": f"""objectives:
  - {{name: {RANKING}, input_type: TITLE, owner: home, deadline: 10ms, cache_lifetime: {cache}}}
  - {{name: {FRAUD}, input_type: PAYMENT, owner: risk, deadline: 10ms, cache_lifetime: {cache}}}
""",
        "models.yaml": f"""models:
  - {{name: rank, version: "{version}", memory: {memory}{timeout}}}
  - {{name: fraud, version: "1", memory: 10MiB}}
"""
        + (f'  - {{name: {name}, version: "{number}", memory: 10MiB}}\n' if candidate else ""),
        "experiments.yaml": "experiments: []\n",
        "fleet.yaml": f"shards:\n{shards}",
        "rules.js": _rule("Ranking", "TITLE", default, guarded)
        + _rule("Fraud", "PAYMENT", "fraud")
        + (
            _shadow("Ranking", "TITLE", name, copied)
            if copied
            else _shift("Ranking", "TITLE", default, name, steps or f"percent: {percent}")
            if name not in {"", default}
            else ""
        ),
    }
    return {name: text.encode() for name, text in content.items() if name not in without}


def _rule(objective: str, input_type: str, model: str, more: str = "") -> str:
    return (
        f"function define{objective}DefaultRule() {{ return {{\n"
        f'  targetObjectives: ["{objective}"], modelInputType: "{input_type}", modelType: "SCORER",\n'
        f'  defaultModel: {{name: "{model}"}}{more and ", "}{more}}}; }}\n'
    )


def _shift(objective: str, input_type: str, model: str, to: str, words: str) -> str:
    return (
        f"function define{objective}ShiftRule() {{ return {{\n"
        f'  targetObjectives: ["{objective}"], modelInputType: "{input_type}", modelType: "SCORER",\n'
        f'  shift: {{from: {{name: "{model}"}}, to: {{name: "{to}"}}, {words}}}}}; }}\n'
    )


def _shadow(objective: str, input_type: str, model: str, words: str) -> str:
    return (
        f"function define{objective}ShadowRule() {{ return {{\n"
        f'  targetObjectives: ["{objective}"], modelInputType: "{input_type}", modelType: "SCORER",\n'
        f'  shadow: {{model: {{name: "{model}"}}, {words}}}}}; }}\n'
    )


def publish_request(version: int | str, **changes: object) -> pb.PublishRequest:
    """Return the request that publishes a version; `changes` are the files' or the request's own."""
    own = {
        name: changes.pop(name)
        for name in list(changes)
        if name in pb.PublishRequest.DESCRIPTOR.fields_by_name
    }
    content = files(version, **changes)  # type: ignore[arg-type]
    listed = [pb.WorkspaceFile(path=path, content=body) for path, body in content.items()]
    return pb.PublishRequest(**{"files": listed, "author": "ann", "message": f"rank@{version}", **own})


def request_of(files: Workspace) -> pb.PublishRequest:
    """Return the request that publishes a workspace."""
    return pb.PublishRequest(
        files=[pb.WorkspaceFile(path=path, content=content) for path, content in files.files.items()]
    )
