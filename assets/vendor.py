"""Copy the pinned browser files from npm into gateway/static/vendor, and write their manifest.

Run it after changing a version in package.json: `python assets/vendor.py` (needs npm; nothing
else in the project does). `--axe DIR` also fetches axe-core, for accessibility checks by hand.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
VENDOR = HERE.parent / "gateway" / "static" / "vendor"

# package -> (licence file in the package, files to copy: path in the package -> our name)
WANTED = {
    "htmx.org": ("LICENSE", {"dist/htmx.min.js": "htmx.min.js"}),
    "@picocss/pico": ("LICENSE.md", {"css/pico.min.css": "pico.min.css"}),
}


def install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder / name)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-fund"], cwd=folder, check=True)


def vendor(modules: Path) -> list[dict[str, str]]:
    entries = []
    for package, (licence_file, files) in WANTED.items():
        described = json.loads((modules / package / "package.json").read_text())
        stem = package.split("/")[-1].removesuffix(".org")
        shutil.copy(modules / package / licence_file, VENDOR / f"{stem}.LICENSE.txt")
        for source, name in files.items():
            shutil.copy(modules / package / source, VENDOR / name)
            entries.append(
                {
                    "file": name,
                    "package": package,
                    "version": described["version"],
                    "licence": described["license"],
                    "sha256": hashlib.sha256((VENDOR / name).read_bytes()).hexdigest(),
                }
            )
    return entries


def main() -> None:
    VENDOR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        install(folder)
        modules = folder / "node_modules"
        manifest = json.dumps(vendor(modules), indent=2) + "\n"
        (VENDOR / "MANIFEST.json").write_text(manifest)
        if "--axe" in sys.argv:
            target = Path(sys.argv[sys.argv.index("--axe") + 1])
            shutil.copy(modules / "axe-core" / "axe.min.js", target / "axe.min.js")
    print(manifest, end="")


if __name__ == "__main__":
    main()
