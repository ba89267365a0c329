"""Images to verdicts; no torch is imported here."""

from mintad.runtime.engine import Engine, open_engine
from mintad.runtime.inspector import Inspection, Inspector

__all__ = ["Engine", "Inspection", "Inspector", "open_engine"]
