"""The vectors are what a second implementation says, which shares next to nothing with the first."""

import struct

from lightbulb.resolution.codec import objective_tables_from_bytes
from lightbulb.rpc.messages import context_from_proto
from tests.lightbulb import naive
from tests.resolution_vectors.reading import HASHES, resources, vectors

TOO_FINE = {
    *("\u0661\u0662", "a\n"),  # RE2 isn't `re`
    "2026-01-31T00:00:00.000000001Z",
    "::ffff:10.0.0.1",
    *("V1.2.3", "1.02.3", "1.2.3-01"),
}
"""Texts that the naive one takes for something else."""


def turned(number: int, by: int) -> int:
    return (number << by | number >> (32 - by)) & 0xFFFFFFFF


def murmur3(data: bytes) -> int:
    """Return the hash of murmur3_x86_32, of seed 0."""
    hashed, whole = 0, len(data) // 4 * 4
    for (block,) in struct.iter_unpack("<I", data[:whole]):
        hashed ^= turned(block * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF
        hashed = (turned(hashed, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    rest = int.from_bytes(data[whole:], "little")
    hashed ^= turned(rest * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF
    hashed ^= len(data)
    hashed = (hashed ^ hashed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    hashed = (hashed ^ hashed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return hashed ^ hashed >> 16


def test_hashes_are_those_of_the_algorithm_as_it_is_written() -> None:
    for row in HASHES:
        hashed = murmur3(f"{row['salt']}:{row['unit']}".encode())
        assert (row["hash"], row["bucket"]) == (hashed, hashed * 10_000 // 2**32), row


def test_answers_by_rules_are_those_of_the_naive_implementation() -> None:
    tables = {name: objective_tables_from_bytes(body) for name, body in resources("ObjectiveTables").items()}
    by_rules = tables.keys() - resources("ObjectiveControl").keys()
    checked = 0
    for request, expected in vectors():
        if "error" in expected or request.override_model or request.objective not in by_rules:
            continue
        answer, context = expected["response"], context_from_proto(request.context)
        if context.attributes.get("x") in TOO_FINE:
            continue
        held = [each for each in tables[request.objective].tables if each.since <= int(answer["generation"])]
        table = held[-1].table
        assert table is not None, request
        reason, model, cells = naive.resolve(table, context)
        found = f"REASON_{reason.name}", table.models[model].routing_key, cells
        allocations = answer["objectiveConfig"].get("allocations", ())
        wanted = tuple((each["testId"], each["cell"]) for each in allocations)
        assert found == (answer["reason"], answer["routingKey"], wanted), request
        checked += 1
    assert checked > 1_500
