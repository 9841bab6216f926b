"""Start the page: python app.py [--help]."""

import sys

from app.ui.launch import main

if __name__ == "__main__":
    sys.exit(main())
