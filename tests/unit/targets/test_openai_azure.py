"""Azure OpenAI, against a real server on loopback."""

from __future__ import annotations

from typing import Any

import pytest

from retest.errors import UsageError
from retest.targets.prices import load_prices
from support.openai_server import OpenAIServer, Received, ok, unauthorized
from support.targets import error_of, identity_of, make_request, open_with, response_of

ENV = {"AZURE_OPENAI_API_KEY": "azure-key-1", "ENTRA": "entra-token-1"}


def request_sent(model: str | None = "gpt-4o", **options: Any) -> Received:
    with OpenAIServer() as server:
        settings = {"endpoint": server.origin, "api_version": "2024-10-21", **options}
        response_of(open_with("azure_openai", settings, env=ENV), make_request(model=model))
        return server.requests[0]


def test_the_deployment_is_in_the_path_and_the_key_in_its_header() -> None:
    """Azure's own address and header."""
    received = request_sent(deployment="my dep")
    assert received.path == "/openai/deployments/my dep/chat/completions"
    assert received.query == {"api-version": "2024-10-21"}
    assert received.headers["api-key"] == "azure-key-1"
    assert "authorization" not in received.headers


def test_without_deployment_the_model_names_it() -> None:
    """Deployments are usually named after their model."""
    assert request_sent().path == "/openai/deployments/gpt-4o/chat/completions"


def test_a_token_is_sent_as_bearer() -> None:
    """Entra tokens take the place of the key."""
    received = request_sent(token_env="ENTRA")
    assert received.headers["authorization"] == "Bearer entra-token-1"
    assert "api-key" not in received.headers


def test_the_responses_api_has_the_deployment_in_the_body() -> None:
    """Its path knows no deployment."""
    received = request_sent(api="responses", deployment="dep")
    assert (received.path, received.body["model"]) == ("/openai/responses", "dep")


def test_endpoint_and_version_default_to_azures_variables() -> None:
    """The variables of Azure's own documentation are understood."""
    with OpenAIServer() as server:
        env = {**ENV, "AZURE_OPENAI_ENDPOINT": server.origin + "/", "OPENAI_API_VERSION": "v9"}
        response_of(open_with("azure_openai", {}, env=env))
        assert server.requests[0].query["api-version"] == "v9"


@pytest.mark.parametrize(
    ("options", "env", "says"),
    [
        ({"endpoint": "http://h", "api_version": "v"}, {}, "AZURE_OPENAI_API_KEY is not set"),
        ({"endpoint": "http://h", "api_version": "v", "token_env": "TOK"}, ENV, "TOK is not set"),
        ({"endpoint": "http://h"}, ENV, "API version"),
        ({"api_version": "v"}, ENV, "AZURE_OPENAI_ENDPOINT"),
        ({"endpoint": "h", "api_version": "v"}, ENV, "http"),
    ],
)
def test_what_is_missing_is_found_before_any_call(options: dict[str, Any], env: dict[str, str], says: str) -> None:
    """Key, token, version and endpoint are checked when the target is opened."""
    with pytest.raises(UsageError, match=says):
        open_with("azure_openai", options, env=env)


def test_without_deployment_and_model_the_run_stops() -> None:
    """No call could succeed."""
    options = {"endpoint": "http://127.0.0.1:1", "api_version": "v"}
    found = error_of(open_with("azure_openai", options, env=ENV), make_request(model=None))
    assert (found.kind, found.fatal) == ("bad_request", True)


def test_a_refused_key_names_its_variable_and_not_itself() -> None:
    """The message leads to the variable."""
    with OpenAIServer([unauthorized("key azure-key-1 is wrong")]) as server:
        options = {"endpoint": server.origin, "api_version": "v"}
        found = error_of(open_with("azure_openai", options, env=ENV))
    assert found.fatal
    assert "AZURE_OPENAI_API_KEY" in found.message
    assert "azure-key-1" not in found.message


def test_the_cost_follows_the_returned_model() -> None:
    """A deployment's name says nothing of its price."""
    with OpenAIServer([ok("x", model="gpt-4o-2024-11-20")]) as server:
        options = {"endpoint": server.origin, "api_version": "v", "deployment": "prod"}
        response = response_of(open_with("azure_openai", options, env=ENV, prices=load_prices()))
    assert response.cost_usd == pytest.approx((10 * 2.5 + 10) / 1e6)


def test_identity_has_deployment_and_version_and_no_key() -> None:
    """Two deployments are two targets."""
    options = {"endpoint": "http://h", "api_version": "v"}
    first = identity_of(open_with("azure_openai", {**options, "deployment": "a"}, env=ENV))
    second = identity_of(open_with("azure_openai", {**options, "deployment": "b"}, env=ENV))
    assert first != second
    assert "azure-key-1" not in first
