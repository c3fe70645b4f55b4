"""Proxies of the environment that lead nowhere: every command works as without them.

That all processes do is seen in test_demo.py.
"""

import os

import pytest

from lightbulb.client import BlockingLightbulbClient, RequestContext
from lightbulb.errors import Unavailable
from tests.e2e.conftest import Up

pytestmark = pytest.mark.envoy

USER = ("PaymentFraudDetection", "--user", "user-3")


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("history",),
        ("events",),
        ("diff", "1", "1"),
        ("pin", "1"),
        ("publish", "RULES"),
        ("resolve", *USER),
        ("explain", *USER),
        ("infer", *USER),
        ("health", "LIGHTBULB"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_reaches_what_it_asks(up: Up, proxies: None, command: tuple[str, ...]) -> None:
    named = {"RULES": str(up.rules), "LIGHTBULB": up.lightbulb}
    where = {
        "resolve": ("--lightbulb", up.lightbulb),
        "explain": ("--lightbulb", up.lightbulb),
        "infer": ("--lightbulb", up.lightbulb, "--sidecar-address", up.sidecar),
        "health": (),
    }.get(command[0], ("--control-plane", up.control_plane))
    result = up.run(*(named.get(word, word) for word in command), *where)
    assert (result.returncode, result.stderr) == (0, "")


def test_who_asks_for_the_proxy_gets_it(up: Up, proxies: None) -> None:
    user = RequestContext(user_id="u")
    with BlockingLightbulbClient(up.lightbulb) as direct:
        assert direct.resolve(USER[0], user).routing_key
    with (
        BlockingLightbulbClient(up.lightbulb, proxy=True) as through,
        pytest.raises(Unavailable, match=os.environ["http_proxy"].removeprefix("http://")),
    ):
        through.resolve(USER[0], user)
