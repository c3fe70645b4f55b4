"""That a control plane, and what connects to it in a benchmark, are what they should be; never how fast."""

import os
import random
import threading
import time
from pathlib import Path

from bench.contest import A_SECOND, Measured, Setting
from bench.deployment import AT_ONCE, Size, deployment
from bench.machine import Meter, cpu_seconds, find_cores, resident_bytes
from bench.parts.fleet import EVERYTHING, Sidecar
from bench.parts.relays import FAILED, REQUESTS, figures
from bench.parts.tenants import ASIDE, FLEET, MODELS, workspace_of
from bench.plot import save
from bench.result import Report
from bench.show import cost_text, ratio_text
from bench.workspace import make_workspace
from controlplane.model import Workspace
from controlplane.replica.figures import Counted, Figures
from controlplane.rules.compile import compile_workspace
from lightbulb.ads.messages import DeltaResponse
from lightbulb.ads.server.snapshot import make_resource
from lightbulb.ads.values import CLUSTER, STAMP
from lightbulb.ads.wire import decode_delta_request, encode_delta_response
from lightbulb.model import DEFAULT_TENANT
from lightbulb.sidecar.holdings import TYPES


def test_a_small_deployment_publishes_rolls_back_and_starts_again_on_its_store(tmp_path: Path) -> None:
    setting = Setting(quick=True, cores=find_cores(), folder=tmp_path, tell=lambda _: None)
    size = Size(models=100, sidecars=5, lightbulbs=2)
    with deployment(setting, size, policy=AT_ONCE) as made:
        made.sent()
        spent = made.publish()
        assert spent["generation"] == 2
        assert all(spent[metric] > 0 for metric in ("CPU", "time", "CPU afterwards", "time until accepted"))
        sent = made.sent()
        assert sent["resources"] == 5  # the routes of one objective, to each
        rolled = made.roll_back(1)
        assert len(rolled["took"]) == 1
        assert rolled["CPU"] > 0
        started = made.shift()
        assert len(started["took"]) == 1
        before = made.pid
        made.stop()
        made.sent()
        made.start()
        made.wait_synced()
        assert made.pid != before
        assert made.sent() == {"bytes": 0, "messages": 0, "resources": 0, "streams": 5}
        assert made.resident_bytes() > 2**20


def test_relays_of_the_benchmark_tell_what_an_envoy_may_have_counted() -> None:
    told = Figures(1)
    shift = Counted(objective="Rank", shift=17, candidate="shift-17c", control="shift-17k")
    told.count([shift])
    told.take("sidecar/1", figures(told.routes, random.Random(1)), 1.0)
    arms = told.told(1.0).sum_of(shift, "one").arms
    assert arms.candidate.requests == arms.control.requests == arms.candidate.latencies.total == REQUESTS
    assert arms.candidate.bad == FAILED
    assert 40 < len(arms.candidate.latencies.bins) < 150


def response(nonce: str, *names: str, removed: tuple[str, ...] = ()) -> bytes:
    resources = tuple(make_resource(name, name.encode()) for name in names)
    message = DeltaResponse(
        type_url=CLUSTER, nonce=nonce, resources=resources, removed=removed, stamp="store:7"
    )
    return encode_delta_response(message)


def test_a_sidecar_that_connects_again_says_what_it_holds_and_what_it_saw() -> None:
    sidecar = Sidecar("one", EVERYTHING)
    count, ack = sidecar.take(response("1", "a", "b"))
    assert count == 2
    assert decode_delta_request(ack).nonce == "1"
    assert sidecar.take(response("2", "c", removed=("a",)))[0] == 2
    first, *others = map(decode_delta_request, sidecar.first_requests())
    assert first.node is not None
    assert first.node.metadata[STAMP] == "store:7"
    assert [each.type_url for each in (first, *others)] == list(TYPES)
    assert first.initial_versions == {name: make_resource(name, name.encode()).version for name in "bc"}
    assert not any(each.initial_versions for each in others)


def test_sidecars_that_hold_the_same_share_it() -> None:
    one, other = Sidecar("one", EVERYTHING), Sidecar("other", EVERYTHING)
    one.take(response("1", "a"))
    other.take(response("9", "a"))
    assert one.held[CLUSTER] is other.held[CLUSTER]


def test_one_objective_differs_from_revision_to_revision() -> None:
    one, other = (compile_workspace(make_workspace(100, revision)) for revision in (1, 2))
    changed = [a.objective for a, b in zip(one.tables, other.tables, strict=True) if a != b]
    assert len(changed) == 1


def test_a_meter_knows_afterwards_what_was_used_by_when() -> None:
    with Meter(os.getpid()) as meter:
        began = time.time()
        spent = time.process_time()
        while time.process_time() - spent < 0.1:  # of the processor, however much of it others take
            pass
        busy = time.time()
        threading.Event().wait(0.1)
        rest = time.time()
    used, idle = meter.cpu_at(busy) - meter.cpu_at(began), meter.cpu_at(rest) - meter.cpu_at(busy)
    assert 0 <= idle < used
    assert meter.cpu_at(0) <= meter.cpu_at(began) <= meter.cpu_at(rest) <= cpu_seconds(os.getpid())


def test_a_process_has_memory() -> None:
    assert resident_bytes(os.getpid()) > 2**20


def test_a_cost_may_be_compared_with_one_that_never_changes_and_be_nothing(tmp_path: Path) -> None:
    measured = Measured({"ours": ({"CPU": 0.5, "resources": 0.0}, {"CPU": 2.0, "resources": 0.0})})
    beside = measured.with_costs(A_SECOND, {"CPU": 1.0, "resources": 40.0})
    assert beside.compare("ours", A_SECOND, "CPU").ratios == (0.5, 2.0)
    nothing = beside.compare("ours", A_SECOND, "resources", unit="", goal=0)
    assert ratio_text(nothing.ratio) == "0"
    assert cost_text(nothing.baseline_cost, nothing.unit) == "40"
    report = Report(name="zero", title="Nothing", comparisons=(nothing,), seconds=1.0)
    assert save(report, tmp_path).read_bytes().startswith(b"\x89PNG")


def test_two_tenants_of_the_benchmark_share_no_name() -> None:
    fleet = {"fleet.yaml": FLEET.encode()}
    own, others = (
        compile_workspace(Workspace(files={**workspace_of(tenant, 1), **fleet}))
        for tenant in (DEFAULT_TENANT, ASIDE)
    )
    assert len(own.models) == len(others.models) == MODELS
    assert not {model.name for model in own.models} & {model.name for model in others.models}
    assert not {table.objective for table in own.tables} & {table.objective for table in others.tables}
    assert all(model.name.startswith("aside-") for model in others.models)
    assert all(table.objective.startswith("Aside") for table in others.tables)
