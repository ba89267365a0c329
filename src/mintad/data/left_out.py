"""What lies under a data folder and was not read: found by one walk, whatever the layout."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mintad.data.listing import has_image_ending, is_file, is_hidden, is_system, list_images
from mintad.data.sample import LeftOut, LeftOutKind, MemoryImage, Sample
from mintad.data.sources import image_format
from mintad.system.words import counted

_UNREAD_ENDINGS = """
.gif .heic .heif .avif .jp2 .j2k .jpf .jpx .jxl .jxr .wdp .exr .hdr .pfm .pam .tga .psd .pcx .ico
.raw .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf .npy .npz .mat .h5 .hdf5 .dcm .fits
.mp4 .avi .mov .mkv .wmv .mpg .mpeg .zip .tar .gz .tgz .7z .rar
"""
_TEXT_ENDINGS = """
.txt .md .rst .csv .tsv .json .jsonl .xml .yaml .yml .toml .ini .cfg .log .html .pdf .py .ipynb
.parquet .xlsx .docx
"""
_UNREAD = frozenset(_UNREAD_ENDINGS.split())
"""Pictures, films, arrays and archives, none of which is read."""

_TEXTS = frozenset(_TEXT_ENDINGS.split())
_FOREIGN = (b"GIF8", b"\0\0\0\x0cjP", b"8BPS", b"\x76\x2f\x31\x01", b"PK\3\4", b"7z\xbc\xaf")
_PROGRAMS = frozenset({".git", ".svn", ".hg", ".venv", ".ipynb_checkpoints", ".cache"})
_MASK_FOLDERS = frozenset({"ground_truth", "masks"})
_DEEPEST_LINK = 4


@dataclass(slots=True)
class _Unread:
    """What a walk has found, as paths."""

    images: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    links_away: list[str] = field(default_factory=list)
    no_files: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)


def find_left_out(root: Path, samples: Iterable[Sample], places: str) -> tuple[LeftOut, ...]:
    """Everything under the folder `root` that may be an image or a mask and is in no sample.

    `places` says where the layout has its images. A folder in which nothing is read is named as
    a whole. Sorted by path.
    """
    top = os.path.normpath(root)
    used, mask_folders = _used_files(samples)
    above = {parent for file in used for parent in _parents(file)}
    unread = _Unread()
    for path in _walk(top, above, unread):
        if path in used:
            continue
        if any(is_hidden(part) for part in os.path.relpath(path, top).split(os.sep)):
            unread.hidden.append(path)
        elif _is_mask(path, top, mask_folders):
            unread.masks.append(path)
        else:
            unread.images.append(path)
    return tuple(sorted(_described(unread, above, top, places), key=lambda left: str(left.path)))


def _used_files(samples: Iterable[Sample]) -> tuple[set[str], set[str]]:
    """The files of the samples, and the folders that hold their masks."""
    used: set[str] = set()
    folders: set[str] = set()
    for sample in samples:
        if not isinstance(sample.image, MemoryImage):
            used.add(os.path.normpath(sample.image))
        if sample.mask is not None:
            masks = [sample.mask] if is_file(sample.mask) else list_images(sample.mask)
            used.update(map(os.path.normpath, masks))
            folders.update(os.path.dirname(os.path.normpath(mask)) for mask in masks)
    return used, folders


def _parents(path: str) -> Iterator[str]:
    while (parent := os.path.dirname(path)) != path:
        yield parent
        path = parent


def _is_mask(path: str, top: str, mask_folders: set[str]) -> bool:
    folder, name = os.path.split(path)
    parts = os.path.relpath(folder, top).lower().split(os.sep)
    return folder in mask_folders or not _MASK_FOLDERS.isdisjoint(parts) or "_mask." in name


def _walk(top: str, above: set[str], unread: _Unread) -> Iterator[str]:
    """The files below `top` that end like images; what else is met goes to `unread`.

    A link to a folder is followed where something below it is read, thus never in a circle.
    """
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
        except OSError:
            unread.forbidden.append(folder)
            continue
        for entry in entries:
            path = os.path.normpath(entry.path)
            if is_system(entry.name) or entry.name in _PROGRAMS:
                continue
            mode = _mode(entry, path, unread)
            if stat.S_ISDIR(mode):
                if path in above or not entry.is_symlink():
                    waiting.append(path)
                    if has_image_ending(entry.name) and path not in above:
                        unread.no_files.append(path)
                elif _leads_away(path, top):
                    unread.links_away.append(path)
            elif stat.S_ISREG(mode):
                if has_image_ending(entry.name):
                    yield path
                elif not is_hidden(entry.name):
                    match kind_of_other(path):
                        case "unread":
                            unread.others.append(path)
                        case "misnamed":
                            unread.misnamed.append(path)
            elif mode:
                unread.no_files.append(path)


def _mode(entry: os.DirEntry[str], path: str, unread: _Unread) -> int:
    """What kind of file this is, or leads to; 0 where nobody can tell, which is noted."""
    try:
        return entry.stat().st_mode
    except OSError:  # a link to nothing or to itself, or a folder that may not be entered
        (unread.broken_links if entry.is_symlink() else unread.forbidden).append(path)
        return 0


def _leads_away(link: str, top: str) -> bool:
    """Whether a link leads out of the data, to a folder that holds images."""
    real, top = os.path.realpath(link), os.path.realpath(top)
    if real == top or real.startswith(top + os.sep):
        return False
    for folder, folders, files in os.walk(real):
        if any(map(has_image_ending, files)):
            return True
        if os.path.relpath(folder, real).count(os.sep) + 1 >= _DEEPEST_LINK:
            folders.clear()
    return False


def kind_of_other(path: str) -> Literal["unread", "misnamed", "no picture"]:
    """What a file is that does not end like an image: one that is not read, or one all the same.

    "unread" are pictures, films, arrays and archives of other formats.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending in _UNREAD:
        return "unread"
    if ending in _TEXTS:
        return "no picture"
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError:
        return "no picture"
    if image_format(head) is not None:
        return "misnamed"
    return "unread" if head.startswith(_FOREIGN) or head[4:8] == b"ftyp" else "no picture"


