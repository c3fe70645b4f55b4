"""Generate the Python code of protos/ beside the packages; `--check` only says whether it is current."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGES = ("lightbulb/v1", "lightbulb/oip")


def generate(out: Path) -> None:
    """Write *_pb2.py, *_pb2.pyi and *_pb2_grpc.py for every proto below protos/ into `out`."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    include = Path(protoc.__file__).parent / "_proto"
    flags = [f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(["protoc", f"-I{PROTOS}", f"-I{include}", *flags, *sources]) != 0:
        sys.exit("protoc failed")
    for path in out.rglob("*_pb2_grpc.py"):
        if "class " not in path.read_text():
            path.unlink()  # a proto without services gets an empty file


def contents(root: Path) -> dict[str, str]:
    """Return the generated files below `root` by their relative path."""
    return {
        str(path.relative_to(root)): path.read_text()
        for package in PACKAGES
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
