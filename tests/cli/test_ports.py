"""An address that can't be listened on, or is given twice, is named with the flag that it was given by."""

import socket

from controlplane.cli.options import Address
from controlplane.cli.ports import why_not
from controlplane.cli.processes import free_ports


def test_an_address_that_is_given_twice_is_a_problem_whatever_the_flags() -> None:
    (port,) = free_ports(1)
    address, flag = Address("127.0.0.1", port), "--first-host"
    (problem,) = why_not([(address, flag), (Address("127.0.0.1", port), flag)])
    assert problem.startswith(f"{flag} and {flag} are both {address}")
    (problem,) = why_not([(address, flag), (address, "--sidecar")])
    assert problem.startswith(f"{flag} and --sidecar are both {address}")


def test_one_that_is_listened_on_or_that_nobody_could_know_is_a_problem() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        taken = Address("127.0.0.1", listening.getsockname()[1])
        problems = why_not([(taken, "--sidecar"), (Address("127.0.0.1", 0), "--redis")])
    busy, unknown = problems
    assert busy.startswith(f"can't listen on {taken} (Address already in use")
    assert busy.endswith("; choose another with --sidecar")
    assert unknown == (
        "can't listen on 127.0.0.1:0 (the other processes must know the port); choose another with --redis"
    )
    assert why_not([(taken, "--sidecar")]) == ()
