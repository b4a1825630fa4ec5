"""`python -m agent` is `run-agent`."""

import sys

from agent.cli import main

sys.exit(main())
