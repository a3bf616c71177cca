"""What is told while a run runs."""

from __future__ import annotations

import pytest

from retest.cli.progress import RunProgress
from retest.runner.events import EndpointLimit


@pytest.mark.parametrize(("quiet", "told"), [(False, "limited by the endpoint to about 48 calls/s\n"), (True, "")])
def test_a_limit_of_the_endpoint_is_one_line(capsys: pytest.CaptureFixture[str], quiet: bool, told: str) -> None:  # noqa: FBT001 - a parameter of the test
    """On standard error, unless nothing is to be told."""
    with RunProgress(quiet=quiet, verbose=False) as progress:
        progress(EndpointLimit(calls_per_s=48.2))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", told)
