"""The Inspector: a bundle and images in, one inspection per image out."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mintad.bundle import Bundle, RawPrediction, load
from mintad.data import content_box, load_prepared
from mintad.decisions import ScoreScale
from mintad.engines import Engine, open_engine, resolve_engine
from mintad.errors import ConfigError, ImageError
from mintad.inspection.inputs import ImageInput, image_name, image_source, is_one_image
from mintad.system.threads import map_ahead
from mintad.system.words import counted, shortened


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found on one image.

    `raw_score` is raw, `score` the same on the scale of its product (0 = a usual good image);
    higher = more anomalous. `anomaly_map` is `float32 (h, w)` on that scale, at the size of the
    prepared image, where the picture itself, of `size` (height, width), fills `box` (top, left,
    height, width).
    `product_given` says whether the product was named by the caller or recognised, then with
    `product_probability`. Where `error` is set the image could not be inspected, and nothing
    else is but the name and a given product.

    >>> inspection = mintad.Inspector("run").one("new/part.png")
    >>> inspection.product, inspection.score > 3, inspection.size, inspection.anomaly_map.shape
    ('stripes', True, (48, 64), (64, 64))
    """

    name: str
    product: str | None = None
    product_given: bool = False
    product_probability: float | None = None
    raw_score: float | None = None
    score: float | None = None
    anomaly_map: NDArray[np.float32] | None = None
    size: tuple[int, int] | None = None
    box: tuple[int, int, int, int] | None = None
    error: str | None = None

    def __repr__(self) -> str:
        name = shortened(self.name)
        if self.error is not None:
            return f"Inspection({name!r}, error={textwrap.shorten(self.error, 80)!r})"
        score = None if self.score is None else round(self.score, 3)
        return f"Inspection({name!r}, product={self.product!r}, score={score})"


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    product: str | None
    pixels: NDArray[np.uint8] | None = None
    size: tuple[int, int] | None = None
    box: tuple[int, int, int, int] | None = None
    error: str | None = None


