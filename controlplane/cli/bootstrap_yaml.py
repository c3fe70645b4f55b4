"""An Envoy bootstrap as a YAML file for people to edit: what to change, and why the rest is so. Pure."""

from __future__ import annotations

from textwrap import indent

import yaml

from controlplane.cli.options import Address
from lightbulb.sidecar.bootstrap import SidecarSettings, bootstrap_sections

_WITH_RELAY = """\
Bootstrap of an Envoy of your own, beside Lightbulb's relay. Start the relay beside it, as the same user:

  lightbulb sidecar --relay-only --node-id {node_id} --listen {listen} \\
    --relay-socket {socket} --control-plane HOST:PORT --state-dir FOLDER

`lightbulb sidecar bootstrap` prints this file. Its options set what is marked EDIT."""

_WITHOUT_RELAY = """\
Bootstrap of an Envoy of your own that speaks to the control plane itself, without a relay. It keeps nothing
on disk: to restart it needs a control plane. docs/operator.md, "Your own Envoy", says what else is lost.

`lightbulb sidecar bootstrap --without-relay` prints this file. Its options set what is marked EDIT."""

_NODE = """\
EDIT id: each sidecar has its own. `lightbulb status` shows it; clients name it as their `sidecar`.
EDIT listen_address and listen_port: where Envoy takes requests. The control plane makes its listener so.
Add client, the name of the client service: without it requests are those of a client called as the node."""

_NODE_WITH_RELAY = """\
EDIT id: each sidecar has its own. `lightbulb status` shows it; clients name it as their `sidecar`.
EDIT listen_address and listen_port: where Envoy takes requests.
Give the relay the same as --node-id and --listen, and --client, the client service's name: it is the relay
that tells the control plane."""

_ADMIN = """\
EDIT address: whoever reaches it can stop this Envoy, so keep it on loopback."""

_CONTROL_PLANE = """\
EDIT lb_endpoints: one for each replica of the control plane. With a DNS name among them, type is STRICT_DNS.
Keepalive finds a connection that is dead within 15 s; Envoy then takes another replica."""

_RELAY = """\
EDIT path: the relay's --relay-socket.
Keepalive finds a connection that is dead within 15 s."""

_ADS = """\
Delta ADS for everything. Fetching has no time-out (0s): a cold Envoy isn't ready before it has clusters, a
listener and routes, so that it never answers for lack of them."""

_FLUSH = """\
Histograms are up to date whenever they are asked for."""

_STATS = """\
What an operator looks at, and what figures are made of (lightbulb.). Each other statistic would cost memory
in every cluster."""


def bootstrap_yaml(settings: SidecarSettings) -> str:
    """Return the bootstrap as YAML, with comments that say what to edit."""
    socket = settings.control_plane
    if isinstance(socket, tuple):
        head, node, source = _WITHOUT_RELAY, _NODE, _CONTROL_PLANE
    else:
        listen = Address(*settings.listen)
        head = _WITH_RELAY.format(node_id=settings.node_id, listen=listen, socket=socket)
        node, source = _NODE_WITH_RELAY, _RELAY
    comments = {
        "node": node,
        "admin": _ADMIN,
        "static_resources": source,
        "dynamic_resources": _ADS,
        "stats_flush_on_admin": _FLUSH,
        "stats_config": _STATS,
    }
    sections = (
        f"{_comment(comments[name])}\n{yaml.safe_dump({name: section}, sort_keys=False, width=110)}"
        for name, section in bootstrap_sections(settings).items()
    )
    return "\n".join([f"{_comment(head)}\n", *sections])


def _comment(text: str) -> str:
    return indent(text, "# ", lambda _: True).replace("# \n", "#\n")
