"""What operators and researchers do to a rollout: publish, roll back, pin. Pure.

Each takes the state and returns the next one. A publish or a rollback that comes while another publish is on
its way supersedes it: nothing of that one was handed out.
"""

from __future__ import annotations

from dataclasses import replace

from controlplane.rollout.failure import NOBODY_MISSING, Failure, superseded
from controlplane.rollout.state import MAX_PINNED, MAX_UNDONE, UNDER_WAY, Moment, Phase, Rollout


class Refused(Exception):
    """An operation that can't be done now; the message says why, and what to do.

    `generation` is what it is about; 0: none in particular.
    """

    def __init__(self, message: str = "", *, generation: int = 0) -> None:
        """Hold a message, and the generation that programs are told of."""
        super().__init__(message)
        self.generation = generation

    @property
    def about(self) -> dict[str, str]:
        """What the error is about, for programs."""
        return {"generation": str(self.generation)} if self.generation else {}


class NothingActive(Refused):
    """A rollback before the first generation is active."""


class NotLoaded(Refused):
    """A rollback or a pin of a generation that isn't loaded: it was let go, or never was active."""


class OnItsWay(Refused):
    """A rollback to the generation that a publish is about to make active."""


class NoOther(Refused):
    """A rollback without a number, when there is no generation to go back to."""


class Moved(Refused):
    """An operation on a generation that was the newest, and isn't any more."""


class TooManyPinned(Refused):
    """A pin when as many generations as there may be are pinned."""


class MakesRoom(Refused):
    """A pin of a generation that leaves to make room for one that waits for that."""


class NotPinned(Refused):
    """A release of a generation that isn't pinned."""


class OfAnotherTenant(Refused):
    """An operation on a generation of another tenant than the one that was named."""


class UnknownTenant(Refused):
    """A publish for a tenant that isn't there."""


class NotAPublisher(Refused):
    """A publish by somebody who isn't among a tenant's publishers."""


class BeforeHandover(Refused):
    """A rollback to a generation from before an objective came to its tenant from another."""


class NoRoom(Refused):
    """A reload of a generation that doesn't fit beside what stays loaded."""


class LayerTaken(Refused):
    """A rollback to a generation whose tests would share a layer's buckets with another tenant's."""


def publish(  # noqa: PLR0913 - two of which come together
    rollout: Rollout | None,
    target: int,
    release: tuple[int, ...] | None,
    at: Moment,
    *,
    awaits: tuple[int, ...] = (),
    awaits_until: float = 0.0,
) -> Rollout:
    """Return the rollout with `target` on its way.

    With `release` (of `releasable` or `outlived`; maybe none of them) the target isn't loaded before these,
    and all that is leaving, have made room. Those that clients may hold it waits for, and those in `awaits`,
    other tenants', until `awaits_until`. One publish after the other may supersede the one that waits: what
    is waited for goes on being counted from when it began.
    """
    if rollout is None:
        phase = Phase.WAITING if awaits else Phase.LOADING
        return Rollout(
            phase=phase,
            entered=at.now,
            target=target,
            awaits=awaits,
            awaits_until=awaits_until,
            desired_version=at.version,
        )
    before = withdraw(rollout, superseded(target), at) if rollout.target else rollout
    started = replace(before, target=target, passed_over=NOBODY_MISSING, failure=None)
    if awaits:
        waiting = replace(started, phase=Phase.WAITING, awaits=awaits, awaits_until=awaits_until)
        return replace(waiting, release=release or ())  # nothing else is shown to anybody
    if release is None:
        return replace(started, phase=Phase.LOADING, entered=at.now, desired_version=at.version)
    if not before.held_back.isdisjoint(release):
        assert before.phase is Phase.RETIRING
        return replace(started, phase=Phase.WAITING, release=release)  # nothing else is shown to anybody
    # Who comes while room is made already waits no longer than the first.
    began = rollout.entered if rollout.phase is Phase.RELEASING and not release else at.now
    return make_room(started, release, replace(at, now=began))


