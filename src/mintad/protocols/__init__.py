"""Evaluation protocols as data: the same predictions, measured as other projects measure."""

from mintad.protocols.measuring import Measured, evaluate_protocols
from mintad.protocols.profile import Profile, find_profiles, list_profiles

__all__ = ["Measured", "Profile", "evaluate_protocols", "find_profiles", "list_profiles"]
