"""One decoder under libFuzzer (by atheris), which goes on from the inputs that reach new code."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["lightbulb", "controlplane"]):
    from tests.fuzz.decoders import DECODERS
from tests.fuzz.finds import EXIT_FIND, find_in, keep, kept, smaller
from tests.fuzz.mutate import MAX_BYTES, mutate

MAX_MEMORY = 4 * 1024**3
INPUT_SECONDS = 20
"""What libFuzzer lets one input take before it says that it hangs; a busy machine is slow."""


def main(name: str, seconds: str, folder: str) -> None:
    """Run until the time is over or there is a find; never returns. `folder` is for inputs to go on from."""
    decoder = DECODERS[name]
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    known = (*decoder.samples, *kept(decoder).values())

    def read(data: bytes) -> None:
        find = find_in(decoder, data)
        if find:
            least = smaller(decoder, data)
            path = keep(decoder, least)
            print(f"{find}\n  python -m tests.fuzz {name} --hex {least.hex()}\n  kept as {path}", flush=True)
            os._exit(EXIT_FIND)

    def change(data: bytes, size: int, seed: int) -> bytes:
        random = Random(seed)
        return mutate(data if random.random() < 0.9 else random.choice(known), known, random)[:size]

    for number, sample in enumerate(known):
        (Path(folder) / f"known-{number}").write_bytes(sample)
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={INPUT_SECONDS}"]
    options += ["-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, folder], read, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
