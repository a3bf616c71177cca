"""The `openai` provider: the OpenAI API, and every server that speaks its wire format under another base URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field

from retest.domain.catalog import ProviderInfo
from retest.domain.json_value import JsonValue
from retest.domain.suite import TargetSpec
from retest.errors import Location
from retest.targets.credentials import (
    Scrubber,
    check_url,
    expand,
    expand_headers,
    hide_sensitive,
    missing_key,
    public_url,
    read_key,
    url_secrets,
)
from retest.targets.openai_client import Endpoint, connect
from retest.targets.openai_target import EndpointOptions, OpenAITarget, Pricing, choose_format
from retest.targets.registry import Provider, TargetContext

_OFFICIAL_URL = "https://api.openai.com/v1"
_DEFAULT_KEY = "OPENAI_API_KEY"


class OpenAIOptions(EndpointOptions):
    """Options of the `openai` provider."""

    base_url: str | None = Field(
        default=None, description="any OpenAI-compatible endpoint; unset: OPENAI_BASE_URL, else OpenAI's own"
    )
    api_key_env: str | None = Field(
        default=_DEFAULT_KEY, description="environment variable that holds the key; null sends none"
    )
    organization: str | None = Field(default=None, description="OpenAI organization; unset: OPENAI_ORG_ID")
    project: str | None = Field(default=None, description="OpenAI project; unset: OPENAI_PROJECT_ID")


def _api_key(options: OpenAIOptions, url: str, context: TargetContext, where: Location | None) -> str | None:
    """Return the key to send.

    OpenAI itself always needs one. Other servers may not (vLLM, Ollama on loopback): there only a variable that the
    suite names otherwise than the default must be set.
    """
    if options.api_key_env is None:
        return None
    key = read_key(options.api_key_env, context.env, where=where)
    official = urlsplit(url).hostname == urlsplit(_OFFICIAL_URL).hostname
    if key is None and (official or options.api_key_env != _DEFAULT_KEY):
        raise missing_key(options.api_key_env, public_url(url), where=where)
    return key


def _open_openai(spec: TargetSpec, context: TargetContext) -> OpenAITarget:
    options = OpenAIOptions.model_validate(dict(spec.options))
    base_url = options.base_url or context.env.get("OPENAI_BASE_URL") or _OFFICIAL_URL
    url = expand(base_url, context.env, setting="base_url", where=spec.where)
    check_url(url.value, "base_url", spec.where)
    headers = expand_headers(options.headers, context.env, where=spec.where)
    key = _api_key(options, url.value, context, spec.where)
    endpoint = Endpoint(
        base_url=url.value,
        shown_url=public_url(url.shown),
        api_key=key,
        key_source=options.api_key_env if key else None,
        headers=headers.values,
        organization=options.organization or context.env.get("OPENAI_ORG_ID") or None,
        project=options.project or context.env.get("OPENAI_PROJECT_ID") or None,
        timeout_s=options.timeout_s,
        concurrency=context.concurrency,
    )
    identity: dict[str, JsonValue] = {
        "provider": "openai",
        "base_url": endpoint.shown_url.rstrip("/"),
        "api": options.api,
        "headers": dict(headers.shown),
        "extra_body": hide_sensitive(options.extra_body),
    }
    scrubber = Scrubber([key or "", *url.secrets, *url_secrets(url.value), *headers.secrets])
    return OpenAITarget(
        connect(endpoint, scrubber),
        choose_format(options.api),
        identity=identity,
        pricing=Pricing(table=context.prices, own=options.price),
        extra_body=options.extra_body,
        limits=options.rate_limits,
    )


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        info=ProviderInfo(
            name="openai",
            summary="the OpenAI API or any compatible server (vLLM, Ollama, LiteLLM, Gemini, Databricks) by base_url",
            options=lambda: OpenAIOptions,
            needs_model=True,
            paid=True,
        ),
        open=_open_openai,
    ),
)
