# SPDX-License-Identifier: GPL-2.0-only
"""Make drift/data/fingerprints.json anew: scripts/fingerprints.py 6.12 LINUX_TREE ..."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faultlock.drift.citations import read_citations
from faultlock.drift.compare import DATA, SCHEMA, take_fingerprints, tree_version
from faultlock.lang.model import KERNEL_FOLDER, POLICY_FOLDER


def main() -> int:
    """Pairs of version and tree; each tree must be of that version."""
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    if not pairs:
        print(__doc__, file=sys.stderr)
        return 2
    citations = read_citations([KERNEL_FOLDER, POLICY_FOLDER])
    versions = {}
    for version, tree in pairs:
        found = tree_version(Path(tree))
        if not found.startswith(version + "."):
            print(f"{tree} is Linux {found}, not {version}", file=sys.stderr)
            return 2
        cited = [item for item in citations if item.version == version]
        versions[version] = take_fingerprints(Path(tree), cited)
        print(f"{version} ({found}): {sum(map(len, versions[version].values()))} functions")
    text = json.dumps({"schema": SCHEMA, "versions": versions}, indent=1, sort_keys=True)
    DATA.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
