#!/bin/sh
# macOS and Linux: start the page in a window, or in the browser; files named after it are opened.
# A double click in the Finder runs this file in a terminal. Nothing of it needs to be installed
# beyond what the README says; it may lie in the project's folder or anywhere else.
here=$(cd "$(dirname "$0")" && pwd)
project=$here/../..
if [ -x "$project/.venv/bin/python" ]; then
  exec "$project/.venv/bin/python" "$project/app.py" --desktop "$@"
elif command -v longt5-summarizer >/dev/null; then
  exec longt5-summarizer serve --desktop "$@"
fi
echo "The summarizer is not installed: follow Install in its README first." >&2
exit 1
