"""Generate the Python code of protos/ beside the packages; `--check` only says whether it is current.

protoc writes the types (*.pyi) and the services' stubs. The messages' modules are written here: they add
their descriptors to the pool of their package, and need no runtime as new as protoc (`lightbulb.pools`).
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]

TOLD_ONLY = frozenset({"discovery"})
"""Packages whose service is there for reflection: its streams carry bytes that are made by hand."""

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
POOLS = {"lightbulb/v1": "DEFAULT", "lightbulb/oip": "PRIVATE", "lightbulb/discovery": "PRIVATE"}
"""Package -> the pool that its descriptors are in."""

MODULE = '''"""Generated from {proto} by protos/generate.py. Don't edit."""

{imports}from lightbulb.pools import {pool}, define

DESCRIPTOR = define(globals(), {pool}, {file!r}, ({needs}))
'''

VERSION_CHECK = re.compile(r"import warnings\n|GRPC_GENERATED_VERSION = .*?\n    \)\n\n?", re.DOTALL)
"""What the stubs' generator writes to demand a grpcio as new as itself; pyproject.toml says what will do."""


def generate(out: Path) -> None:
    """Write *_pb2.py, *_pb2.pyi and *_pb2_grpc.py for every proto below protos/ into `out`."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    include = Path(protoc.__file__).parent / "_proto"
    with tempfile.NamedTemporaryFile() as described:
        flags = [f"--descriptor_set_out={described.name}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
        if protoc.main(["protoc", f"-I{PROTOS}", f"-I{include}", *flags, *sources]) != 0:
            sys.exit("protoc failed")
        files = FileDescriptorSet.FromString(Path(described.name).read_bytes()).file
    for file in files:
        stem = out / file.name.removesuffix(".proto")
        stem.with_name(f"{stem.name}_pb2.py").write_text(messages(file))
    for path in out.rglob("*_pb2_grpc.py"):
        stubs = path.read_text()
        if "class " in stubs and path.parent.name not in TOLD_ONLY:
            path.write_text(VERSION_CHECK.sub("", stubs))
        else:
            path.unlink()  # a proto without services gets an empty file


def messages(file: FileDescriptorProto) -> str:
    """Return the module with a file's messages."""
    needs = [name.removesuffix(".proto").rpartition("/") for name in file.dependency]
    return MODULE.format(
        proto=file.name,
        pool=POOLS[str(Path(file.name).parent)],
        file=file.SerializeToString(deterministic=True),
        imports="".join(f"from {folder.replace('/', '.')} import {name}_pb2\n" for folder, _, name in needs),
        needs="".join(f"{name}_pb2.DESCRIPTOR, " for _, _, name in needs).rstrip(),
    )


def contents(root: Path) -> dict[str, str]:
    """Return the generated files below `root` by their relative path."""
    return {
        str(path.relative_to(root)): path.read_text()
        for package in POOLS
        for path in (root / package).glob("*_pb2*.py*")
    }


def main() -> None:
    """Generate, or with `--check` compare and exit 1 with the names of the files that differ."""
    if "--check" not in sys.argv:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh, committed = contents(Path(folder)), contents(ROOT)
    stale = sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))
    if stale:
        sys.exit("generated code is out of date, run `make protos`: " + ", ".join(stale))


if __name__ == "__main__":
    main()