def make_room(rollout: Rollout, release: tuple[int, ...], at: Moment) -> Rollout:
    """Return the rollout once generations that nobody can hold leave for the target, with what leaves."""
    return replace(
        rollout,
        phase=Phase.RELEASING,
        entered=at.now,
        live=tuple(number for number in rollout.live if number not in release),
        leaving=(*rollout.leaving, *release),
        release=(),
        awaits=(),
        awaits_until=0.0,
        desired_version=at.version,
    )


def releasable(rollout: Rollout | None) -> tuple[int, ...]:
    """Return the generations that may leave to make room, the first to go first."""
    if rollout is None:
        return ()
    return tuple(
        number for number in rollout.live if number not in rollout.held and number not in rollout.pinned
    )


def outlived(rollout: Rollout | None) -> tuple[int, ...]:
    """Return the generations that may leave once clients can't hold them any more, the first to go first."""
    if rollout is None:
        return ()
    stay = {rollout.active, *rollout.pinned}
    return tuple(number for number in rollout.live if number not in stay)


def roll_back(rollout: Rollout | None, number: int, at: Moment, whole: int = 0) -> Rollout:
    """Return the rollout with a live generation active.

    0 undoes the newest publish. If that is on its way, it is withdrawn. Otherwise the generation becomes
    active that was active before, and that nobody rolled back from: pressed again, a rollback goes further
    back, never forward. What is left is marked as `undone`. To name a marked generation is to take its mark
    away: it becomes active, and what it replaces gets no mark. Those before `whole` lack what was handed to
    the tenant, which nobody would answer then: none of them becomes active.

    Returns `rollout` itself when that is so already. Raises Refused.
    """
    if rollout is None or not rollout.active:
        raise NothingActive("nothing is active yet; publish a workspace first")
    wanted = number or (rollout.active if rollout.target else _previous(rollout, whole))
    if wanted == rollout.active and not rollout.target:
        return rollout
    if wanted not in rollout.live:
        if wanted == rollout.target:
            raise OnItsWay(
                f"generation {wanted} is on its way already; see `lightbulb status`", generation=wanted
            )
        raise NotLoaded(
            f"generation {wanted} is not loaded; loaded are {_listed(rollout.live)}", generation=wanted
        )
    if wanted < whole:
        raise BeforeHandover(
            f"generation {wanted} is from before generation {whole}, with which an objective came from "
            "another tenant, and hasn't that: nobody would answer it. To load it with that beside it: "
            f"lightbulb rollback {wanted} --reload",
            generation=wanted,
        )
    before = withdraw(rollout, superseded(wanted, rollback=True), at) if rollout.target else rollout
    return activate(replace(before, undone=_marked(before, wanted)), wanted, at)


def check_newest(rollout: Rollout | None, expected: int) -> None:
    """Raise Moved unless `expected` is the newest generation: on its way, or else active.

    So two people who undo the same generation undo one, not two.
    """
    newest = rollout.newest if rollout is not None else 0
    if expected == newest:
        return
    undone = rollout is not None and expected in (*rollout.undone, rollout.withdrawn)
    why = "somebody rolled back from it already" if undone else "others changed it meanwhile"
    raise Moved(
        f"generation {expected} isn't the newest any more: {why}, and now {newest or 'none'} is. See "
        "`lightbulb status`, then decide anew",
        generation=newest,
    )


def _marked(rollout: Rollout, wanted: int) -> tuple[int, ...]:
    """Return `undone` after a rollback from what is active to `wanted`.

    Whatever was active after `wanted` was is undone with it: a later rollback must not go forward to it.
    """
    if wanted in rollout.undone:
        return tuple(each for each in rollout.undone if each != wanted)
    if wanted == rollout.active:
        return rollout.undone
    after = rollout.live[rollout.live.index(wanted) + 1 :]
    kept = tuple(each for each in rollout.undone if each not in after)
    return _bounded((*kept, *after), rollout.live)


def _bounded(undone: tuple[int, ...], live: tuple[int, ...]) -> tuple[int, ...]:
    """Return the marks without the oldest of what isn't live, where there are too many."""
    spare = [each for each in undone if each not in live]
    dropped = spare[: max(0, len(undone) - MAX_UNDONE)]
    return tuple(each for each in undone if each not in dropped)


