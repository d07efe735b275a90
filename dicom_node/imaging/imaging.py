"""What a server holds: frames and pictures of stored objects, read or decoded at most once while they are in demand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from dicom_node.imaging import documents, frames, rendering, transcoding
from dicom_node.imaging.cache import RecentlyUsed
from dicom_node.imaging.documents import Document
from dicom_node.imaging.elements import DEFLATED, EXPLICIT_LITTLE, FileSource, transfer_syntax_of
from dicom_node.imaging.frames import OCTETS, Frame
from dicom_node.imaging.layout import Layout, layout_of, read_layout
from dicom_node.imaging.offsets import FrameOffsets
from dicom_node.imaging.presentation import Presentation
from dicom_node.imaging.rendering import MEDIA, QUALITY, THUMBNAIL, Part, Size
from dicom_node.imaging.shelf import Shelf
from dicom_node.imaging.voi import Window
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Invalid, NotFound, Unavailable

#: What a header says weighs little but for a layout's fragments.
_LAYOUT_WEIGHT, _FRAGMENT_WEIGHT = 1000, 120
_PRESENTATION_WEIGHT = 10_000
#: So many thumbnails wait to be put on the shelf; one that is pushed out is drawn again when it is asked for.
_LATELY = 500


class Imaging:
    """Frames and pictures by file; *digest* names the file's content and is the key of what is kept.

    Native frames are read where they are; compressed ones, deflated files and pictures are worked on in *confinement*.
    Every method blocks and is safe to call from any thread. Frames count from 1.
    """

    def __init__(
        self, confinement: Confinement, *, shelf: Shelf, offsets: FrameOffsets | None = None, cache_bytes: int = 192 << 20
    ) -> None:
        """Keep decoded frames and pictures up to *cache_bytes* in memory, what was transcoded or drawn beforehand on *shelf*.

        *offsets* knows where frames are that were looked for before.
        """
        self._offsets = offsets
        self._confinement = confinement
        self._shelf = shelf
        self._layouts: RecentlyUsed[Layout] = RecentlyUsed(32 << 20)
        self._presentations: RecentlyUsed[tuple[Presentation | None]] = RecentlyUsed(16 << 20)
        self._decoded: RecentlyUsed[Frame] = RecentlyUsed(cache_bytes * 3 // 4)
        self._pictures: RecentlyUsed[bytes] = RecentlyUsed(cache_bytes // 4)
        self._lately: deque[tuple[str, int, bytes]] = deque(maxlen=_LATELY)

    def warm(self) -> None:
        """Have one worker loaded with the decoders before anybody waits for it; call it once the server is up."""
        self._confinement.run(_called, bytes)

    def layout(self, path: Path, digest: str) -> Layout:
        """Return the Image Pixel module and the frames' places; NotFound for an object without pixels."""
        found = self.known_layout(digest)
        if found is None and self._offsets is not None:
            found = self._offsets.get(path, digest)
        if found is None:
            with FileSource(path) as file:
                found = None if transfer_syntax_of(file)[0] == DEFLATED else read_layout(file)
            found = found or self._confinement.run(layout_of, path)
            fragments = sum(len(frame) for frame in found.fragments)
            self._layouts.put(digest, found, _LAYOUT_WEIGHT + _FRAGMENT_WEIGHT * fragments)
        return found

    def known_layout(self, digest: str) -> Layout | None:
        """Return what `layout` answered lately, without blocking."""
        return self._layouts.get(digest)

    def stored_frame(self, path: Path, number: int, *, digest: str) -> Frame:
        """Return a frame as stored (compressed, or native in little endian)."""
        layout = self.layout(path, digest)
        if layout.transfer_syntax_uid == DEFLATED:
            return self.frame(path, number, digest=digest)
        return frames.stored_frame(path, number, layout)

    def uncompressed_frame(self, path: Path, number: int, *, digest: str) -> Frame:
        """Return a frame in Explicit VR Little Endian: native ones with the photometric interpretation they have."""
        if self.layout(path, digest).native:
            return replace(self.stored_frame(path, number, digest=digest), transfer_syntax_uid=EXPLICIT_LITTLE, media_type=OCTETS)
        return self.frame(path, number, digest=digest)

    def can_answer_in(self, path: Path, syntax: str, *, digest: str) -> bool:
        """Whether frames can be had in the transfer syntax *syntax*."""
        return transcoding.is_possible(self.layout(path, digest), syntax)

    def frame_in(self, path: Path, number: int, syntax: str, *, digest: str) -> Frame:
        """Return a frame in *syntax*, which `can_answer_in` allows; what had to be transcoded for it is kept."""
        layout = self.layout(path, digest)
        if syntax == EXPLICIT_LITTLE:
            return self.uncompressed_frame(path, number, digest=digest)
        if syntax == layout.transfer_syntax_uid:
            return self.stored_frame(path, number, digest=digest)
        layout.check(number)
        with self._shelf.get(
            f"{digest} {number} {syntax}", lambda out: self._transcode(out, path, number, syntax, layout)
        ) as file:
            return transcoding.described(file.read(), layout, syntax)

    def _transcode(self, out: BinaryIO, path: Path, number: int, syntax: str, layout: Layout) -> None:
        out.write(self._confinement.run(transcoding.transcoded, path, number, layout, syntax))

    def can_rewrite_in(self, path: Path, syntax: str, *, digest: str) -> bool:
        """Whether the whole object can be had in the transfer syntax *syntax*; without pixels, in the uncompressed one only."""
        layout = self._layout_if_any(path, digest)
        return syntax in transcoding.UNCOMPRESSED if layout is None else transcoding.is_possible_whole(layout, syntax)

    def object_in(self, path: Path, syntax: str, *, digest: str) -> BinaryIO:
        """Return the whole object in *syntax*, which `can_rewrite_in` allows, as an open Part 10 file."""
        layout = self._layout_if_any(path, digest)
        return self._shelf.get(f"{digest} {syntax}", lambda out: self._rewrite(out, path, syntax, layout, digest))

    @contextmanager
    def file_in(self, path: Path, syntax: str, *, digest: str) -> Iterator[Path]:
        """Give the whole object in *syntax* as a file for as long as the context lasts; Invalid when it cannot be had."""
        if not self.can_rewrite_in(path, syntax, digest=digest):
            raise Invalid("its pixels cannot be written in another transfer syntax", code="unreadable")
        with self.object_in(path, syntax, digest=digest) as file:
            yield Path(f"/proc/self/fd/{file.fileno()}")  # the shelf may have thrown the name away meanwhile

    def _rewrite(self, out: BinaryIO, path: Path, syntax: str, layout: Layout | None, digest: str) -> None:
        out.write(self._confinement.run(transcoding.header, path, layout, syntax))
        if layout is not None:
            numbers = range(1, layout.frames + 1)
            if syntax in transcoding.UNCOMPRESSED:
                frames = (self.uncompressed_frame(path, number, digest=digest).data for number in numbers)
            else:
                frames = (self._confinement.run(transcoding.transcoded, path, number, layout, syntax) for number in numbers)
            transcoding.write_pixels(out, layout, syntax, frames)

    def _layout_if_any(self, path: Path, digest: str) -> Layout | None:
        try:
            return self.layout(path, digest)
        except NotFound:
            return None

    def frame(self, path: Path, number: int, *, digest: str) -> Frame:
        """Return a frame ready to be drawn (see `frames.ready`)."""
        layout = self.layout(path, digest)
        layout.check(number)
        inflated = layout.transfer_syntax_uid == DEFLATED
        if frames.is_ready(layout) and not inflated:
            return frames.stored_frame(path, number, layout)
        found = self._decoded.get((digest, number))
        if found is None:
            if inflated:
                found = self._confinement.run(frames.frame, path, number)
            else:
                stored = frames.stored_frame(path, number, layout)
                found = frames.ready(stored, layout) if layout.native else self._confinement.run(frames.ready, stored, layout)
            assert isinstance(found, Frame)
            self._decoded.put((digest, number), found, len(found.data))
        return found

    def rendered(
        self,
        path: Path,
        number: int,
        window: Window | None = None,
        size: Size = None,
        media: str = MEDIA,
        *,
        digest: str,
        region: Part | None = None,
        quality: int = QUALITY,
    ) -> bytes:
        """Return a frame as a picture (see `rendering.render`): one made before where there is one."""
        key = (digest, number, window, size, media, region, quality)
        found = self._pictures.get(key)
        if found is None:
            unasked = (window, media, region, quality) == (None, MEDIA, None, QUALITY)
            found = self._prepared(digest, number, size) if unasked else None
            if found is None:
                found = self._drawn(path, number, window, size, media, digest=digest, region=region, quality=quality)
                if unasked and size == THUMBNAIL:
                    self._lately.append((digest, number, found))
            self._pictures.put(key, found, len(found))
        return found

    def _drawn(self, path: Path, number: int, window: Window | None, size: Size, media: str, *, digest: str, **how: Any) -> bytes:  # noqa: ANN401 - the rest of render's
        layout = self.layout(path, digest)
        layout.check(number)
        how |= {"size": size, "media": media}
        plain = self._plain_presentation(path, layout, digest)
        found = None if plain is None else rendering.render_plainly(path, number, layout, plain, window, **how)
        if found is None:
            found = self._confinement.run(_called, partial(rendering.render, path, number, window, **how))
        assert isinstance(found, bytes)
        return found

    def _plain_presentation(self, path: Path, layout: Layout, digest: str) -> Presentation | None:
        known = self._presentations.get(digest)
        if known is None:
            known = (rendering.plain_presentation(path, layout),)
            self._presentations.put(digest, known, _PRESENTATION_WEIGHT)
        return known[0]

    def prepare(self, path: Path, number: int, sizes: Sequence[Size], *, digest: str, by: Confinement) -> None:
        """Have a frame drawn in each of *sizes* in which it is not on the shelf yet, by the workers of *by*.

        Raises
        ------
        Invalid
            when it cannot be drawn.
        Unavailable
            when the shelf cannot be written, or every worker stays busy.
        """
        missing = [size for size in sizes if self._prepared(digest, number, size) is None]
        if missing:
            drawn: list[bytes] = by.run(rendering.render_all, path, number, missing)
            for size, picture in zip(missing, drawn, strict=True):
                self._put_by(digest, number, size, picture)

    def put_by(self) -> None:
        """Put the thumbnails on the shelf that were drawn since the last time: whoever asked did not wait for the disk."""
        with suppress(Unavailable):  # the next one who asks waits as long
            while self._lately:
                digest, number, picture = self._lately.popleft()
                self._put_by(digest, number, THUMBNAIL, picture)

    def _prepared(self, digest: str, number: int, size: Size) -> bytes | None:
        file = self._shelf.find(_picture_of(digest, number, size))
        if file is None:
            return None
        with file:
            return file.read()

    def _put_by(self, digest: str, number: int, size: Size, picture: bytes) -> None:
        self._shelf.get(_picture_of(digest, number, size), partial(_write, picture)).close()

    def document(self, path: Path) -> Document:
        """Return an encapsulated document (PDF, CDA); NotFound when the object is none."""
        document: Document = self._confinement.run(documents.document_of, path)
        return document


def _picture_of(digest: str, number: int, size: Size) -> str:
    """Return the key of a picture as `rendering.render_all` draws it."""
    return f"{digest} {number} picture {size}"


def _write(data: bytes, out: BinaryIO) -> None:
    out.write(data)


def _called(work: Callable[[], bytes]) -> bytes:
    """Do *work* in the worker: a partial carries the keywords that Confinement.run does not."""
    return work()
