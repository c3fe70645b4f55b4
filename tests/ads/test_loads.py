"""What a host tells of its loads comes through, bounded; a server that doesn't know of it goes on."""

import pytest

from lightbulb.ads.loads import MAX_LOADS, MAX_TEXT, ModelLoad, loads_of, progress_request
from lightbulb.ads.messages import DeltaRequest
from lightbulb.ads.server.delta import DeltaSession
from lightbulb.ads.values import LOAD_PROGRESS, MODEL_ASSIGNMENT
from lightbulb.ads.wire import decode_delta_request, encode_delta_request
from tests.ads.worlds import LIMITS, of

LOADS = (
    ModelLoad(model="a@1", seconds=40.5, fraction=0.35, text="weights read"),
    ModelLoad(model="b@1", seconds=2.0),
)


def test_loads_come_through_as_they_were_told() -> None:
    for loads in ((), LOADS):
        assert loads_of(decode_delta_request(encode_delta_request(progress_request(loads)))) == loads


@pytest.mark.parametrize(
    "told",
    [
        "",
        "no JSON",
        "7",
        "[1, 0.5]",
        '["1", 0.5, ""]',
        '[1, true, ""]',
        "[1, 0.5, 7]",
        '[NaN, null, ""]',
        '[1, Infinity, ""]',
        "[" * 100_000,
    ],
)
def test_what_cant_be_read_is_left_out(told: str) -> None:
    good = progress_request(LOADS[:1]).initial_versions
    request = DeltaRequest(type_url=LOAD_PROGRESS, initial_versions={**good, "bad@1": told})
    assert loads_of(request) == LOADS[:1]


def test_both_ends_bound_what_is_told() -> None:
    many = [ModelLoad(model=f"m@{number}", seconds=1.0, text="x" * 1_000) for number in range(100)]
    assert len(progress_request(many).initial_versions) == MAX_LOADS
    told = {each.model: f'[-5, 7, "{each.text}"]' for each in many}
    taken = loads_of(DeltaRequest(type_url=LOAD_PROGRESS, initial_versions=told))
    assert len(taken) == MAX_LOADS
    assert {(each.seconds, each.fraction, len(each.text)) for each in taken} == {(0.0, 1.0, MAX_TEXT)}


def test_a_server_that_doesnt_know_of_it_answers_nothing_and_goes_on() -> None:
    session = DeltaSession(of(MODEL_ASSIGNMENT, a=1), LIMITS)
    (sent,) = session.on_request(DeltaRequest(type_url=MODEL_ASSIGNMENT, subscribe=("*",)), 0.0)
    assert session.on_request(progress_request(LOADS), 1.0) == ()
    assert session.subscriptions.keys() == {MODEL_ASSIGNMENT}
    assert session.on_request(DeltaRequest(type_url=MODEL_ASSIGNMENT, nonce=sent.nonce), 2.0) == ()
    assert session.held(MODEL_ASSIGNMENT).keys() == {"a"}
