"""A publish tells the warnings about its workspace, and does so again when it is repeated."""

from pathlib import Path

from controlplane.admin.operator import MAX_WARNINGS
from lightbulb.v1 import control_plane_pb2 as pb
from tests.cli.test_rollouts import done
from tests.controlplane.planes import plane, run
from tests.controlplane.workspaces import files, publish_request


def with_idle_models(count: int) -> list[pb.WorkspaceFile]:
    content = files(1)
    content["models.yaml"] += b"".join(
        b'  - {name: idle-%02d, version: "1", memory: 1MiB}\n' % number for number in range(count)
    )
    return [pb.WorkspaceFile(path=path, content=body) for path, body in content.items()]


def test_a_publish_tells_its_warnings_and_goes_on(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            request = publish_request(1, files=with_idle_models(1), request_id="once")
            response = await it.stub.Publish(request)
            assert (response.generation, list(response.problems)) == (1, [])
            (warning,) = response.warnings
            assert (warning.code, warning.line) == ("UNUSED_MODEL", 4)
            assert warning.severity == pb.SEVERITY_WARNING
            assert await it.stub.Publish(request) == response

    run(scenario)


def test_a_publish_tells_some_warnings_and_how_many_more_there_are(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            response = await it.stub.Publish(publish_request(1, files=with_idle_models(MAX_WARNINGS + 5)))
            assert [each.code for each in response.warnings] == [
                *["UNUSED_MODEL"] * MAX_WARNINGS,
                "TOO_MANY_PROBLEMS",
            ]
            assert {each.severity for each in response.warnings} == {pb.SEVERITY_WARNING}
            assert response.generation == 1

    run(scenario)


def test_the_command_prints_them(store: str, tmp_path: Path) -> None:
    for file in with_idle_models(1):
        (tmp_path / file.path).write_bytes(file.content)

    async def scenario() -> None:
        async with plane(store) as it:
            told = await done(it, "publish", str(tmp_path), "--detach")
            assert told.code == 0
            assert told.err.splitlines()[0] == (
                "models.yaml:4 warning UNUSED_MODEL: no rule names model idle-00@1: no host loads it"
            )
            assert "generation 1" in told.out

    run(scenario)
