"""Guards by their texts: what they mean, and what is said of those that can't be judged."""

import pytest

from controlplane.lifecycle.guards import BadGuards, Guard, Guards, Kind, parse_guard, parse_guards


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        ("errors:1.25x", Guard(kind=Kind.ERRORS, margin=1.25)),
        ("errors:0.5%", Guard(kind=Kind.ERRORS, bound=0.005)),
        ("p99:1.2x", Guard(kind=Kind.SLOW, quantile=0.99, bound=0.01, margin=1.2)),
        (
            "p99.9:250ms",
            Guard(kind=Kind.SLOW, quantile=0.999, bound=0.001, threshold=250_000, asked=250_000.0),
        ),
        ("p50:1.5s", Guard(kind=Kind.SLOW, quantile=0.5, bound=0.5, threshold=1_500_000, asked=1_500_000.0)),
        ("p90:800us", Guard(kind=Kind.SLOW, quantile=0.9, bound=0.1, threshold=800, asked=800.0)),
        ("agreement:0.9", Guard(kind=Kind.AGREEMENT, bound=0.1)),
    ],
)
def test_a_guard_is_what_its_text_says_and_says_it_again(text: str, guard: Guard) -> None:
    assert parse_guard(text) == guard
    assert str(guard) == text
    assert not guard.note


def test_a_bound_of_latency_is_rounded_up_to_an_edge_that_envoy_counts_at_and_says_so() -> None:
    guards = parse_guards(["p99:251ms", "errors:1%"])
    assert guards.each[0].threshold == 260_000
    assert guards.notes == (
        "p99:251ms is judged as 260ms, the next edge of the bins that Envoy counts durations in",
    )
    assert parse_guard(str(guards.each[0])) == guards.each[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("errors", "is no guard; write errors:1.25x"),
        ("errors:-1%", "is no guard; write errors:1.25x"),
        ("errors:5", "errors are a share; write errors:1.25x"),
        ("errors:0.9x", "a margin is from 1x to 10x"),
        ("errors:0%", "a bound of errors is from 0.001% to 50%"),
        ("errors:60%", "a bound of errors is from 0.001% to 50%"),
        ("p99:250", "a latency has a unit; write p99:1.2x to compare with the control arm, or p99:250ms"),
        ("p99:1.05x", "a margin is from 1.1x to 10x, since Envoy's bins are up to 10 % wide"),
        ("p99:0.9x", "a margin is from 1.1x to 10x"),
        ("p99:0.4us", "Envoy's bins tell from 1 µs to 1 h"),
        ("p99:3601s", "Envoy's bins tell from 1 µs to 1 h"),
        ("p20:1s", "a quantile is from p50 to p99.99"),
        ("p100:1s", "nothing is known of 'p100'"),
        ("agreement:1.1x", "agreement is a share from 0.5 to 1; write agreement:0.9"),
        ("agreement:1", "a bound of agreement is from 0.5 to 0.99999"),
        ("cost:1x", "nothing is known of 'cost'; write errors:1.25x"),
        (f"errors:{'9' * 4000}x", "is no guard"),
    ],
)
def test_a_guard_that_cant_be_judged_is_refused_with_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(BadGuards) as refused:
        parse_guard(text)
    assert problem in str(refused.value)
    assert len(str(refused.value)) < 200


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(BadGuards) as refused:
        parse_guards(
            ["errors:1.25x", "errors:1.5x", "p99:1.2x", "agreement:0.9", "x"],
            alpha=0.5,
            interval=0.0,
            control=False,
        )
    usual = "a request that failed, 10 s is usual"
    alone = "there is no control arm to compare with; write a bound, as"
    assert refused.value.problems == (
        "'x': is no guard; write errors:1.25x, errors:0.5%, p99:1.2x, p99:250ms or agreement:0.9",
        f"errors:1.25x: {alone} errors:0.5%, or shift step by step",
        f"errors:1.5x: {alone} errors:0.5%, or shift step by step",
        f"p99:1.2x: {alone} p99:250ms, or shift step by step",
        "agreement:0.9: a default is compared with no other model; guard a shift to it, or leave it out",
        "alpha 0.5: the chance of a false alarm is from 0.000001 to 0.2; 0.01 is usual",
        f"interval 0 s: from 1 to 600 s; longer than your clients go on repeating {usual}",
        "errors:1.25x, errors:1.5x: errors is guarded more than once; keep one of them",
    )


def test_a_margin_and_a_bound_of_the_same_may_guard_a_shift_together() -> None:
    guards = parse_guards(["errors:1.25x", "errors:5%"], alpha=0.02)
    assert guards.alpha_of_each == 0.01
    assert Guards().alpha_of_each == 0.01


@pytest.mark.parametrize("alpha", [0.0, -1.0, 1.0, float("nan")])
def test_alpha_is_a_small_chance(alpha: float) -> None:
    with pytest.raises(BadGuards, match="chance of a false alarm"):
        parse_guards(["errors:1.25x"], alpha=alpha)


def test_a_sample_is_at_least_one_request() -> None:
    with pytest.raises(BadGuards, match=r"errors:1\.25x: a sample is from 1 to 10,000,000 requests, not 0"):
        parse_guards(["errors:1.25x"], min_sample=0)


@pytest.mark.parametrize(
    "parts",
    [
        {"kind": Kind.ERRORS},
        {"kind": Kind.ERRORS, "margin": 1.2, "bound": 0.1},
        {"kind": Kind.ERRORS, "bound": 0.1, "threshold": 100},
        {"kind": Kind.AGREEMENT, "margin": 1.2},
        {"kind": Kind.SLOW, "bound": 0.01, "quantile": 0.99},
        {"kind": Kind.SLOW, "bound": 0.01, "quantile": 0.99, "threshold": 251},
        {"kind": Kind.ERRORS, "margin": float("nan")},
    ],
)
def test_a_guard_that_cant_be_judged_cant_be_made(parts: dict[str, object]) -> None:
    with pytest.raises(BadGuards):
        Guard(**parts)  # type: ignore[arg-type]
