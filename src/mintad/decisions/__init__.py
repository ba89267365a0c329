"""Where scores are put on one scale, and turned into verdicts; numpy only."""

from mintad.decisions.scale import ScoreScale, fit_scale

__all__ = ["ScoreScale", "fit_scale"]
