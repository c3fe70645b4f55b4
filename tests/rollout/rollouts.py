"""Generations and states of a rollout to test with."""

from dataclasses import replace

from controlplane.model import Plan, RoutingRule, ShardAssignment
from controlplane.rollout.advance import Progress
from controlplane.rollout.failure import Laggard, Refusal
from controlplane.rollout.lanes import Lanes
from controlplane.rollout.state import UNDER_WAY, Generation, Moment, Phase, Policy, Rollout
from lightbulb.ads.values import MODEL_ASSIGNMENT
from lightbulb.model import DEFAULT_TENANT, ModelAssignment
from tests.lightbulb.tables import TABLE

POLICY = Policy(
    loading=10, routing=5, unload=2, margin=1, reconnect=3, lease=100, window=2, max_unavailable=0.1
)
DONE = Progress(total=20)


def laggards(count: int) -> tuple[Laggard, ...]:
    return tuple(Laggard(consumer_kind="sidecar", consumer_id=f"s{number}") for number in range(count))


LAGGING = Progress(total=20, lagging=laggards(2)[1:])
MANY_LAGGING = Progress(total=20, lagging=laggards(10))
REFUSAL = Refusal(
    consumer_kind="host",
    consumer_id="h1",
    resource_type=MODEL_ASSIGNMENT,
    resource="m@2",
    reason="no such fact",
)
REFUSED = Progress(total=20, refused=(REFUSAL,))
KEEP_OLD = 60.0 + 0.25 + 1
"""The table's cache lifetime, its deadline, the margin."""


def at(now: float, version: int = 1) -> Moment:
    return Moment(now, version)


def plan(number: int, vip: str = "a", objective: str = "o") -> Plan:
    """A key and a model of its own, and a key and a model that every plan of the objective has."""
    models = tuple(
        ModelAssignment(name=name, version=version, memory_mib=10)
        for name, version in (("m", str(number)), ("same", "1"))
    )
    return Plan(
        tables=(TABLE,),
        routes=(
            RoutingRule(objective=objective, key=f"{objective}|m|{number}", vip=vip),
            RoutingRule(objective=objective, key=f"{objective}|same|1", vip=vip),
        ),
        assignments=(ShardAssignment(shard=f"shard-{vip}", vip=vip, memory_mib=100, models=models),),
    )


def generation(number: int, vip: str = "a") -> Generation:
    return Generation(number=number, content_hash=f"hash-{number}", plan=plan(number, vip))


def alone(state: Rollout) -> Lanes:
    """The lanes of a company with one tenant."""
    return Lanes({DEFAULT_TENANT: state})


def rollout(phase: Phase = Phase.SETTLED, **changes: object) -> Rollout:
    """Generations 1 and 2 are live, 2 is active; with a target, 3."""
    target = 3 if phase in UNDER_WAY else 0
    start = Rollout(phase=phase, entered=0.0, active=2, oldest=2, target=target, live=(1, 2), held=(2,))
    return replace(start, **changes)
