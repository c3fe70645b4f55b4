"""Every decoder of foreign bytes, by name."""

from __future__ import annotations

from tests.fuzz.decoder import Decoder
from tests.fuzz.messages import messages
from tests.fuzz.stored import stored
from tests.fuzz.workspaces import workspaces

DECODERS: dict[str, Decoder] = {each.name: each for each in (*messages(), *stored(), *workspaces())}