def pin(rollout: Rollout | None, number: int) -> Rollout:
    """Return the rollout with a live generation that stays until it is unpinned. Raises Refused."""
    if rollout is None or number not in rollout.live:
        loaded = _listed(rollout.live) if rollout is not None else "none"
        raise NotLoaded(f"generation {number} is not loaded; loaded are {loaded}", generation=number)
    if number in rollout.pinned:
        return rollout
    if number in rollout.release:
        raise MakesRoom(
            f"generation {number} leaves to make room for generation {rollout.target}, which waits for that; "
            "withdraw that one first: lightbulb rollback",
            generation=number,
        )
    if len(rollout.pinned) >= MAX_PINNED:
        raise TooManyPinned(
            f"{_listed(rollout.pinned)} are pinned already; unpin one: lightbulb pin --release N"
        )
    return replace(rollout, pinned=(*rollout.pinned, number))


def unpin(rollout: Rollout | None, number: int) -> Rollout:
    """Return the rollout with a generation that leaves with the next publish. Raises Refused."""
    if rollout is None or number not in rollout.pinned:
        pinned = _listed(rollout.pinned) if rollout is not None and rollout.pinned else "none is"
        raise NotPinned(f"generation {number} is not pinned; {pinned}", generation=number)
    return replace(rollout, pinned=tuple(each for each in rollout.pinned if each != number))


def activate(rollout: Rollout, number: int, at: Moment) -> Rollout:
    """Return the rollout with `number`, which everybody routes, active.

    `oldest` is none that was rolled back from: whoever routes that, routes what was live before it too.
    """
    live, held = _moved_last(rollout.live, number), _moved_last(rollout.held, number)
    return replace(
        rollout,
        phase=Phase.RETIRING,
        entered=at.now,
        active=number,
        target=0,
        oldest=next(each for each in live if each in held and each not in rollout.undone),
        live=live,
        held=held,
        passed_over=NOBODY_MISSING,
        fence=at.version,
        desired_version=at.version,
    )


def withdraw(rollout: Rollout, failure: Failure | None, at: Moment) -> Rollout:
    """Return the rollout without its target, which nobody was told of; what was active stays so."""
    assert rollout.phase in UNDER_WAY
    ended = replace(
        rollout,
        phase=Phase.RETIRING,
        target=0,
        release=(),
        awaits=(),
        awaits_until=0.0,
        failure=failure,
        withdrawn=rollout.target,
    )
    if rollout.phase is Phase.WAITING:
        return ended  # nothing was shown to anybody: what was waited for goes on
    # Once it is routed somewhere, hosts keep its models until the sidecars have let go.
    routed = (rollout.target,) if rollout.phase is Phase.ROUTING else ()
    return replace(ended, entered=at.now, leaving=(*rollout.leaving, *routed), desired_version=at.version)


def _previous(rollout: Rollout, whole: int) -> int:
    loaded = [number for number in rollout.live if number != rollout.active]
    others = [number for number in loaded if number not in rollout.undone and number >= whole]
    if not others and any(number not in rollout.undone for number in loaded):
        raise NoOther(
            f"generation {rollout.active} is active, and the others that are loaded were rolled back from, "
            f"or are from before generation {whole}, with which an objective came from another tenant: "
            f"{_listed(tuple(loaded))}. To load one with that beside it: lightbulb rollback N --reload",
            generation=rollout.active,
        )
    if loaded and not others:
        raise NoOther(
            f"generation {rollout.active} is active, and the others that are loaded were rolled back from: "
            f"{_listed(tuple(loaded))}. To make one of them active all the same, name it: "
            "lightbulb rollback N",
            generation=rollout.active,
        )
    if not others:
        # The one that was published first has none before it.
        remedy = "; name one of `lightbulb history`, and add --reload" if rollout.active > 1 else ""
        raise NoOther(f"no generation but {rollout.active} is loaded{remedy}", generation=rollout.active)
    return others[-1]


def _moved_last(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    return (*(each for each in numbers if each != number), number)


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "none"
