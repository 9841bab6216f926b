"""Run the command line: `python -m app`, or `python -m longt5_summarizer` once installed."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