def _described(unread: _Unread, above: set[str], top: str, places: str) -> Iterator[LeftOut]:
    for folder, images in _by_folder(unread.images, above, top):
        text = f"are left out: images are read from {places}."
        mend = "Move them there, give their folder as a data root of its own, or take them away."
        yield _left_out(folder, images, "image", "left out", text, mend)
    for folder, masks in _by_folder(unread.masks, above, top):
        mend = "Restore its image, give both the same name, or take the mask away."
        yield _left_out(folder, masks, "mask", "mask without image", "belong to no image.", mend)
    for folder, hidden in _by_folder(unread.hidden, above, top):
        text = "are left out: names that begin with a dot are hidden."
        mend = "Rename what is hidden, or take it away."
        yield _left_out(folder, hidden, "image", "left out", text, mend)
    for folder, others in _by_ending(unread.others, top):
        ending = os.path.splitext(others[0])[1]
        text = f"are left out: what ends in {ending or 'nothing'} is not read."
        mend = "Save them as PNG, JPEG, BMP, TIFF, WebP or PNM, or take them away."
        yield _left_out(folder, others, "file", "left out", text, mend)
    for folder, misnamed in _by_ending(unread.misnamed, top):
        ending = os.path.splitext(misnamed[0])[1]
        text = f"are left out: they are images, but end in {ending or 'nothing'}."
        mend = "Give them the ending of their format, such as .png or .jpg."
        yield _left_out(folder, misnamed, "file", "left out", text, mend)
    for paths, text, mend in (
        (unread.broken_links, "The link {} leads nowhere.", "Restore what it names, or remove it."),
        (
            unread.links_away,
            "The link {} is left out: nothing is read from the folder of images it leads to.",
            f"Images are read from {places}: link to a folder like that, or remove it.",
        ),
        (unread.no_files, "{} is not a file, whatever its name says.", "Take it out of the data."),
        (
            unread.forbidden,
            "The folder {} may not be read.",
            "Give this user the right to read it, or take it out of the data.",
        ),
    ):
        for path in paths:
            yield LeftOut(Path(path), 1, "left out", text.format(path), mend)


def _by_folder(paths: Sequence[str], above: set[str], top: str) -> Iterator[tuple[str, list[str]]]:
    """The paths by the highest folder below `top` in which nothing is read, else by their own."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder = os.path.dirname(path)
        while folder not in above and folder != top:
            higher = os.path.dirname(folder)
            if higher in above or higher == top:
                break
            folder = higher
        groups[folder].append(path)
    yield from groups.items()


def _by_ending(paths: Sequence[str], top: str) -> Iterator[tuple[str, list[str]]]:
    """The paths by their ending and the first folder below `top`, with all that they share."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        first = os.path.relpath(path, top).split(os.sep)[0]
        groups[os.path.splitext(path)[1].lower(), first].append(path)
    for group in groups.values():
        yield os.path.commonpath([os.path.dirname(path) for path in group]), group


def _left_out(
    folder: str, paths: Sequence[str], noun: str, kind: LeftOutKind, text: str, mend: str
) -> LeftOut:
    if len(paths) > 1:
        return LeftOut(
            Path(folder), len(paths), kind, f"{counted(len(paths), noun)} in {folder} {text}", mend
        )
    text = text.replace("are left out", "is left out").replace("belong to", "belongs to")
    text = text.replace("they are images, but end in", "it is an image, but ends in")
    return LeftOut(Path(paths[0]), 1, kind, f"The {noun} {paths[0]} {text}", mend)
