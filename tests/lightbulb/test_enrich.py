"""How an answer travels in an Open Inference request."""

from dataclasses import replace

import pytest
from tritonclient.grpc import service_pb2

from lightbulb.errors import ReservedParameter
from lightbulb.model import RequestContext
from lightbulb.oip import open_inference_pb2 as oip
from lightbulb.resolution.resolve import Allocation, Reason
from lightbulb.rpc.answer import Answer, ObjectiveConfig
from lightbulb.rpc.enrich import enrich, infer_parameters, is_reserved

ANSWER = Answer(
    routing_key="Ranking|m|7",
    objective_config=ObjectiveConfig(
        objective="Ranking",
        model="m",
        model_version="7",
        model_type="SCORER",
        input_type="TITLE_INPUT_TYPE",
        parameters={"limit": 20, "boost": 0.5, "explore": True, "note": "x"},
        allocations=(Allocation(test_id="12345", cell=2), Allocation(test_id="67", cell=1)),
    ),
    generation=9,
    cache_lifetime=60.0,
    deadline=0.0,
    reason=Reason.AB_TEST,
)
CONTEXT = RequestContext(
    user_id="u1", country="US", surface="home", attributes={"plan": "basic", "age": 3, "tags": ("é", 1, True)}
)

PARAMETERS = {
    "limit": 20,
    "boost": 0.5,
    "explore": True,
    "note": "x",
    "lightbulb_objective": "Ranking",
    "lightbulb_generation": 9,
    "lightbulb_allocations": "12345:2,67:1",
    "lightbulb_model_type": "SCORER",
    "lightbulb_input_type": "TITLE_INPUT_TYPE",
    "lightbulb_context_user_id": "u1",
    "lightbulb_context_country": "US",
    "lightbulb_context_surface": "home",
    "lightbulb_context_plan": "basic",
    "lightbulb_context_age": 3,
    "lightbulb_context_tags": '["é",1,true]',
}


def test_parameters_carry_the_config_and_the_context() -> None:
    assert infer_parameters(ANSWER, CONTEXT) == PARAMETERS


def test_what_is_empty_is_left_out() -> None:
    plain = replace(ANSWER, objective_config=replace(ANSWER.objective_config, allocations=()))
    names = set(infer_parameters(plain, RequestContext(user_id="u1")))
    assert names == {name for name in PARAMETERS if "context" not in name and "allocations" not in name} | {
        "lightbulb_context_user_id"
    }


def test_a_request_is_copied_and_the_callers_own_stays_as_it_was() -> None:
    request = oip.ModelInferRequest(model_name="any", id="42", raw_input_contents=[b"data"])
    request.parameters["mine"].string_param = "kept"
    request.parameters["limit"].string_param = "the rules' wins"
    request.parameters["lightbulb_context_device"].string_param = "never a caller's"
    before = oip.ModelInferRequest.FromString(request.SerializeToString())
    enriched = enrich(request, ANSWER, CONTEXT)
    assert request == before
    assert (enriched.model_name, enriched.model_version, enriched.id) == ("m", "7", "42")
    assert enriched.raw_input_contents == [b"data"]
    values = {name: getattr(p, p.WhichOneof("parameter_choice")) for name, p in enriched.parameters.items()}
    assert values == {**PARAMETERS, "mine": "kept"}
    assert enriched.parameters["explore"].WhichOneof("parameter_choice") == "bool_param"
    assert enriched.parameters["boost"].WhichOneof("parameter_choice") == "double_param"


@pytest.mark.parametrize(
    "name",
    [
        "sequence_id",
        "sequence_start",
        "sequence_end",
        "priority",
        "timeout",
        "headers",
        "binary_data",
        "binary_data_size",
        "binary_data_output",
        "triton_enable_empty_final_response",
        "lightbulb_objective",
    ],
)
def test_a_models_parameter_must_not_take_a_name_that_means_something_else(name: str) -> None:
    assert is_reserved(name)
    config = replace(ANSWER.objective_config, parameters={name: 1, "limit": 2})
    with pytest.raises(ReservedParameter, match=f"parameters {name}:"):
        enrich(oip.ModelInferRequest(), replace(ANSWER, objective_config=config), CONTEXT)


def test_an_independent_clients_own_message_class_is_enriched_too() -> None:
    theirs = enrich(service_pb2.ModelInferRequest(model_name="any"), ANSWER, CONTEXT)
    ours = enrich(oip.ModelInferRequest(model_name="any"), ANSWER, CONTEXT)
    assert isinstance(theirs, service_pb2.ModelInferRequest)
    assert theirs.SerializeToString(deterministic=True) == ours.SerializeToString(deterministic=True)
