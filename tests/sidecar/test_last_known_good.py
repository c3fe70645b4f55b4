"""A sidecar that starts while the control plane is down, from what its relay kept on disk, if anything."""

from dataclasses import replace

import pytest

from controlplane.cli.processes import free_ports
from lightbulb.ads.client.last_known_good import encode
from lightbulb.ads.server.snapshot import Snapshot
from lightbulb.ads.values import CLUSTER
from tests.sidecar.lab import KEY, OTHER, UPDATES, RelayLab, on, unbuildable, with_cluster
from tests.waiting import until

pytestmark = pytest.mark.envoy


def down_after(lab: RelayLab, snapshot: Snapshot) -> None:
    """Have had `snapshot`, then lose the control plane, and have the relay and Envoy end."""
    lab.start(snapshot)
    lab.plane.stop()
    lab.sidecar.stop()
    lab.stop_relay()


def start_again(lab: RelayLab) -> None:
    lab.start_relay()
    lab.sidecar.start()


def test_a_sidecar_starts_from_disk_without_a_control_plane(lab: RelayLab) -> None:
    lab.upstream("vip-a")
    down_after(lab, on(lab, "vip-a"))
    start_again(lab)
    lab.sidecar.wait_ready(20)
    assert (lab.call(KEY).text, lab.call(OTHER).text) == ("vip-a", "vip-a")


def test_a_control_plane_that_comes_back_unchanged_sends_nothing(lab: RelayLab) -> None:
    lab.upstream("vip-a")
    down_after(lab, on(lab, "vip-a"))
    start_again(lab)
    lab.sidecar.wait_ready(20)
    until("Envoy to have all routes", lambda: any(lab.stats("rds.Rank.update_success").values()))
    before = lab.stats(*UPDATES)
    lab.plane.start()
    lab.settled()
    assert lab.stats(*UPDATES) == before


def test_what_came_and_went_meanwhile_is_made_up_for(lab: RelayLab) -> None:
    lab.upstream("vip-a")
    lab.upstream("vip-b")
    down_after(lab, on(lab, "vip-a"))
    lab.plane.snapshot = on(lab, "vip-b")
    start_again(lab)
    lab.sidecar.wait_ready(20)
    assert lab.call(KEY).text == "vip-a"
    lab.plane.start()
    lab.settled()
    assert lab.call(KEY).text == "vip-b"
    assert lab.wanted().keys() == lab.relay.holdings.accepted[CLUSTER].keys() == {"vip-b"}


def test_the_control_plane_hears_of_what_was_kept_once_envoy_has_it(lab: RelayLab) -> None:
    lab.upstream("vip-a")
    down_after(lab, on(lab, "vip-a"))
    lab.plane.start()
    lab.start_relay()
    for _ in range(50):  # each asks the loop that the relay and the control plane run in
        assert lab.plane.stream() is None
    lab.sidecar.start()
    lab.settled()
    assert lab.ready()


def test_what_was_kept_and_is_refused_now_is_told(lab: RelayLab) -> None:
    """Another Envoy may refuse what an earlier one took."""
    lab.upstream("vip-a")
    good = on(lab, "vip-a")
    down_after(lab, good)
    world = with_cluster(good, unbuildable("poison"))
    held = {**lab.relay.holdings.accepted, CLUSTER: world.of(CLUSTER)}
    lab.kept().write_bytes(encode(lab.settings().kept_as, held))
    lab.plane.snapshot = world
    lab.plane.start()
    start_again(lab)
    until("the refusal", lambda: lab.plane.rejected().keys() == {"poison"})
    lab.settled()
    assert lab.call(KEY).text == "vip-a"
    lab.plane.settle(good)
    assert lab.plane.rejected() == {}


@pytest.mark.parametrize("damage", ["cut short", "overwritten", "empty"])
def test_a_damaged_file_is_no_start_and_said(
    lab: RelayLab, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    lab.upstream("vip-a")
    down_after(lab, on(lab, "vip-a"))
    file = lab.kept()
    data = file.read_bytes()
    file.write_bytes({"cut short": data[:-1], "overwritten": data[:-9] + b"overwrite", "empty": b""}[damage])
    start_again(lab)
    until("Envoy to ask", lab.connected)
    assert not lab.ready()
    assert f"{file} refused: " in caplog.text
    lab.plane.start()
    lab.sidecar.wait_ready(20)
    assert lab.call(KEY).text == "vip-a"


def test_a_sidecar_that_is_to_listen_elsewhere_doesnt_start_from_what_was_kept(lab: RelayLab) -> None:
    lab.upstream("vip-a")
    down_after(lab, on(lab, "vip-a"))
    (port,) = free_ports(1)
    lab.sidecar.settings = replace(lab.sidecar.settings, listen=("127.0.0.1", port))
    start_again(lab)
    until("Envoy to ask", lab.connected)
    assert not lab.ready()


def test_a_disk_that_is_full_is_said_and_changes_nothing(
    lab: RelayLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.upstream("vip-a")
    lab.upstream("vip-b")
    file = lab.kept()
    file.parent.mkdir()
    file.with_name(f"{file.name}.new").symlink_to("/dev/full")
    lab.start(on(lab, "vip-a"))
    until("it to be said", lambda: "No space left on device" in caplog.text)
    lab.plane.settle(on(lab, "vip-b"))
    assert lab.call(KEY).text == "vip-b"
