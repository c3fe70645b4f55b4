"""Sees what a host answers to requests that have a shadow, and makes records of it.

Nothing that goes wrong here is anything to the request: it is counted, and told in the log once.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from lightbulb.comparison.answers import Answer
from lightbulb.comparison.lines import is_id
from lightbulb.comparison.record import OK, Asked, Record, Side
from lightbulb.host.comparable import declared_as, read_answer
from lightbulb.host.errors import REASON_LIMIT, brief
from lightbulb.host.record_sink import RecordSink
from lightbulb.host.repository import Entry
from lightbulb.host.traffic import Call
from lightbulb.host.workflow import Tensors
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.rpc.enrich import CONTEXT_PREFIX

log = logging.getLogger(__name__)

MOST_ASKED = 64 * 1024
"""Bytes of a request that is kept; of a larger one the answer alone is."""

USER = CONTEXT_PREFIX + "user_id"


@dataclass(slots=True, kw_only=True, eq=False)
class Seen:
    """A request whose answer is recorded, from when it came on."""

    call: Call
    user: str
    model: str
    began: float = field(default_factory=time.perf_counter)
    answer: Answer | None = None
    fault: str = ""
    asked: Asked | None = None

    def take(self, entry: Entry, outputs: Tensors) -> None:
        """Take what a model has given; from any thread. Raises nothing."""
        assert entry.workflow is not None
        self.model = entry.assignment.id
        if self.asked is not None:
            self.asked = replace(self.asked, declared=declared_as(entry.workflow.comparable))
        try:
            self.answer = read_answer(entry.workflow.comparable, outputs)
        except Exception as error:  # noqa: BLE001 - a model's outputs may be anything
            self.fault = brief(f"{type(error).__name__}: {error}", REASON_LIMIT)


class Recorder:
    """Makes a record of each request that has a shadow, or is a copy for one."""

    def __init__(self, sink: RecordSink, key: bytes, *, requests: bool = False) -> None:
        """`key` is what users' ids are hashed with: the same at all hosts, and nobody else's business.

        `requests`: keep what primaries are asked as well, as it came.
        """
        self._sink = sink
        self._requests = requests
        self._key = key
        self._told = False

    def see(self, call: Call, request: pb.ModelInferRequest) -> Seen | None:
        """Begin, if this is to be recorded."""
        if not (call.shadow or call.compared) or not is_id(call.request_id):
            return None
        user = request.parameters[USER].string_param if USER in request.parameters else ""
        name, version = call.target(request.model_name, request.model_version)
        seen = Seen(call=call, user=user, model=f"{name}@{version}" if version else name)
        if self._requests and not call.shadow and request.ByteSize() <= MOST_ASKED:
            seen.asked = Asked(request=request.SerializeToString(), declared={})
        return seen

    def done(self, seen: Seen, status: str = OK) -> None:
        """Record a request that has its answer, or failed with `status`."""
        took = time.perf_counter() - seen.began
        call = seen.call
        if seen.fault and not self._told:
            self._told = True
            log.warning("answers of %s can't be recorded: %s", seen.model, seen.fault)
        self._sink.put(
            Record(
                shadows=(call.shadow,) if call.shadow else call.compared,
                request=call.request_id,
                side=Side.SHADOW if call.shadow else Side.PRIMARY,
                at=time.time(),
                model=seen.model,
                objective=call.objective,
                traffic=call.traffic.value,
                user=self._hash(seen.user),
                status=status,
                microseconds=int(took * 1_000_000),
                answer=seen.answer if status == OK else None,
                asked=seen.asked if status == OK else None,
            )
        )

    def close(self) -> None:
        """Write what waits; for two seconds at most."""
        self._sink.close()

    def _hash(self, user: str) -> str:
        if not user:
            return ""
        return blake2b(user.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).hexdigest()
