"""Each way in which the control plane refuses a call is told to programs, by a reason of its own."""

import errno
import re
from dataclasses import replace

from controlplane import app  # noqa: F401 - has every error of the control plane's imported
from controlplane.admin.compiler_process import CompilerFailed
from controlplane.admin.compilers import Stopping, TooManyPublishes
from controlplane.admin.outcome import RequestIdUsed
from controlplane.api.errors import DOMAIN, KINDS, InvalidRequest, TooManyWatchers, status_of
from controlplane.api.service import MAX_TEXT
from controlplane.lifecycle.operations import ControlRefused
from controlplane.planning.routing import Inconsistent
from controlplane.replica.figures import NothingCounted
from controlplane.rollout.operations import Refused
from controlplane.rollout.state import MAX_PINNED
from controlplane.store.contract import Conflict, StoreError, Unreachable
from lightbulb.resolution.codec import Malformed
from lightbulb.rpc.details import ErrorInfo, error_info
from lightbulb.v1 import control_plane_pb2 as pb
from tests.controlplane.planes import DEADLINE, POLICY, plane, run, told
from tests.controlplane.workspaces import publish_request
from tests.controlplane.worlds import world
from tests.lightbulb.test_details import subclasses


def test_every_error_has_a_row() -> None:
    families = (Refused, StoreError, ControlRefused)
    raised = {each for family in families for each in (family, *subclasses(family))}
    edge = {
        InvalidRequest,
        RequestIdUsed,
        TooManyWatchers,
        TooManyPublishes,
        CompilerFailed,
        Stopping,
        Inconsistent,
        Malformed,
        NothingCounted,
        OSError,
    }
    assert raised | edge == KINDS.keys()


def test_a_reason_is_one_errors_alone() -> None:
    reasons = [kind.reason for kind in KINDS.values()]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", reason) for reason in reasons)


def test_an_error_that_somebody_forgot_a_row_for_is_told_as_what_it_is_derived_from() -> None:
    class Forgotten(Conflict):
        pass

    info = error_info(status_of(Forgotten("others were first")).trailing_metadata)
    assert info == ErrorInfo(reason="CONFLICT", domain=DOMAIN, retry_after=0.1)


def test_a_store_that_cant_be_reached_is_to_be_tried_again() -> None:
    status = status_of(Unreachable("no answer"))
    assert status.details.startswith("the store: no answer; nothing has changed")
    info = error_info(status.trailing_metadata)
    assert info == ErrorInfo(reason="STORE_UNREACHABLE", domain=DOMAIN, retry_after=1.0)


def test_what_the_system_refuses_is_told_without_the_places_of_its_files() -> None:
    status = status_of(OSError(errno.EMFILE, "Too many open files", "/secret/prelude.js"))
    assert status.details.startswith("the control plane's system refuses: Too many open files; see ")
    info = error_info(status.trailing_metadata)
    assert info == ErrorInfo(reason="SYSTEM_REFUSES", domain=DOMAIN)


def about(number: int) -> dict[str, str]:
    return {"generation": str(number)}


def test_what_cant_be_done_now_is_told_by_reason_and_generation(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            assert (await told(it.roll_back())).reason == "NOTHING_ACTIVE"
            for release in (False, True):
                unknown = await told(it.pin(1, release=release))
                assert (unknown.reason, unknown.about) == ("UNKNOWN_GENERATION", about(1))
            invalid = await told(it.publish(1, author="x" * (MAX_TEXT + 1)))
            assert (invalid.reason, invalid.path) == ("INVALID_REQUEST", "author")
            twice = pb.PublishRequest(files=[pb.WorkspaceFile(path="a.js")] * 2)
            assert (await told(it.stub.Publish(twice, timeout=DEADLINE))).path == "files"

    run(scenario)


def test_what_a_generation_isnt_is_told_by_reason_and_generation(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=0)) as it:
            one = it.plane
            alone = await told(one.roll_back())
            assert (alone.reason, alone.domain, alone.about) == ("NO_OTHER_GENERATION", DOMAIN, about(1))
            unknown = await told(one.roll_back(7))
            assert (unknown.reason, unknown.about) == ("UNKNOWN_GENERATION", about(7))
            assert (await told(one.pin(1, release=True))).reason == "GENERATION_NOT_PINNED"
            await it.published(2)
            gone = await told(one.roll_back(1))
            assert (gone.reason, gone.about) == ("GENERATION_NOT_LOADED", about(1))
            it.host.hold()
            await one.publish(3)
            coming = await told(one.roll_back(3))
            assert (coming.reason, coming.about) == ("GENERATION_ON_ITS_WAY", about(3))

    run(scenario)


def test_what_there_is_too_much_of_is_told_by_reason(store: str) -> None:
    async def scenario() -> None:
        async with world(store, replace(POLICY, window=MAX_PINNED)) as it:
            for number in range(2, MAX_PINNED + 2):
                await it.plane.pin(number - 1)
                await it.published(number)
            assert (await told(it.plane.pin(MAX_PINNED + 1))).reason == "TOO_MANY_PINNED"

    run(scenario)


def test_a_workspaces_problems_are_in_the_answer_as_ever(store: str) -> None:
    async def scenario() -> None:
        async with plane(store) as it:
            request = publish_request(1)
            del request.files[:]
            assert (await it.stub.Publish(request, timeout=DEADLINE)).problems

    run(scenario)
