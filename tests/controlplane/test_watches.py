"""Evidence is kept by who leads, read by who leads next, and forgotten once nobody needs it."""

from controlplane.replica.watches import Kept, kept_in, name_of, outdated

RAW = {
    name_of(17, 3): b"older",
    name_of(17, 4): b"newer",
    name_of(18, 4): b"other",
    "one": b"a report",
    "one/beat": b"a heartbeat",
}
NAMES = [each for each in RAW if each.endswith("/evidence")]


def test_the_highest_token_counts_whoever_wrote_later() -> None:
    assert kept_in(RAW) == {17: Kept(4, b"newer"), 18: Kept(4, b"other")}
    assert kept_in(dict(reversed(RAW.items()))) == kept_in(RAW)
    assert kept_in({"x.y/evidence": b"", "/evidence": b"", "17/evidence": b""}) == {}


def test_who_leads_next_forgets_nothing_before_it_has_read_it() -> None:
    assert outdated(NAMES, watched=(), standing={17, 18}, token=5) == ()
    assert outdated(NAMES, watched=(17,), standing={17, 18}, token=5) == (name_of(17, 3), name_of(17, 4))
    assert outdated(NAMES, watched=(17,), standing={17}, token=4) == (name_of(17, 3), name_of(18, 4))
    assert outdated(NAMES, watched=(), standing=(), token=4) == tuple(NAMES)
