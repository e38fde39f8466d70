# SPDX-License-Identifier: BSD-3-Clause
"""What drives the browsers, from npm as package-lock.json names it."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def install():
    """npm ci, if what is installed is not what package-lock.json asks for."""
    installed = HERE / "node_modules" / ".package-lock.json"
    wanted = HERE / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
        return
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
    environment = os.environ
    if os.geteuid() == 0:
        # As the owner of the checkout, who could not remove what root puts into it.
        owner = pwd.getpwuid(HERE.stat().st_uid)
        npm = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--init-groups", *npm]
        environment = os.environ | {"HOME": owner.pw_dir}
    subprocess.run(npm, cwd=HERE, stdout=sys.stderr, check=True, env=environment)
