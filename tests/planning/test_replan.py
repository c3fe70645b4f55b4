"""A tenant's plan on another fleet: its models are what they were."""

from controlplane.model import Location, Platform, Shard, Tenant, Workspace
from controlplane.planning.plan import make_plan
from controlplane.planning.replan import rules_of
from controlplane.rules.compile import compile_workspace

FILES = {
    "objectives.yaml": "objectives:\n  - {name: Checkout, input_type: PAYMENT, owner: pay, deadline: 10ms}\n",
    "models.yaml": "models:\n"
    '  - {name: pay, version: "1", memory: 10MiB, facts: [cards], depends_on: [words@1], load_timeout: 10m}\n'
    '  - {name: words, version: "1", memory: 5MiB, load_timeout: 2h}\n',
    "experiments.yaml": "experiments: []\n",
    "fleet.yaml": "shards:\n  - {name: a, vip: vip-a, memory: 1GiB}\n",
    "rules.js": "function defineCheckoutRule() { return {\n"
    '  targetObjectives: ["Checkout"], modelInputType: "PAYMENT", modelType: "SCORER",\n'
    '  defaultModel: {name: "pay"}}; }\n',
}


def test_a_model_that_is_planned_anew_has_all_that_its_tenant_said_of_it() -> None:
    files = {path: text.encode() for path, text in FILES.items()}
    before = make_plan(compile_workspace(Workspace(files=files)))
    where = Location(file="", line=0)
    platform = Platform(
        shards=(Shard(name="b", vip="vip-b", memory_mib=1024, location=where),),
        tenants=(Tenant(name="payments", owner="pay", location=where),),
    )
    after = make_plan(rules_of(before, platform, "payments"))
    (old,), (new,) = before.assignments, after.assignments
    assert (old.shard, new.shard) == ("a", "b")
    assert new.models == old.models
    assert any(model.load_timeout and model.facts and model.depends_on for model in new.models)
    assert after.tables == before.tables
