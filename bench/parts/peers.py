"""Others that answer in process, from rules at hand: what `client_resolve` is compared with.

Each has one flag like the objective that is asked for: two conditions that may hold, a test of two halves for
who meets them, and of the rest a tenth that gets the second model. Each is asked by its public call, for a
new user each time, and sends nothing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lightbulb.model import RequestContext

Ask = Callable[[RequestContext], object]
"""Context -> the model's name."""

COUNTRIES = ["US", "NO"]
DEVICES = ["tv-roku", "web"]
MODELS = ["one", "two"]
FLAG = "Rank"
NOWHERE = "http://127.0.0.1:1"


@contextlib.contextmanager
def launchdarkly(_: Path) -> Iterator[Ask]:
    from ldclient import Context, LDClient
    from ldclient.config import Config
    from ldclient.integrations.test_data import TestData

    data = TestData.data_source()
    tests = [
        {"attribute": "country", "op": "in", "values": COUNTRIES},
        {"attribute": "device", "op": "in", "values": DEVICES},
    ]
    data.update(data.flag(FLAG).variations(*MODELS))
    flag = data._current_flags  # the builder has no rollouts: they are put into what it made
    flag[FLAG] |= {
        "salt": "ab",
        "rules": [{"id": "test", "clauses": tests, "rollout": _rollout(50_000)}],
        "fallthrough": {"rollout": _rollout(90_000)},
    }
    client = LDClient(Config("key", update_processor_class=data, send_events=False))
    try:

        def ask(who: RequestContext) -> object:
            context = Context.builder(who.user_id).set("country", who.country).set("device", who.device)
            return client.variation(FLAG, context.build(), "")

        yield ask
    finally:
        client.close()


def _rollout(first: int) -> Mapping[str, Any]:
    weights = (first, 100_000 - first)
    return {"variations": [{"variation": each, "weight": of} for each, of in enumerate(weights)]}


@contextlib.contextmanager
def growthbook(_: Path) -> Iterator[Ask]:
    from growthbook import GrowthBook

    split = {"variations": MODELS, "hashAttribute": "id", "coverage": 1}
    condition = {"country": {"$in": COUNTRIES}, "device": {"$in": DEVICES}}
    rules = [
        {**split, "key": "ab", "condition": condition, "weights": [0.5, 0.5]},
        {**split, "key": "shift", "weights": [0.9, 0.1]},
    ]
    client = GrowthBook(features={FLAG: {"defaultValue": MODELS[0], "rules": rules}})

    def ask(who: RequestContext) -> object:
        client.set_attributes({"id": who.user_id, "country": who.country, "device": who.device})
        return client.get_feature_value(FLAG, "")

    yield ask
    client.destroy()


@contextlib.contextmanager
def flagd(folder: Path) -> Iterator[Ask]:
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType
    from openfeature.evaluation_context import EvaluationContext

    condition = {"and": [{"in": [{"var": "country"}, COUNTRIES]}, {"in": [{"var": "device"}, DEVICES]}]}
    test, shift = ({"fractional": [["one", of], ["two", 100 - of]]} for of in (50, 90))
    flag = {
        "state": "ENABLED",
        "variants": {name: name for name in MODELS},
        "defaultVariant": MODELS[0],
        "targeting": {"if": [condition, test, shift]},
    }
    flags = folder / "flagd.json"
    flags.write_text(json.dumps({"flags": {FLAG: flag}}))
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(flags))
    provider.initialize(EvaluationContext())
    try:

        def ask(who: RequestContext) -> object:
            context = EvaluationContext(who.user_id, {"country": who.country, "device": who.device})
            return provider.resolve_string_details(FLAG, "", context).value

        yield ask
    finally:
        provider.shutdown()


@contextlib.contextmanager
def unleash(folder: Path) -> Iterator[Ask]:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    constraints = [
        {"contextName": name, "operator": "IN", "values": values}
        for name, values in (("country", COUNTRIES), ("device", DEVICES))
    ]
    strategies = [
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "100", "stickiness": "userId", "groupId": group},
            "constraints": wanted,
            "variants": [
                {"name": name, "weight": weight, "stickiness": "userId"}
                for name, weight in zip(MODELS, weights, strict=True)
            ],
        }
        for group, wanted, weights in (("ab", constraints, (500, 500)), ("shift", [], (900, 100)))
    ]
    feature = {"name": FLAG, "type": "experiment", "enabled": True, "strategies": strategies, "variants": []}
    cache = FileCache("bench", directory=str(folder))
    cache.bootstrap_from_dict({"version": 1, "features": [feature]})
    client = UnleashClient(NOWHERE, "bench", cache=cache, disable_metrics=True, disable_registration=True)
    client.initialize_client(fetch_toggles=False)
    try:

        def ask(who: RequestContext) -> object:
            properties = {"country": who.country, "device": who.device}
            return client.get_variant(FLAG, {"userId": who.user_id, "properties": properties})["name"]

        yield ask
    finally:
        client.destroy()


_PEERS: Mapping[str, tuple[str, Callable[[Path], contextlib.AbstractContextManager[Ask]]]] = {
    "LaunchDarkly": ("ldclient", launchdarkly),
    "GrowthBook": ("growthbook", growthbook),
    "flagd in process": ("openfeature.contrib.provider.flagd", flagd),
    "Unleash": ("UnleashClient", unleash),
}


@contextlib.contextmanager
def peers(folder: Path, tell: Callable[[str], None]) -> Iterator[Mapping[str, Ask]]:
    """Give those that are installed."""
    logging.getLogger("ldclient").setLevel(logging.ERROR)
    with contextlib.ExitStack() as opened:
        found = {}
        for name, (module, peer) in _PEERS.items():
            if _is_there(module):
                found[name] = opened.enter_context(peer(folder))
            else:
                tell(f"{name} isn't installed (requirements/peers.txt)")
        yield found


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it is in
        return False
