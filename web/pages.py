"""The application as files: what vite built, or a sentence that says how to build it."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from aiohttp import web

from web.api.transact import off_loop

STATIC: web.AppKey[Path] = web.AppKey("static")

#: Files under it carry a hash of their content in their name.
HASHED = "assets"
FOREVER = "public, max-age=31536000, immutable"
#: Worth sending compressed over a clinic's thin uplink, by media type; pictures and woff2 fonts are compressed already.
COMPRESSIBLE = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".wasm": "application/wasm",
}

NOT_BUILT = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>telemed</title>
<p>服务器正在运行，但网页界面尚未构建：请运行 <code>make setup</code>。</p>
<p>The server is up; its pages are not built yet: run <code>make setup</code>.</p></html>"""


async def serve_page(request: web.Request) -> web.StreamResponse:
    """Return a built file, or the application itself for every path that is one of its own pages (history mode)."""
    root, path = request.app[STATIC], request.match_info["path"]
    found = _within(root, path)
    if found is not None:
        if not path.startswith(f"{HASHED}/"):
            return web.FileResponse(found, headers={"Cache-Control": "no-cache"})
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if found.suffix in COMPRESSIBLE:
            headers["Content-Type"] = COMPRESSIBLE[found.suffix]
            if "gzip" in request.headers.get("Accept-Encoding", ""):
                content = await off_loop(request, _gzipped, found)
                return web.Response(body=content, headers={**headers, "Content-Encoding": "gzip"})
        return web.FileResponse(found, headers=headers)
    looks_like_a_file = "." in path.rpartition("/")[2] and "text/html" not in request.headers.get("Accept", "")
    if looks_like_a_file or path.startswith(f"{HASHED}/"):  # a page's own path may end in a UID, full of dots
        raise web.HTTPNotFound
    index = root / "index.html"
    if not index.is_file():
        return web.Response(text=NOT_BUILT, content_type="text/html", status=503)
    return web.FileResponse(index, headers={"Cache-Control": "no-cache"})


@functools.lru_cache(maxsize=256)
def _gzipped(file: Path) -> bytes:
    """Compress a file once: under its hashed name it never changes."""
    return gzip.compress(file.read_bytes(), 6, mtime=0)


def _within(root: Path, path: str) -> Path | None:
    """Return the file called *path* under *root*; None when there is none, or it would lie outside."""
    if not path or "\0" in path or "\\" in path:
        return None
    try:
        found = (root / path).resolve()
        return found if found.is_file() and found.is_relative_to(root.resolve()) else None
    except OSError:
        return None


#: Everything that is neither the API's nor DICOMweb's.
ROUTES = (web.get("/{path:(?!api/|dicom-web(?:/|$)).*}", serve_page),)
