"""The scripts beside the locks, which run outside any environment, as modules."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from tests.packaging.environments import ROOT

REQUIREMENTS = ROOT / "requirements"


def script(name: str) -> ModuleType:
    """Load one of them."""
    spec = spec_from_file_location(f"requirements_{name}", REQUIREMENTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module
