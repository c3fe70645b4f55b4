"""`lightbulb shift start`, `hold`, `resume`, `step`, `finish` and `abort`."""

from __future__ import annotations

from collections.abc import Callable

import click

from controlplane.cli.control_options import MODEL, SCHEDULE, SHARE, Model, control_options
from controlplane.cli.extras import needs
from controlplane.cli.options import DURATION, Address
from controlplane.cli.variables import option

OBEYED = "every Lightbulb obeys"


class ShiftGroup(click.Group):
    """`lightbulb shift OBJECTIVE …` is `lightbulb shift start OBJECTIVE …`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in what was left out. Raises click.UsageError for a verb that there isn't."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            if len(args) > 1 and not args[1].startswith("-"):
                verbs = ", ".join(sorted(self.commands))
                raise click.UsageError(f"{args[0]!r} can't be done to a shift: there are {verbs}", ctx)
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ShiftGroup)
def shift() -> None:
    """Move a share of an objective's users to another model, and back at once.

    A shift is laid over whichever generation is active; it is no publish, and needs none.
    """


@shift.command()
@control_options(OBEYED)
@option("--to", type=MODEL, required=True, help="The model that users are moved to.")
@option("--percent", type=SHARE, help="The share of the users; two decimals at most.")
@option("--schedule", type=SCHEDULE, help="Several shares, each more than the one before: 5,25,50,100.")
@option("--every", type=DURATION, help="How long each step lasts at least: 30m.  [default: steps by hand]")
@option(
    "--guard",
    multiple=True,
    metavar="NAME:LIMIT",
    help="Undo it when the model exceeds this: errors:1.25x, errors:0.5%, p99:1.2x or p99:250ms. "
    "agreement:0.9 moves nobody before answers of its shadow agree. Repeatable.",
)
@option(
    "--alpha",
    type=click.FloatRange(0, min_open=True),
    help="Chance that guards undo a good model; they share it.  [default: 0.01]",
)
@option(
    "--interval",
    type=DURATION,
    help="What guards judge as one; longer than clients repeat a failed request.  [default: 10s]",
)
@option("--min-sample", type=click.IntRange(1), help="Requests before a step.  [default: 100]")
def start(  # noqa: PLR0913 - one argument an option
    *,
    objective: str,
    to: Model,
    percent: int | None,
    schedule: tuple[int, ...] | None,
    every: float | None,
    guard: tuple[str, ...],
    alpha: float | None,
    interval: float | None,
    min_sample: int | None,
    tenant: str,
    control_plane: tuple[Address, ...],
    wait: float,
    message: str,
    author: str,
) -> None:
    """Move a share of OBJECTIVE's users to another model, which a rule of it names.

    Users are dealt out by a hash of their id and the model: the same ones stay with it as the share grows,
    and another shift takes others first. The shift stands in place of the rules' own. Start it again, with
    more, to go on.

    Exits 0 once every Lightbulb obeys, and 1, naming the others, when that isn't so in time.
    """
    if (percent is None) == (schedule is None):
        raise click.UsageError("say --percent, or else --schedule with several")
    if every is not None and schedule is None:
        raise click.UsageError("--every needs a --schedule, as 5,25,50,100")
    if not guard and (alpha, interval, min_sample) != (None, None, None):
        raise click.UsageError("--alpha, --interval and --min-sample need a --guard, as errors:1.25x")
    with needs("cli"):
        from controlplane.cli.actions import shift as action
        from controlplane.cli.actions.control import Wanted

    steps = schedule if schedule is not None else (percent or 0,)
    wanted = Wanted(objective, tenant, message, author, wait)
    asked = action.Asked(
        to=to,
        steps=steps,
        every=every or 0.0,
        guards=guard,
        alpha=alpha or 0.0,
        interval=interval or 0.0,
        min_sample=min_sample or 0,
    )
    action.start(control_plane, wanted, asked)


def _verb(name: str, text: str) -> Callable[..., None]:
    def run(  # noqa: PLR0913 - one argument an option
        *,
        objective: str,
        tenant: str,
        control_plane: tuple[Address, ...],
        wait: float,
        message: str,
        author: str,
    ) -> None:
        with needs("cli"):
            from controlplane.cli.actions import shift as action
            from controlplane.cli.actions.control import Wanted

        action.act(control_plane, Wanted(objective, tenant, message, author, wait), name)

    run.__doc__ = text
    command: Callable[..., None] = shift.command(name)(control_options(OBEYED)(run))
    return command


hold = _verb("hold", "Take no step of OBJECTIVE's shift by itself, until it is resumed.")
resume = _verb("resume", "Let OBJECTIVE's shift go on: where it stands lasts as long as a step from now on.")
step = _verb("step", "Take the next step of OBJECTIVE's shift now.")
finish = _verb(
    "finish",
    """Give OBJECTIVE's new model to everybody, until its rules do.

    It prints what to change in the rules. A publish with the model as the default ends the shift.
    """,
)
abort = _verb(
    "abort",
    """Take OBJECTIVE's new model away from everybody, at once.

    Once no Lightbulb hands it out any more, sidecars refuse its routing key for as long as clients may hold
    it; those ask again, and are answered otherwise. So not one request more comes to it; unless the rules
    lead there too.
    """,
)
