"""Pictures made before anybody asks: once a study has settled, a thumbnail of each image and the middle image of each series.

They are made one after the other in workers that give way to whoever receives or waits, and kept on the shelf, where what is
longest unused goes first. None is missed: what is not there, or no longer, is drawn when it is asked for; such a thumbnail is put
on the shelf here, too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from dicom_node.archive import events, index
from dicom_node.archive.archive import Archive
from dicom_node.archive.index import Instance
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.rendering import THUMBNAIL, WHOLE, Size, middle_frame
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid, NotFound, Unavailable
from telemed.kernel.events import Event
from telemed.kernel.watch import Watch

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_AT_ONCE = 100


class Preparing(Watch):
    """A thread that has each study's pictures drawn in *confinement* once it settles; what had settled before is left out."""

    def __init__(
        self, database: Database, chronicle: Chronicle, archive: Archive, imaging: Imaging, confinement: Confinement
    ) -> None:
        super().__init__("pictures", self.look, every_s=_LOOK_EVERY_S)
        self._database = database
        self._events = chronicle.events
        self._archive = archive
        self._imaging = imaging
        self._confinement = confinement
        self._position: int | None = None

    def look(self) -> None:
        """Put by what was drawn since the last look, and prepare what has settled."""
        self._imaging.put_by()
        if self._position is None:
            self._position = self._events.latest()
        found, reached = self._events.read_on(self._position, (events.STUDY_SETTLED,), limit=_AT_ONCE)
        for event in found:
            self._prepare(event)
            self._position = event.position
            if self.is_stopping:
                return
        self._position = reached

    def _prepare(self, event: Event) -> None:
        with self._database.reading() as db:
            study = index.study(db, event.data["institution"], event.subject)
            series = [index.instances_of(db, one.id) for one in index.series_of(db, study.id)]
        images = [[one for one in instances if one.kind == "image"] for instances in series]
        middle = [several.pop(len(several) // 2) for several in images if several]
        self._draw(middle, (THUMBNAIL, WHOLE))
        self._draw((one for several in images for one in several), (THUMBNAIL,))

    def _draw(self, images: Iterable[Instance], sizes: tuple[Size, ...]) -> None:
        for one in images:
            if self.is_stopping:
                return
            path, number = self._archive.blobs.path(one.digest), middle_frame(one.frames)
            try:
                self._imaging.prepare(path, number, sizes, digest=one.digest, by=self._confinement)
            except (Invalid, NotFound, Unavailable, OSError) as error:
                log.info("the pictures of object %s are drawn when they are asked for: %s", one.digest, error)
