#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""Makes one script of each page's modules, with the licences of what is in it: bundle.py SOURCE OUTPUT

npm installs into OUTPUT/npm, never into the source tree, and only where package-lock.json is another one than last
time: what was built once builds without a network."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

PAGES = ("wic", "check")
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
NOTICE = "/*! Licences of what is in here: /licences.txt */"


def install_packages(source, folder):
    lock = (source / "package-lock.json").read_bytes()
    done = folder / "installed-lock.json"
    if done.exists() and done.read_bytes() == lock:
        return
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    for name in PACKAGE_FILES:
        shutil.copy(source / name, folder / name)
    # No package needs its scripts, so none gets to run one.
    npm = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-progress", "--loglevel=error"]
    if subprocess.run(npm, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit("web/bundle.py: npm could not install what web/package-lock.json names; the first build needs a network")
    done.write_bytes(lock)


def bundle_pages(source, packages, output):
    """Returns the folders of the packages that are in the bundles."""
    report = output / "bundle.json"
    subprocess.run(
        [packages / ".bin" / "esbuild", *(source / f"{page}.js" for page in PAGES), f"--outdir={output}",
         "--bundle", "--minify", "--format=esm", "--target=es2020,chrome90,firefox90,safari15", "--legal-comments=inline",
         f"--banner:js={NOTICE}", f"--metafile={report}", "--log-level=warning"],
        env=os.environ | {"NODE_PATH": str(packages)}, cwd=output, check=True,
    )  # fmt: skip
    inputs = [pathlib.PurePath(name).parts for name in json.loads(report.read_text())["inputs"]]
    return sorted({parts[parts.index("node_modules") + 1] for parts in inputs if "node_modules" in parts})


def licences(packages, names):
    yield "The scripts of these pages contain the following packages, each under its own licence.\n"
    for name in names:
        description = json.loads((packages / name / "package.json").read_text())
        texts = sorted(file for file in (packages / name).iterdir() if file.name.lower().startswith("licen"))
        if not texts:
            sys.exit(f"web/bundle.py: {name} says no licence")
        yield f"\n{name} {description['version']}\n{'=' * 72}\n{texts[0].read_text().strip()}\n"


def main():
    source, output = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    install_packages(source, output / "npm")
    packages = output / "npm" / "node_modules"
    names = bundle_pages(source, packages, output)
    (output / "licences.txt").write_text("".join(licences(packages, names)))


if __name__ == "__main__":
    main()
