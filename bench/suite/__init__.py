"""The benchmarks, one a module, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.contest import Setting
from bench.result import Comparison
from bench.suite import (
    ads_push,
    batch_resolve,
    client_resolve,
    compile_and_plan,
    counted,
    crowd,
    envoy_lookup,
    guards,
    incremental,
    lightbulb_unary,
    publish_to_active,
    relay,
    resolve_core,
    restart,
    rollback,
    shadows,
    shifts,
    tenants,
    tenants_apart,
    walk,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """`title` says in a line what is compared."""

    title: str
    run: Callable[[Setting], tuple[Comparison, ...]]


BENCHMARKS: Mapping[str, Benchmark] = {
    module.__name__.rpartition(".")[2]: Benchmark(title=module.TITLE, run=module.run)
    for module in (
        resolve_core,
        client_resolve,
        lightbulb_unary,
        batch_resolve,
        compile_and_plan,
        incremental,
        walk,
        envoy_lookup,
        counted,
        shadows,
        ads_push,
        relay,
        publish_to_active,
        rollback,
        shifts,
        restart,
        tenants,
        crowd,
        tenants_apart,
        guards,
    )
}
