"""Names that say what images are: of products, and of folders that sound good or defective."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from mintad.data.listing import IMAGE_SUFFIXES
from mintad.errors import DataError

_GOOD_WORDS = """
good goods ok oks okay normal normals io pass passed fine intact perfect flawless nominal conform
conforming acceptable accepted accept healthy gut gute bon bonne bons conforme conformes bueno buena
buenos buono buoni bom bons goed bra dobry dobre iyi saglam хорошо годный норма 良品 良好 正常 合格
정상 양품
"""
_BAD_WORDS = """
bad ng nok nio ko defect defects defective defectives defekt defekte fault faults faulty broken
damage damaged anomaly anomalies anomalous abnormal reject rejects rejected fail fails failed scrap
schlecht schlechte fehler fehlerhaft ausschuss mauvais malo difettoso slecht zly vadny bozuk брак
不良 不良品 异常 異常 불량
"""
_NOT = frozenset({"no", "not", "non", "un", "without", "free", "nicht", "kein", "keine", "ohne"})
_MASKS = frozenset({"mask", "masks", "groundtruth", "gt", "label", "labels", "annotations"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Naming:
    """Further names of folders with good images, and names that sound good but are a defect's."""

    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


def product_name(folder: Path) -> str:
    """The name of a product's folder; of a link its own, not that of what it leads to."""
    return Path(os.path.abspath(folder)).name or "images"


def sounds_good(name: str) -> bool:
    """Whether a folder of this name seems to hold good images: `OK`, `Gut`, `no_defects`."""
    good, bad, turned = _heard(name)
    return (good and not bad and not turned) or (bad and not good and turned)


def sounds_bad(name: str) -> bool:
    """Whether a folder of this name seems to hold defective images: `NG`, `defekt`, `not good`."""
    good, bad, turned = _heard(name)
    return (bad and not good and not turned) or (good and not bad and turned)


def sounds_like_masks(name: str) -> bool:
    """Whether a folder of this name seems to hold masks: `ground_truth`, `Masks`."""
    parts = _parts(name)
    return bool(_MASKS & {*parts, "".join(parts)})


def _heard(name: str) -> tuple[bool, bool, bool]:
    """Whether words for good, for bad and for not are in a name."""
    parts = _parts(name)
    whole = "".join(parts)
    if whole in _GOOD or whole in _BAD:
        return whole in _GOOD, whole in _BAD, False
    return bool(_GOOD & set(parts)), bool(_BAD & set(parts)), bool(_NOT & set(parts))


def _parts(name: str) -> list[str]:
    """The words of a name, without case, accents and digits: `OK-Teile2` has ok and teile."""
    apart = unicodedata.normalize("NFKD", name)
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return [part.casefold() for part in _WORDS.findall(plain)]


_GOOD = frozenset(part for word in _GOOD_WORDS.split() for part in _parts(word))
_BAD = frozenset(part for word in _BAD_WORDS.split() for part in _parts(word))


def no_images(folder: Path, expected: str) -> DataError:
    """The error for a folder in which no image was found where the layout has them."""
    endings = " ".join(sorted(IMAGE_SUFFIXES))
    return DataError(
        f"The folder {folder} has no images where they are expected ({expected}).",
        f"Put image files there ({endings}), or take the folder away.",
    )