class Inspector:
    """Inspects images with one bundle.

    Calling it gives an iterator that reads ahead by a few batches, so that endless streams need
    bounded memory. Decoding, the network and what the caller does with the results overlap. The
    result of an image does not depend on its neighbours in the batch. `engine` is what
    `open_engine` takes; with `batch_size=1` each image gets the whole machine and its result
    comes as soon as it can, for cameras, while larger batches give the most images per second.
    `max_pixels` is the limit of an image in place of the bundle's. `engine_name` says what "auto"
    came to. Another process may be given the Inspector, but for one that is forked: there it opens
    the bundle anew.

    >>> inspector = mintad.Inspector("run")
    >>> inspector
    Inspector('run/bundle', 2 products, openvino:float32, batch_size=16)
    >>> for inspection in inspector(["new/part.png", b"no image"]):
    ...     print(inspection.product, inspection.error is None)
    stripes True
    None False
    """

    def __init__(
        self,
        bundle: Bundle | str | Path,
        *,
        engine: str | None = None,
        batch_size: int = 16,
        workers: int = 2,
        max_pixels: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(
                f"A batch of {batch_size} images cannot be inspected.",
                "Set batch_size to 1 or more.",
            )
        self.bundle = bundle if isinstance(bundle, Bundle) else load(bundle)
        live = batch_size == 1
        self.engine_name = resolve_engine(self.bundle, engine, live=live)
        self.engine: Engine = open_engine(self.bundle, self.engine_name, live=live)
        self.preprocessing = self.bundle.manifest.preprocessing
        if max_pixels is not None:
            self.preprocessing = self.preprocessing.model_copy(update={"max_pixels": max_pixels})
        self.batch_size = batch_size
        self.workers = workers
        products = self.bundle.manifest.products
        self._numbers = {product.name: number for number, product in enumerate(products)}
        self._scales = [ScoreScale(product.centre, product.spread) for product in products]

    def __repr__(self) -> str:
        parts = [repr(shortened(str(self.bundle.path))), counted(len(self.products), "product")]
        parts += [self.engine_name, f"batch_size={self.batch_size}"]
        return f"Inspector({', '.join(parts)})"

    def __reduce__(self) -> tuple[Callable[..., Inspector], tuple[Path]]:
        opened = partial(
            Inspector,
            engine=self.engine_name,
            batch_size=self.batch_size,
            workers=self.workers,
            max_pixels=self.preprocessing.max_pixels,
        )
        return opened, (self.bundle.path.absolute(),)

    @property
    def products(self) -> tuple[str, ...]:
        """The products that the bundle knows."""
        return self.bundle.manifest.product_names

    def __call__(
        self,
        images: ImageInput | Iterable[ImageInput],
        products: str | Sequence[str | None] | None = None,
    ) -> Iterator[Inspection]:
        """One inspection per image, in order.

        An image is a path, `uint8` pixels `(H, W, 3)`, `(H, W)`, `(H, W, 1)` or `(H, W, 4)`, a
        `MemoryImage`, encoded bytes, a file opened for reading bytes, or a Pillow image; one alone
        may stand for a list of one. `products` names the product of all images, or of each
        (None: recognise it). Raises `ConfigError` for a product that the bundle does not know, for
        none where its method needs one, or for another number of them than of images. What cannot
        be read, or is no image, gives an inspection with `error`; the stream goes on.
        """
        several = [images] if is_one_image(images) else images
        if products is None or isinstance(products, str):
            self._number(products)
        elif isinstance(several, Sized) and len(several) != len(products):
            given = counted(len(products), "product")
            raise ConfigError(
                f"{counted(len(several), 'image')} cannot be of {given}.",
                "Name a product for each image, None where it is to be recognised.",
            )
        return self._stream(_paired(several, products))  # type: ignore[arg-type]

    def _stream(self, pairs: Iterator[tuple[ImageInput, str | None]]) -> Iterator[Inspection]:
        items = map_ahead(self._read, pairs, workers=self.workers, ahead=2 * self.batch_size)
        try:
            for inspections in map_ahead(
                self._inspect, _batches(items, self.batch_size), workers=1, ahead=2
            ):
                yield from inspections
        finally:
            items.close()

    def one(self, image: ImageInput, product: str | None = None) -> Inspection:
        """The inspection of one image, at once: for a trigger that waits for its answer.

        A stream's result comes no earlier than the next image does. Errors as with a call.
        """
        self._number(product)
        return self._inspect([self._read((image, product))])[0]

    def _read(self, pair: tuple[ImageInput, str | None]) -> _Item:
        image, product = pair
        name = image_name(image)
        try:
            pixels, size = load_prepared(image_source(image), self.preprocessing)
        except ImageError as error:
            return _Item(name, product, error=str(error))
        except Exception as error:  # whatever is given as an image must not end the stream
            why = f"{type(error).__name__}: {error}".rstrip(".: ")
            return _Item(name, product, error=f"{name} cannot be read as an image: {why}.")
        return _Item(name, product, pixels, size, content_box(size, self.preprocessing))

    def _inspect(self, batch: list[_Item]) -> list[Inspection]:
        readable = [item for item in batch if item.pixels is not None]
        results: Iterator[Inspection] = iter(())
        if readable:
            images = np.stack([item.pixels for item in readable if item.pixels is not None])
            numbers = np.array([self._number(item.product) for item in readable], np.int64)
            results = iter(self._results(readable, numbers, self.engine.predict(images, numbers)))
        return [
            Inspection(item.name, item.product, item.product is not None, error=item.error)
            if item.pixels is None
            else next(results)
            for item in batch
        ]

    def _results(
        self, items: list[_Item], numbers: NDArray[np.int64], raw: RawPrediction
    ) -> Iterator[Inspection]:
        probabilities = None if raw.product_logits is None else _softmax(raw.product_logits)
        for i, (item, number) in enumerate(zip(items, numbers, strict=True)):
            recognised = None
            if number < 0 and probabilities is not None:
                number = int(probabilities[i].argmax())
                recognised = float(probabilities[i, number])
            scale = ScoreScale() if number < 0 else self._scales[number]
            raw_score = float(raw.raw_score[i])
            yield Inspection(
                name=item.name,
                product=None if number < 0 else self.products[number],
                product_given=item.product is not None,
                product_probability=recognised,
                raw_score=raw_score,
                score=scale.score(raw_score),
                anomaly_map=scale.anomaly_map(raw.anomaly_map[i]),
                size=item.size,
                box=item.box,
            )

    def _number(self, product: str | None) -> int:
        if product is None:
            if self.bundle.manifest.model.needs_product:
                raise ConfigError(
                    f"The method {self.bundle.manifest.model.name} recognises no product: it "
                    "needs to be told the product of every image.",
                    "Give it: --product NAME to inspect, --give-product to evaluate.",
                )
            return -1
        if product not in self._numbers:
            raise ConfigError(
                f"The bundle does not know the product {product!r}.",
                f"It knows: {', '.join(self.products)}.",
            )
        return self._numbers[product]


def _batches(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    while batch := list(islice(items, size)):
        yield batch


def _paired(
    images: Iterable[ImageInput], products: str | Sequence[str | None] | None
) -> Iterator[tuple[ImageInput, str | None]]:
    if products is None or isinstance(products, str):
        return ((image, products) for image in images)
    return zip(images, products, strict=True)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    normalised: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return normalised
