"""A model must answer as it declares, and is told by its own check when it doesn't."""

import numpy as np
import pytest

from lightbulb.host.errors import BadInput
from lightbulb.host.workflow import Array, BadOutput, Inference, Supplies, Tensors, TensorSpec
from lightbulb.model import RequestContext
from tests.host.workflows import Echo

SUPPLIES = Supplies(facts={}, models={})


def answering(spec: TensorSpec, outputs: Tensors) -> Echo:
    """Return a model that declares `spec`, and whatever is asked answers with `outputs`."""

    class Answering(Echo):
        def finish(self, request: Inference, candidates: Array, scores: Array) -> Tensors:
            return outputs

    Answering.outputs = (spec,)
    return Answering(SUPPLIES)


def spec(datatype: str) -> TensorSpec:
    return TensorSpec(name="out", datatype=datatype, shape=(-1,))


@pytest.mark.parametrize(
    ("datatype", "outputs", "said"),
    [
        ("INT64", {}, "output out is missing"),
        ("INT64", {"out": np.zeros(2, dtype=np.int32)}, "output out is int32, not INT64"),
        ("INT64", {"out": np.zeros(2, dtype=">i8")}, "output out is >i8, not INT64"),
        ("INT64", {"out": np.zeros((2, 2), dtype=np.int64)}, r"output out has shape \[2, 2\], not \[-1\]"),
        ("FP32", {"out": np.array([1.0, np.nan], dtype=np.float32)}, "output out is not finite"),
        ("BYTES", {"out": np.array([b"a", "b"], dtype=object)}, "output out has an element that isn't bytes"),
    ],
)
def test_a_model_that_doesnt_answer_as_it_declares_fails_its_own_check(
    datatype: str, outputs: Tensors, said: str
) -> None:
    with pytest.raises(BadOutput, match=said):
        answering(spec(datatype), outputs).validate()


def test_what_a_model_gives_beyond_what_it_declares_is_its_own_affair() -> None:
    values = np.array([b"a"], dtype=object)
    answering(spec("BYTES"), {"out": values, "more": np.zeros(1)}).validate()


@pytest.mark.parametrize(("value", "number"), [(3, 3), (2.0, 2), (10**30, 10**30)])
def test_a_parameter_that_counts_is_a_whole_number(value: float, number: int) -> None:
    assert counting(value) == number


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", float("nan"), float("inf")])
def test_a_parameter_that_doesnt_count_is_named(value: object) -> None:
    with pytest.raises(BadInput, match=r"parameter n is .*, not a whole number from 1"):
        counting(value)


def counting(value: object) -> int:
    request = Inference(context=RequestContext(user_id="u"), inputs={}, parameters={"n": value})
    assert request.whole_number("absent", 7) == 7
    return request.whole_number("n", 7)
