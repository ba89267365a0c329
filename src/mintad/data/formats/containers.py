"""PNG, JPEG and WebP without their metadata: what the pixels need, and how they are turned.

A long text, a damaged EXIF block or an odd colour profile can thus cost no picture: the decoder
never sees it. Of the metadata only the orientation is looked for.
"""

from __future__ import annotations

import contextlib
import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

_ORIENTATION = 0x0112
_IN_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")
_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PNG_CLEAR = {0: (2,), 2: (6,), 3: range(1, 257)}  # bytes of tRNS, by the kind of colour
_WEBP_METADATA = (b"ICCP", b"EXIF", b"XMP ")
_MOST_TEXT = 1 << 20


@dataclass(frozen=True, slots=True)
class Essence:
    """The file without its metadata; EXIF's orientation, 1 to 8; the number of its frames."""

    content: bytes
    orientation: int = 1
    frames: int = 1


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the data of each chunk, up to IEND or where the file is cut."""
    place = 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind = content[place + 4 : place + 8]
        end = place + 12 + length
        if kind[:1].islower() and kind != b"tRNS" and not _is_whole(content, place, end):
            next_ones = (content.find(needed, place + 8) - 4 for needed in _PNG_NEEDED)
            place = min((found for found in next_ones if found > 0), default=len(content))
            continue  # its length may be wrong: on to what the pixels need
        if end > len(content):
            return
        yield kind, place + 8, end - 4
        if kind == b"IEND":
            return
        place = end


def _is_whole(content: bytes, place: int, end: int) -> bool:
    """Whether the checksum of a chunk holds."""
    check = int.from_bytes(content[end - 4 : end], "big")
    return end <= len(content) and zlib.crc32(content[place + 4 : end - 4]) == check


def png_essence(content: bytes) -> Essence:
    """A PNG with its header, palette, transparency and pixels alone."""
    parts, orientation, frames, end = [content[:8]], 0, 1, 8
    kind = b""
    for kind, start, stop in png_chunks(content):
        end = stop + 4
        if kind == b"tRNS" and stop - start not in _PNG_CLEAR.get(content[25], ()):
            continue  # damaged, or of a kind of PNG that has none
        if kind in _PNG_NEEDED or not kind[:1].islower():
            parts.append(content[start - 8 : end])
        elif kind == b"eXIf":
            orientation = orientation or _of_exif(content[start:stop])
        elif kind == b"acTL":
            frames = int.from_bytes(content[start : start + 4], "big")
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            orientation = orientation or _of_png_text(content[start:stop])
    if kind != b"IEND":
        parts.append(content[end:])  # of a file that is cut, what is left of its pixels
    return Essence(b"".join(parts), orientation or 1, frames)


def jpeg_essence(content: bytes) -> Essence:
    """A JPEG without comments and applications' blocks, but for those that say its colours."""
    parts, orientation, place = [content[:2]], 0, 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # fill
            place += 1
            continue
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xDA:
            break
        if end < place + 4 or content[end : end + 1] != b"\xff":  # a wrong length
            table = content.find(b"\xff\xdb\0", place + 2)
            if not _is_metadata(marker) or table < 0:
                break
            place = table
            continue
        if marker == 0xE1:
            orientation = orientation or _of_block(content[place + 4 : end])
        if marker in (0xE0, 0xEE) or not _is_metadata(marker):
            parts.append(content[place:end])
        place = end
    parts.append(content[place:])
    return Essence(b"".join(parts), orientation or 1)


def _is_metadata(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == 0xFE


def webp_essence(content: bytes) -> Essence:
    """A WebP without profile, EXIF and XMP."""
    parts, orientation, frames, place = [], 0, 0, 12
    end = min(len(content), 8 + int.from_bytes(content[4:8], "little"))
    while place + 8 <= end:
        kind = content[place : place + 4]
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        stop = place + 8 + length + length % 2
        if stop > len(content) + 1:
            if kind in _WEBP_METADATA:
                break
            return Essence(content)
        if kind in (b"EXIF", b"XMP "):
            orientation = orientation or _of_block(content[place + 8 : stop])
        elif kind == b"VP8X":
            flags = content[place + 8] & ~0x2C  # no profile, no EXIF, no XMP
            parts.append(content[place : place + 8] + bytes([flags]) + content[place + 9 : stop])
        elif kind not in _WEBP_METADATA:
            parts.append(content[place:stop])
        frames += kind == b"ANMF"
        place = stop
    body = b"WEBP" + b"".join(parts)
    head = b"RIFF" + len(body).to_bytes(4, "little")
    return Essence(head + body, orientation or 1, max(1, frames))


def _of_block(block: bytes) -> int:
    if block.startswith(b"Exif\0") or block[:4] in (b"II*\0", b"MM\0*"):
        return _of_exif(block)
    found = _IN_XMP.search(block[:_MOST_TEXT])
    return int(found[1]) if found else 0


def _of_png_text(text: bytes) -> int:
    name, _, rest = text.partition(b"\0")
    if name == b"XML:com.adobe.xmp":
        return _of_block(rest)
    if name != b"Raw profile type exif":
        return 0
    with contextlib.suppress(zlib.error, ValueError):
        if rest[:1] == b"\0":  # zTXt
            rest = zlib.decompressobj().decompress(rest[1:], _MOST_TEXT)
        return _of_exif(bytes.fromhex("".join(rest.decode("latin1").split("\n")[3:])))
    return 0


def _of_exif(block: bytes) -> int:
    """The orientation, 0 for a damaged block or one without."""
    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.load(block)
            orientation = exif.get(_ORIENTATION, 0)
    except Exception:  # whatever the damaged bytes lead Pillow into
        return 0
    return orientation if orientation in range(1, 9) else 0
