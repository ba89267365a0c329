"""From queries to the Gaussian of the adapted features (MINT-AD, Table 14, eq. 4)."""

from __future__ import annotations

from torch import Tensor, nn

LOG_VARIANCE_RANGE = (-5.0, 3.0)


class DistributionDecoder(nn.Module):
    """Three Linear layers with LeakyReLU: mean and log-variance per position and channel."""

    def __init__(self, dim: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, dim),
            nn.LeakyReLU(),
            nn.Linear(dim, dim),
            nn.LeakyReLU(),
            nn.Linear(dim, 2 * dim),
        )

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Queries `(B, P, D)` to mean and log-variance, each `(B, P, D)`."""
        mean, log_variance = self.layers(queries).chunk(2, dim=-1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)


def gaussian_negative_log_likelihood(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """`(x - mean)^2 / (2 var) + log(var) / 2` per element, the constant left out."""
    return 0.5 * ((x - mean).square() * (-log_variance).exp() + log_variance)
