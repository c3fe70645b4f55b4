"""Asks a candidate again what primaries were asked, and compares the answers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError

from controlplane.cli.actions import comparison
from controlplane.cli.failed import Failed
from controlplane.cli.options import Address
from controlplane.cli.problems import printable
from controlplane.cli.reach import no_connection, nobody_there
from controlplane.comparison.sources import Progress, Together, make_index
from lightbulb.comparison.answers import Answer
from lightbulb.comparison.lines import SUFFIX, line_of
from lightbulb.comparison.record import LIVE, OK, Asked, Record, Side
from lightbulb.host.comparable import as_declared, read_answer
from lightbulb.host.errors import BadInput
from lightbulb.host.tensors import inputs_of
from lightbulb.host.traffic import Traffic
from lightbulb.model import ROUTING_KEY_HEADER, TRAFFIC_HEADER, routing_key
from lightbulb.oip import open_inference_pb2 as pb
from lightbulb.oip import open_inference_pb2_grpc as pb_grpc
from lightbulb.rpc.channels import open_channel

SIDE_BY_SIDE = 16
"""Requests that are under way at most: a candidate that is slow is asked less."""

GIVE_UP = 20
"""So many failures, and no answer yet, end it."""

NOTHING_ASKED = "hosts keep that with `lightbulb host --records-requests`, of requests that have a shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The candidate by name and version, where it is reached, and how many requests a second it may get."""

    name: str
    version: str
    sidecar: Address
    rate: float
    limit: int
    seconds: float

    @property
    def model(self) -> str:
        """Its id."""
        return f"{self.name}@{self.version}"


def replay(
    wanted: Wanted, asked: comparison.Asked, folder: Path, *, page: Path | None, as_json: bool
) -> None:
    """Ask, keep both sides' records in `folder`, and print the report. Raises Failed."""
    path = folder / f"replay-{uuid4().hex[:8]}{SUFFIX}"
    with (
        comparison.progress(as_json=as_json) as told,
        open_channel(str(wanted.sidecar)) as channel,
        comparison.record_files(asked.paths) as files,
    ):
        primaries = _primaries(files, told)
        first = next(primaries, None)
        if first is None:
            places = ", ".join(map(str, asked.paths))
            raise Failed("NOTHING_ASKED", f"no record in {places} has what was asked", NOTHING_ASKED)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("wb") as file:
            run = _Run(wanted, pb_grpc.GRPCInferenceServiceStub(channel), file, path.stem)
            for number, primary in enumerate(islice(chain((first,), primaries), wanted.limit)):
                run.ask(primary, number)
                told(number / wanted.limit, "asking again")
            run.finish()
    comparison.report(replace(asked, paths=(path,), shadows=()), page=page, as_json=as_json)


def _primaries(files: tuple[Path, ...], told: Progress) -> Iterator[Record]:
    """Yield the live requests of primaries that can be asked again, each once."""
    together = Together(make_index(files, told))
    try:
        for records in together:
            able = (each for each in records if each.asked is not None and each.traffic == LIVE)
            yield from islice(able, 1)
    finally:
        together.close()


@dataclass(slots=True, eq=False)
class _Run:
    """One replay; answers come in threads of gRPC's."""

    wanted: Wanted
    stub: pb_grpc.GRPCInferenceServiceStub
    file: BinaryIO
    shadow: str
    began: float = field(default_factory=time.monotonic)
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(SIDE_BY_SIDE))
    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[str] = field(default_factory=Counter)
    failure: tuple[str, str] | None = None

    def ask(self, primary: Record, number: int) -> None:
        """Ask for one request, not before its time. Raises Failed."""
        time.sleep(max(0.0, self.began + number / self.wanted.rate - time.monotonic()))
        assert primary.asked is not None
        try:
            request = pb.ModelInferRequest.FromString(primary.asked.request)
        except DecodeError:
            self._put(primary, None, "INVALID_ARGUMENT", 0.0)
            return
        request.model_name, request.model_version = self.wanted.name, self.wanted.version
        del request.outputs[:]  # all of them: what is compared may not have been asked for
        key = routing_key(primary.objective, self.wanted.name, self.wanted.version)
        self.room.acquire()
        self._give_up()
        began = time.perf_counter()
        call = self.stub.ModelInfer.future(
            request,
            timeout=self.wanted.seconds,
            metadata=((ROUTING_KEY_HEADER, key), (TRAFFIC_HEADER, Traffic.REPLAY.value)),
        )
        call.add_done_callback(lambda done: self._done(primary, done, time.perf_counter() - began))

    def finish(self) -> None:
        """Wait for those that are under way. Raises Failed."""
        for _ in range(SIDE_BY_SIDE):
            self.room.acquire()
        self._give_up(least=1)

    def _done(self, primary: Record, call: Any, took: float) -> None:
        try:
            if call.code() is grpc.StatusCode.OK:
                self._put(primary, _answer(primary.asked, call.result()), OK, took)
            else:
                self.failure = call.code().name, call.details() or ""
                self._put(primary, None, call.code().name, took)
        finally:
            self.room.release()

    def _put(self, primary: Record, answer: Answer | None, status: str, took: float) -> None:
        one = replace(primary, shadows=(self.shadow,), asked=None)
        other = replace(
            one,
            side=Side.SHADOW,
            at=time.time(),
            model=self.wanted.model,
            traffic=Traffic.REPLAY.value,
            status=status,
            microseconds=int(took * 1_000_000),
            answer=answer,
        )
        with self.lock:
            self.statuses[status] += 1
            if not self.file.closed:  # it is once this has given up
                self.file.write(line_of(one) + line_of(other))

    def _give_up(self, least: int = GIVE_UP) -> None:
        """Raise Failed if nothing was answered so far, though enough was asked."""
        if self.statuses[OK] or self.statuses.total() < least or self.failure is None:
            return
        code, details = self.failure
        reason = no_connection(details)
        if reason:
            message, remedy = nobody_there("sidecar", self.wanted.sidecar, reason, "--sidecar-address")
            raise Failed("UNREACHABLE", message, remedy)
        message = (
            f"{self.wanted.model} answered none of {self.statuses.total()} requests; "
            f"the last: {printable(f'{code}: {details}')}"
        )
        raise Failed(
            "NO_ANSWER", message, "it has to be loaded, by a rule that names it: see `lightbulb status`"
        )


def _answer(asked: Asked | None, response: pb.ModelInferResponse) -> Answer | None:
    """Return what an answer comes to, as the primary's model declares; None if it can't be read so."""
    assert asked is not None
    tensors = pb.ModelInferRequest(raw_input_contents=response.raw_output_contents)
    for output in response.outputs:
        given = tensors.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if output.HasField("contents"):
            given.contents.CopyFrom(output.contents)
    try:
        return read_answer(as_declared(asked.declared), inputs_of(tensors, None))
    except (BadInput, TypeError, ValueError, KeyError, AttributeError):
        return None
