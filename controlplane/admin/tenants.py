"""Whether there is a tenant, and who may publish for it. Pure."""

from __future__ import annotations

from controlplane.admin.commits import Caller
from controlplane.model import PLATFORM, Platform
from controlplane.replica.replica import StoreView
from controlplane.rollout.operations import NotAPublisher, OfAnotherTenant, Refused, UnknownTenant
from controlplane.rollout.state import Generation
from controlplane.rules.yaml_file import suggest
from lightbulb.model import DEFAULT_TENANT


class NoRolloutOfPlatform(Refused):
    """Something that only a tenant has was asked of the platform."""


def is_known(known: StoreView, tenant: str) -> bool:
    """Say whether there is a tenant, or was one until lately: its rollout is still ending."""
    return tenant in named(known.platform) or known.lanes.of(tenant) is not None


def named(platform: Platform | None) -> frozenset[str]:
    """Return the tenants that there are to be."""
    return frozenset({DEFAULT_TENANT} if platform is None else (each.name for each in platform.tenants))


def check_tenant(platform: Platform | None, tenant: str) -> None:
    """Raise UnknownTenant, or NoRolloutOfPlatform for the platform's own name."""
    if tenant == PLATFORM:
        raise NoRolloutOfPlatform(
            "the platform has no rollout, for its generations are shown to nobody: to go back to one, "
            "publish its files again; `lightbulb history --tenant platform` has them, and `lightbulb status` "
            "the tenants"
        )
    if tenant in named(platform):
        return
    if platform is None:
        raise UnknownTenant(
            f"there is no tenant {tenant}: publish the platform's fleet.yaml and tenants.yaml "
            "first, with --tenant platform"
        )
    raise UnknownTenant(f"there is no tenant {tenant}; {suggest(tenant, sorted(named(platform)))}")


def check_publisher(platform: Platform | None, caller: Caller) -> None:
    """Raise UnknownTenant or NotAPublisher."""
    check_tenant(platform, caller.tenant)
    tenant = platform.tenant(caller.tenant) if platform is not None else None
    if tenant is not None and tenant.publishers and caller.author not in tenant.publishers:
        raise NotAPublisher(
            f"{caller.author or 'nobody'} isn't among the publishers of {tenant.name}; ask {tenant.owner}"
        )


def check_comparable(one: Generation, other: Generation) -> None:
    """Raise OfAnotherTenant unless it means something to say what differs between two generations."""
    for each in (one, other):
        if each.platform is not None:
            raise OfAnotherTenant(
                f"generation {each.number} is the platform's, which has no rules to compare; name two of one "
                "tenant's of `lightbulb history`",
                generation=each.number,
            )
    if one.tenant != other.tenant:
        raise OfAnotherTenant(
            f"generation {one.number} is tenant {one.tenant}'s, and {other.number} is {other.tenant}'s; name "
            "two of one tenant's of `lightbulb history`",
            generation=other.number,
        )
