"""Small models for tests: one that echoes, and variants of it that hang, fail or build on others."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import numpy as np

from lightbulb.host.workflow import Array, Inference, Supplies, Tensors, TensorSpec, Workflow
from lightbulb.model import ModelAssignment, RequestContext

DEADLINE = 60.0
VALIDATION = "validation"
NUMBERS = TensorSpec(name="numbers", datatype="INT64", shape=(-1,))


class Echo(Workflow):
    """Answers with the numbers that it is given."""

    inputs = (NUMBERS,)
    outputs = (NUMBERS,)

    def prepare(self, request: Inference) -> Array:
        return request.inputs["numbers"]

    def features(self, request: Inference, candidates: Array) -> Array:
        return candidates

    def score(self, features: Array) -> Array:
        return features

    def finish(self, request: Inference, candidates: Array, scores: Array) -> Tensors:
        return {"numbers": scores}

    def sample(self) -> Inference:
        return Inference(context=RequestContext(user_id=VALIDATION), inputs={"numbers": np.array([1, 2])})


class Gate:
    """Holds up whatever thread comes to it, until it is opened; `reached` counts these threads."""

    def __init__(self) -> None:
        self.reached = 0
        self._lock = threading.Lock()
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def wait(self) -> None:
        with self._lock:
            self.reached += 1
        assert self._open.wait(DEADLINE), "nobody opened the gate"


@contextlib.contextmanager
def gate() -> Iterator[Gate]:
    """A gate that is open at the end, so that no thread stays behind."""
    it = Gate()
    try:
        yield it
    finally:
        it.open()


def slow_to_load(gate: Gate) -> type[Workflow]:
    """Give a model that tells how far it is, and loads until the gate opens."""

    class SlowToLoad(Echo):
        def __init__(self, supplies: Supplies) -> None:
            supplies.progress.tell(0.35, "weights read")
            gate.wait()
            super().__init__(supplies)

    return SlowToLoad


def slow_to_answer(gate: Gate) -> type[Workflow]:
    """Give a model that passes its own check at once."""

    class SlowToAnswer(Echo):
        def features(self, request: Inference, candidates: Array) -> Array:
            if request.context.user_id != VALIDATION:
                gate.wait()
            return candidates

    return SlowToAnswer


def fails_to_load(error: BaseException) -> type[Workflow]:
    class FailsToLoad(Echo):
        def __init__(self, supplies: Supplies) -> None:
            raise error

    return FailsToLoad


def fails_its_check(error: BaseException) -> type[Workflow]:
    class FailsItsCheck(Echo):
        def score(self, features: Array) -> Array:
            raise error

    return FailsItsCheck


def fails_to_answer(error: BaseException) -> type[Workflow]:
    class FailsToAnswer(Echo):
        def features(self, request: Inference, candidates: Array) -> Array:
            if request.context.user_id != VALIDATION:
                raise error
            return candidates

    return FailsToAnswer


def building_on(*models: str, facts: tuple[str, ...] = ()) -> type[Workflow]:
    """Give a model that keeps what it was handed in `supplies`."""

    class BuildsOn(Echo):
        def __init__(self, supplies: Supplies) -> None:
            super().__init__(supplies)
            self.supplies = supplies

    BuildsOn.depends_on = models
    BuildsOn.facts = facts
    return BuildsOn


def assign(
    model: str,
    memory: int = 1,
    *,
    facts: tuple[str, ...] = (),
    depends_on: tuple[str, ...] = (),
    load_timeout: float = 0.0,
) -> ModelAssignment:
    name, _, version = model.partition("@")
    return ModelAssignment(
        name=name,
        version=version,
        memory_mib=memory,
        facts=facts,
        depends_on=depends_on,
        load_timeout=load_timeout,
    )


async def within_deadline(awaitable):
    """Return what it gives; fail when it takes for ever."""
    return await asyncio.wait_for(awaitable, DEADLINE)
