"""A URL names a store, and is never shown with its password."""

import logging
import subprocess
import sys
import traceback

import pytest

from controlplane.store import redis_link
from controlplane.store.contract import Unreachable
from controlplane.store.open import open_store
from controlplane.store.redis import RedisStore
from controlplane.store.redis_link import place_of
from controlplane.store.sqlite import SqliteStore
from tests.store.places import CLUSTER
from tests.store.redis_server import RedisServer

SECRETS = [
    "hunter2",
    "hunt/er2",
    "hunt?er2",
    "hunt#er2",
    "hunt@er2",
    "hunt%er2",
    "hunt:er2",
    "12/hunter2",
    "[hunter2",
]


def test_each_kind(tmp_path, redis: RedisServer) -> None:
    kinds = {f"sqlite:{tmp_path}/a ü?#%.db": SqliteStore, redis.url: RedisStore}
    for url, kind in kinds.items():
        store = open_store(url, CLUSTER)
        assert isinstance(store, kind)
        store.close()
    assert (tmp_path / "a ü?#%.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store.db",
        "sqlite:",
        "sqlite://store.db",
        "sqlite:///store.db",
        "postgres://user:hunter2@host/db",
        "redis://",
        "redis:host",
        "redis://host:port",
        "redis://host:99999",
        "redis://user:12#hunter2@host",
        "redis://host?no_such_option=1",
        "redis://host?socket_timeout=soon",
        "unix://",
        "unix://run/redis.sock",
    ],
)
def test_a_url_that_isnt_one_says_what_to_write(url: str) -> None:
    with pytest.raises(ValueError, match=r"write sqlite:|write redis://|correct them") as error:
        open_store(url, CLUSTER)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "form",
    [
        "redis://user:{}@127.0.0.1:1/0",
        "redis://:{}@127.0.0.1:1",
        "redis://127.0.0.1:1/0?password={}",
        "rediss://user:{}@127.0.0.1:1/0",
        "unix:///no/such/socket?password={}",
        "unix://user:{}@/no/such/socket",
        "redis://user:{}@127.0.0.1:1/0?no_such_option={}",
        "redsi://user:{}@127.0.0.1:1/0",
        "sqlite://user:{}@127.0.0.1:1/0",
    ],
)
def test_a_password_is_never_shown(
    form: str, secret: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(redis_link, "_RETRIES", 0)
    with pytest.raises((ValueError, Unreachable)) as error:
        open_store(form.format(secret, secret), CLUSTER)
    shown = "".join(traceback.format_exception(error.value)) + caplog.text
    assert "hunt" not in shown
    assert "er2" not in shown


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://user:hunter2@host:6380/3?x=1", "redis://host:6380/3"),
        ("rediss://:p%40ss@host", "rediss://host"),
        ("redis://:hunt@er2@[::1]:7/1", "redis://[::1]:7/1"),
        ("unix://user@/run/redis.sock?db=3&password=p@ss", "unix:///run/redis.sock"),
    ],
)
def test_what_is_shown_of_a_url(url: str, place: str) -> None:
    assert place_of(url) == place


def test_a_sqlite_store_needs_no_redis_py(tmp_path) -> None:
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from controlplane.store.open import open_store\n"
        f"open_store('sqlite:{tmp_path}/store.db', 'c').close()\n"
        "try: open_store('redis://:hunter2@host', 'c')\n"
        "except ValueError as error: print(error)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "install lightbulb-routing[redis]" in shown


def test_the_folder_of_a_file_is_made_and_a_file_in_its_place_is_said_to_be_that(tmp_path) -> None:
    open_store(f"sqlite:{tmp_path}/a/b/store.db", "c").close()
    assert (tmp_path / "a" / "b" / "store.db").is_file()
    with pytest.raises(Unreachable, match=r"store.db/x, and it can't be made \(Not a directory\)"):
        open_store(f"sqlite:{tmp_path}/a/b/store.db/x/y.db", "c")
