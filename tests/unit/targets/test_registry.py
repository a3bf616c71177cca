from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import BaseModel

from retest.targets.registry import providers

EXPECTED = {"openai", "azure_openai", "replay", "python", "command", "http", "local"}


def test_every_provider_is_registered() -> None:
    """The names that suites use."""
    assert set(providers()) == EXPECTED


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_provider_describes_strict_options(name: str) -> None:
    """Unknown keys are refused, and every option says what it is, for the published schema."""
    options = providers()[name].info.options()
    assert issubclass(options, BaseModel)
    assert options.model_config.get("extra") == "forbid"
    assert not [field for field, info in options.model_fields.items() if not info.description]
    assert providers()[name].info.summary


def test_only_code_of_the_users_own_counts_as_running_code() -> None:
    """What untrusted suites may not name."""
    assert {name for name, provider in providers().items() if provider.info.runs_code} == {"python", "command"}


def test_listing_providers_loads_no_heavy_library() -> None:
    """`retest check` and the schema stay quick."""
    heavy = ("openai", "aiohttp", "httpx2", "xllamacpp", "jinja2", "numpy")
    listing = "import sys; from retest.targets.registry import providers; list(providers().values())"
    code = f"{listing}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_paid_providers_are_those_behind_a_network() -> None:
    """Estimates and budgets count their calls; a recording, own code and a local file charge nothing per call."""
    assert {name for name, provider in providers().items() if provider.info.paid} == {"openai", "azure_openai", "http"}


def test_opening_a_recording_loads_no_other_provider() -> None:
    """A suite pays at its start for the providers that it names."""
    code = (
        "import sys\n"
        "from retest.targets.registry import providers\n"
        "providers()['replay']\n"
        "print([name for name in ('openai_chat', 'http', 'command') if f'retest.targets.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
