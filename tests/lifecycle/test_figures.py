"""What a request says about the model that it was for."""

import pytest

from controlplane.lifecycle.bins import Latencies
from controlplane.lifecycle.figures import Answer, Arms, Counts, answer_of


@pytest.mark.parametrize(
    ("grpc", "flags", "answer"),
    [
        ("0", "-", Answer.GOOD),
        ("0", "", Answer.GOOD),
        ("4", "-", Answer.BAD),
        ("14", "UF,URX", Answer.BAD),
        ("", "DR", Answer.BAD),  # given up at its deadline
        ("-", "DC", Answer.BAD),  # given up by its client
        ("", "UC", Answer.BAD),  # the host ended in the middle of its answer
        ("8", "RL", Answer.LEFT_OUT),
        ("14", "UO", Answer.LEFT_OUT),
        ("", "DR,UO", Answer.LEFT_OUT),
        ("", "-", Answer.LEFT_OUT),
    ],
)
def test_a_call_that_was_given_up_is_bad_and_one_that_was_not_let_through_is_nobodys(
    grpc: str, flags: str, answer: Answer
) -> None:
    assert answer_of(grpc, flags) is answer


def test_figures_add_up_arm_by_arm() -> None:
    one = Counts(requests=5, bad=1, latencies=Latencies.of([(100, 5)]), compared=2, disagreed=0.5)
    both = Arms(candidate=one) + Arms(candidate=one, control=one)
    assert both.control == one
    assert both.candidate == Counts(
        requests=10, bad=2, latencies=Latencies.of([(100, 10)]), compared=4, disagreed=1.0
    )
