"""The `azure_openai` provider: deployments on Azure, by key or by Entra token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import Field

from retest.domain.catalog import ProviderInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome
from retest.domain.suite import TargetSpec
from retest.errors import Location, Problem, UsageError
from retest.targets.base import Request
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
from retest.targets.openai_client import Connection, Endpoint, timeout
from retest.targets.openai_import import load_openai
from retest.targets.openai_target import EndpointOptions, OpenAITarget, Pricing, choose_format
from retest.targets.registry import Provider, TargetContext

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncAzureOpenAI


class AzureOptions(EndpointOptions):
    """Options of the `azure_openai` provider."""

    endpoint: str = Field(
        default="${AZURE_OPENAI_ENDPOINT}", description="such as https://NAME.openai.azure.com; ${VAR} is filled in"
    )
    api_version: str | None = Field(default=None, description="such as 2024-10-21; unset: OPENAI_API_VERSION")
    deployment: str | None = Field(default=None, description="name of the deployment; unset: the model's name")
    api_key_env: str = Field(default="AZURE_OPENAI_API_KEY", description="environment variable that holds the key")
    token_env: str | None = Field(
        default=None, description="environment variable that holds an Entra token, sent instead of a key"
    )


class AzureTarget(OpenAITarget):
    """Answers from one deployment."""

    deployment: str | None = None
    batch_prefix = ""

    async def call(self, request: Request) -> CallOutcome:
        """Return the response or the error of one attempt."""
        if self._deployment(request) is None:
            message = "no deployment: name one with `deployment` or `model` in the target"
            return CallError(kind="bad_request", message=message, fatal=True)
        return await super().call(request)

    def _deployment(self, request: Request) -> str | None:
        return self.deployment or request.model

    def _path(self, request: Request) -> str:
        if self._format.path == "/responses":  # takes the deployment in the body
            return self._format.path
        return f"/deployments/{quote(self._deployment(request) or '', safe='')}{self._format.path}"

    def _body(self, request: Request) -> dict[str, JsonValue]:
        return {**super()._body(request), "model": self._deployment(request)}


def _credential(options: AzureOptions, env: Mapping[str, str], url: str, where: Location | None) -> tuple[str, str]:
    """Return the credential and the name of its variable."""
    name = options.token_env or options.api_key_env
    value = read_key(name, env, where=where)
    if value is None:
        raise missing_key(name, public_url(url), where=where)
    return value, name


def _api_version(options: AzureOptions, context: TargetContext, where: Location | None) -> str:
    version = options.api_version or context.env.get("OPENAI_API_VERSION")
    if not version:
        raise UsageError(
            Problem(
                slug="target-api-version",
                message="an azure_openai target needs an API version",
                where=where,
                fix="set api_version (such as 2024-10-21), or the environment variable OPENAI_API_VERSION",
            )
        )
    return version


def _connect(endpoint: Endpoint, api_version: str, *, token: bool, scrubber: Scrubber) -> Connection:
    load_openai()
    from openai import AsyncAzureOpenAI

    def make_client(http_client: httpx2.AsyncClient) -> AsyncAzureOpenAI:
        client = AsyncAzureOpenAI(
            base_url=f"{endpoint.base_url.rstrip('/')}/openai",
            api_version=api_version,
            api_key=None if token else endpoint.api_key,
            azure_ad_token=endpoint.api_key if token else None,
            organization="",
            project="",
            timeout=timeout(endpoint),
            max_retries=0,
            default_headers=endpoint.headers,
            http_client=http_client,
        )
        client.organization = client.project = None  # see openai_client.connect
        return client

    return Connection(make_client, endpoint, scrubber)


def _open_azure(spec: TargetSpec, context: TargetContext) -> AzureTarget:
    options = AzureOptions.model_validate(dict(spec.options))
    url = expand(options.endpoint, context.env, setting="endpoint", where=spec.where)
    check_url(url.value, "endpoint", spec.where)
    headers = expand_headers(options.headers, context.env, where=spec.where)
    credential, source = _credential(options, context.env, url.shown, spec.where)
    api_version = _api_version(options, context, spec.where)
    endpoint = Endpoint(
        base_url=url.value,
        shown_url=public_url(url.shown),
        api_key=credential,
        key_source=source,
        headers=headers.values,
        timeout_s=options.timeout_s,
        concurrency=context.concurrency,
    )
    identity: dict[str, JsonValue] = {
        "provider": "azure_openai",
        "endpoint": endpoint.shown_url.rstrip("/"),
        "deployment": options.deployment,
        "api_version": api_version,
        "api": options.api,
        "headers": dict(headers.shown),
        "extra_body": hide_sensitive(options.extra_body),
    }
    scrubber = Scrubber([credential, *url.secrets, *url_secrets(url.value), *headers.secrets])
    target = AzureTarget(
        _connect(endpoint, api_version, token=options.token_env is not None, scrubber=scrubber),
        choose_format(options.api),
        identity=identity,
        pricing=Pricing(table=context.prices, own=options.price),
        extra_body=options.extra_body,
        limits=options.rate_limits,
    )
    target.deployment = options.deployment
    return target


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        info=ProviderInfo(
            name="azure_openai",
            summary="Azure OpenAI: endpoint, API version and deployment, with a key or an Entra token",
            options=lambda: AzureOptions,
            needs_model=True,
            paid=True,
        ),
        open=_open_azure,
    ),
)
