"""How much scoring may move to processes of its own, as the settings say."""

from __future__ import annotations

from retest.runner.events import Listener, Notice, ignore_events
from retest.runner.score_processes import ProcessOptions
from retest.workflows.settings import Settings


def process_options(
    settings: Settings, samples: int | None = None, listener: Listener = ignore_events
) -> ProcessOptions:
    """Return how to score so many samples, as far as their number is known; the listener hears of lost processes."""
    return ProcessOptions(
        limit=settings.score_processes,
        programs=settings.programs,
        samples=samples,
        tell=lambda message: listener(Notice(message=message)),
    )
