"""What a model is told of a request: who asks, its tensors, and its own parameters alone."""

import pytest

from lightbulb.host.errors import BadInput
from lightbulb.host.inference import inference_of
from lightbulb.host.workflow import Supplies
from lightbulb.model import RequestContext
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.resolution.resolve import Reason
from lightbulb.rpc.answer import Answer, ObjectiveConfig
from lightbulb.rpc.enrich import RESERVED_NAMES, enrich
from tests.host.workflows import Echo

WORKFLOW = Echo(Supplies(facts={}, models={}))
CONTEXT = RequestContext(
    user_id="u1",
    country="US",
    device="tv",
    surface="home",
    attributes={"plan": "basic", "age": 3, "kid": True},
)
ANSWER = Answer(
    routing_key="Ranking|m|7",
    objective_config=ObjectiveConfig(
        objective="Ranking",
        model="m",
        model_version="7",
        model_type="SCORER",
        input_type="TITLE_INPUT_TYPE",
        parameters={"limit": 20, "boost": 0.5, "explore": True, "note": "x"},
    ),
    generation=9,
    cache_lifetime=60.0,
    deadline=0.0,
    reason=Reason.DEFAULT,
)


def request(**parameters: str) -> pb.ModelInferRequest:
    made = pb.ModelInferRequest()
    made.inputs.add(name="numbers", datatype="INT64", shape=[1]).contents.int64_contents.append(1)
    for name, value in parameters.items():
        made.parameters[name].string_param = value
    return made


def test_what_the_client_library_puts_into_a_request_is_what_the_model_is_told() -> None:
    told = inference_of(enrich(request(), ANSWER, CONTEXT), WORKFLOW)
    assert told.context == CONTEXT
    assert told.parameters == ANSWER.objective_config.parameters
    assert told.inputs["numbers"].tolist() == [1]


def test_a_model_sees_none_of_the_parameters_that_are_kept_for_servers() -> None:
    reserved = dict.fromkeys((*RESERVED_NAMES, "triton_x", "binary_data_output", "lightbulb_generation"), "x")
    assert inference_of(request(own="y", **reserved), WORKFLOW).parameters == {"own": "y"}


def test_a_request_without_a_context_has_an_empty_one() -> None:
    assert inference_of(request(), WORKFLOW).context == RequestContext(user_id="")


@pytest.mark.parametrize("name", ["user_id", "country", "device", "locale", "surface"])
def test_a_context_that_isnt_text_is_named(name: str) -> None:
    asked = request()
    asked.parameters[f"lightbulb_context_{name}"].int64_param = 5
    with pytest.raises(BadInput, match=f"parameter lightbulb_context_{name} is 5, not a string"):
        inference_of(asked, WORKFLOW)
