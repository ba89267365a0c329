"""Clusters, axes and readings of clouds, against scikit-learn and against what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from mintad_lab.inside.structure import (
    clusters,
    evenly,
    explained,
    neighbours_r2,
    principal_plane,
    ridge_r2,
    silhouette,
    subclasses,
)


def blobs(count: int = 3, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    return make_blobs(90, 6, centers=count, cluster_std=spread, random_state=1)  # type: ignore[no-any-return]


def test_some_of_many_places_are_evenly_spread() -> None:
    assert evenly(10, 3).tolist() == [0, 4, 9]
    assert evenly(3, 10).tolist() == [0, 1, 2]


def test_the_plane_is_that_of_principal_component_analysis() -> None:
    points, _ = blobs()
    plane, reference = principal_plane(points), PCA(2).fit(points)
    np.testing.assert_allclose(np.abs(plane(points)), np.abs(reference.transform(points)))
    assert plane.share == pytest.approx(reference.explained_variance_ratio_.sum())


def test_a_cloud_of_one_channel_has_a_plane() -> None:
    points = np.arange(5.0)[:, None]
    np.testing.assert_allclose(np.abs(principal_plane(points)(points)[:, 0]), [2, 1, 0, 1, 2])
    assert principal_plane(points).share == pytest.approx(1)


def test_silhouette_is_that_of_scikit_learn() -> None:
    points, labels = blobs(spread=3.0)
    assert silhouette(points, labels) == pytest.approx(silhouette_score(points, labels))
    labels[0] = 7  # alone in its cluster
    assert silhouette(points, labels) == pytest.approx(silhouette_score(points, labels))


def test_clusters_are_as_tight_as_those_of_scikit_learn() -> None:
    points, _ = blobs(4, spread=4.0)
    labels = clusters(points, 4, np.random.default_rng(0))
    inertia = sum(
        np.square(points[labels == k] - points[labels == k].mean(0)).sum() for k in range(4)
    )
    assert inertia <= 1.01 * KMeans(4, n_init=10, random_state=0).fit(points).inertia_


def test_subclasses_are_found_and_only_where_they_are() -> None:
    points, labels = blobs(3)
    groups = subclasses(points)
    assert groups is not None
    assert groups.count == 3
    assert groups.silhouette > groups.reference + 0.2
    assert len({(a, b) for a, b in zip(labels, groups.labels, strict=True)}) == 3
    normal = subclasses(np.random.default_rng(0).standard_normal((200, 6)))
    assert normal is not None
    assert abs(normal.silhouette - normal.reference) < 0.05
    assert subclasses(points[:10]) is None
    assert subclasses(np.ones((50, 3))) is None


def test_what_is_in_the_vectors_is_read_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 150)
    targets = np.stack([np.cos(2 * angle), np.sin(2 * angle)], axis=1)
    noise = rng.standard_normal((150, 40))
    mixed = noise * 0.05 + targets @ rng.standard_normal((2, 40))
    assert ridge_r2(mixed, targets) > 0.95
    assert neighbours_r2(mixed, targets) > 0.95
    assert ridge_r2(noise, targets) < 0.1
    assert neighbours_r2(noise, targets) < 0.1


def test_a_reading_may_be_curved_for_neighbours_alone() -> None:
    x = np.linspace(-1, 1, 200)[:, None]
    targets = np.square(x)
    assert neighbours_r2(x, targets) > 0.9
    assert ridge_r2(x, targets) < 0.3


def test_explained_is_one_for_exact_and_zero_for_the_mean() -> None:
    points, _ = blobs()
    mean = points.mean(axis=0)
    assert explained(points, points, mean) == 1
    assert explained(points, np.broadcast_to(mean, points.shape), mean) == pytest.approx(0)
    assert explained(points, 2 * points - mean, mean) == pytest.approx(0)
