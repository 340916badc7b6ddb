# SPDX-License-Identifier: GPL-2.0-only
"""`python -m faultlock`."""

import sys

from faultlock.cli import main

sys.exit(main())
