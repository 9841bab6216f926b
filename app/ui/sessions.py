"""What Gradio remembers of a session, dropped soon after the page or the program is gone.

Gradio keeps a copy of the page's configuration for each session, also for each call of a program,
and the results that nobody has fetched.
"""

from __future__ import annotations

import datetime
import logging
import threading
from typing import TYPE_CHECKING, Any

from ..errors import class_and_place
from .silent_connections import SilentConnections
from .streams import OpenStreams

if TYPE_CHECKING:
    from .security import Guard

LOOK_S = 5.0  # between two looks
PROGRAM_S = 60.0  # that a program has to fetch a result after its call has ended
PAGE_S = 3_600.0  # that a page which was closed or lost its connection has to come back
MAX_CLOSED_PAGES = 500  # each takes a tenth of a megabyte; those closed last are kept
log = logging.getLogger(__name__)


def drop_idle_sessions(page: Any, pages: OpenStreams, streams: OpenStreams) -> None:
    """Drop the sessions of `page` that have ended: nothing of them is open, waits or runs.

    `pages` are the heartbeats of open pages, `streams` the events that somebody listens to.
    """
    queue, holder = page._queue, page.app.state_holder
    busy = {event.session_hash for event in list(queue.event_ids_to_events.values())}
    now, closed = datetime.datetime.now(), []
    for session in list(holder.session_data):
        if session in busy or pages.is_open(session) or streams.is_open(session):
            continue
        idle_s = (now - holder.time_last_used.get(session, now)).total_seconds()
        if pages.was_open(session) and idle_s <= PAGE_S:
            closed.append((idle_s, session))
        elif pages.was_open(session) or idle_s > PROGRAM_S:
            _drop(page, session)
    for _, session in sorted(closed)[MAX_CLOSED_PAGES:]:
        _drop(page, session)


def _drop(page: Any, session: str) -> None:
    queue, holder = page._queue, page.app.state_holder
    for kept in (
        holder.session_data,
        holder.time_last_used,
        queue.pending_messages_per_session,
        queue.pending_event_ids_session,
    ):
        kept.pop(session, None)


def drop_ended_uploads(progress: Any, ended: set[str], is_any_open: bool) -> set[str]:
    """Drop the progress of uploads that had `ended` at the last look; return those that have now.

    Gradio keeps what it notes under each name that a request gave an upload, or asked for.
    """
    known = progress._statuses
    over = {
        name
        for name in list(progress._signals)
        if not is_any_open or name not in known or known[name].is_done
    }
    for name in over & ended:  # two looks: its page may still ask for the end
        progress._signals.pop(name, None)
        known.pop(name, None)
    return over - ended


def start_dropping(page: Any, guard: Guard) -> None:
    """Start a thread that drops idle sessions as long as the page is served."""
    from gradio.routes import file_upload_statuses

    def close_silent() -> None:
        silent.close(list(page.server.server_state.connections))

    def look() -> None:
        ended = set[str]()
        while not page._queue.stopped:
            try:
                drop_idle_sessions(page, guard.pages, guard.streams)
                ended = drop_ended_uploads(file_upload_statuses, ended, guard.open_uploads > 0)
                for connection in list(page.server.server_state.connections)[:1]:
                    connection.loop.call_soon_threadsafe(close_silent)
            except Exception as error:  # or nothing would be dropped from then on
                log.error("dropping sessions failed: %s", class_and_place(error))
            pause.wait(LOOK_S)

    pause, silent = threading.Event(), SilentConnections()
    threading.Thread(target=look, name="sessions", daemon=True).start()
