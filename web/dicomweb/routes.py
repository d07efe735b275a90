"""The addresses of DICOMweb, and what they need from the application."""

from __future__ import annotations

from aiohttp import web

from dicom_node.imaging.cache import RecentlyUsed
from web import keys
from web.dicomweb import frames, pictures, qido, stow, wado
from web.dicomweb.reading import READER, Reader

ROOT = "/dicom-web"
_STUDY = f"{ROOT}/studies/{{study}}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_FRAMES = f"{_INSTANCE}/frames/{{frames}}"

#: Every route of PS3.18 chapter 10 that is answered; HEAD is not, for its cost would be that of GET.
ROUTES: tuple[web.RouteDef, ...] = (
    web.get(f"{ROOT}/studies", qido.search_for_studies, allow_head=False),
    web.get(f"{ROOT}/series", qido.search_for_series, allow_head=False),
    web.get(f"{ROOT}/instances", qido.search_for_instances, allow_head=False),
    web.get(f"{_STUDY}/series", qido.search_for_series, allow_head=False),
    web.get(f"{_STUDY}/instances", qido.search_for_instances, allow_head=False),
    web.get(f"{_SERIES}/instances", qido.search_for_instances, allow_head=False),
    web.post(f"{ROOT}/studies", stow.store),
    web.post(_STUDY, stow.store),
    web.get(_STUDY, wado.retrieve, allow_head=False),
    web.get(_SERIES, wado.retrieve, allow_head=False),
    web.get(_INSTANCE, wado.retrieve, allow_head=False),
    web.get(f"{_STUDY}/metadata", wado.metadata, allow_head=False),
    web.get(f"{_SERIES}/metadata", wado.metadata, allow_head=False),
    web.get(f"{_INSTANCE}/metadata", wado.metadata, allow_head=False),
    web.get(f"{_INSTANCE}/bulkdata/{{path:.+}}", wado.bulk_data, allow_head=False),
    web.get(f"{_STUDY}/rendered", pictures.rendered, allow_head=False),
    web.get(f"{_SERIES}/rendered", pictures.rendered, allow_head=False),
    web.get(f"{_INSTANCE}/rendered", pictures.rendered, allow_head=False),
    web.get(f"{_FRAMES}/rendered", pictures.rendered, allow_head=False),
    web.get(f"{_STUDY}/thumbnail", pictures.thumbnail, allow_head=False),
    web.get(f"{_SERIES}/thumbnail", pictures.thumbnail, allow_head=False),
    web.get(f"{_INSTANCE}/thumbnail", pictures.thumbnail, allow_head=False),
    web.get(f"{_FRAMES}/thumbnail", pictures.thumbnail, allow_head=False),
    web.get(_FRAMES, frames.frames, allow_head=False),
)


def prepare(application: web.Application) -> None:
    """Put what the handlers share into *application*, which already holds the database, archive, chronicle and confinement."""
    application[qido.ASKED] = RecentlyUsed(10_000)
    application[READER] = Reader(
        application[keys.DATABASE], application[keys.ARCHIVE], application[keys.CHRONICLE], application[keys.CONFINEMENT]
    )
