"""Model parameters in front matter: passed through as they are, except for slips that no endpoint would accept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from retest.errors import Location, Problem
from retest.suites.suggestions import closest

KNOWN_PARAMS = frozenset(
    """
    audio chat_template_kwargs dimensions echo extra_body extra_headers extra_query frequency_penalty function_call
    functions grammar guided_choice guided_grammar guided_json guided_regex ignore_eos include instructions keep_alive
    length_penalty logit_bias logprobs max_completion_tokens max_output_tokens max_prompt_tokens max_tokens
    max_tool_calls metadata min_p min_tokens mirostat mirostat_eta mirostat_tau modalities moderation n num_ctx
    num_predict options parallel_tool_calls prediction presence_penalty previous_response_id prompt_cache_key
    prompt_cache_options prompt_cache_retention reasoning reasoning_effort repeat_last_n repeat_penalty
    repetition_penalty response_format safe_prompt safety_identifier seed service_tier skip_special_tokens stop
    stop_sequences stop_token_ids store stream stream_options structured_outputs temperature text tfs_z thinking
    thinking_budget tool_choice tools top_a top_k top_logprobs top_p truncation typical_p use_beam_search user
    verbosity web_search_options
    """.split()  # noqa: SIM905 - ninety names, one a line, would hide the rest of the file
)
# Close enough to be a slip, far enough for vendors' own names (top_k beside top_p) to pass.
_SLIP = 0.87

_NUMBER = (int, float)
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "temperature": (_NUMBER, "a number from 0 to 2"),
    "top_p": (_NUMBER, "a number from 0 to 1"),
    "presence_penalty": (_NUMBER, "a number"),
    "frequency_penalty": (_NUMBER, "a number"),
    "max_tokens": ((int,), "a whole number above 0"),
    "max_completion_tokens": ((int,), "a whole number above 0"),
    "max_output_tokens": ((int,), "a whole number above 0"),
    "seed": ((int,), "a whole number"),
    "n": ((int,), "1"),
    "stop": ((str, list), "a text or a list of texts"),
    "response_format": ((dict,), "an object such as {type: json_object}"),
    "tools": ((list,), "a list of tools"),
    "reasoning_effort": ((str,), "a text such as low"),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "max_tokens": (1, float("inf")),
    "max_completion_tokens": (1, float("inf")),
    "max_output_tokens": (1, float("inf")),
    "n": (1, 1),  # repeats are samples, which retest counts and pays for one by one
}


def param_problems(params: Mapping[str, Any], where: Callable[[str], Location | None]) -> Iterator[Problem]:
    """Yield what is surely wrong: a misspelled name, a value of the wrong type or range."""
    for name, value in params.items():
        problem = _name_problem(name, where(name)) or _value_problem(name, value, where(name))
        if problem is not None:
            yield problem


def _name_problem(name: str, where: Location | None) -> Problem | None:
    match = None if name in KNOWN_PARAMS else closest(name, KNOWN_PARAMS, cutoff=_SLIP)
    if match is None:
        return None
    return Problem(
        slug="prompt-param-name",
        message=f"unknown parameter '{name}'",
        where=where,
        details=("parameters that retest does not know are passed through, but this one looks like a slip",),
        fix=f"did you mean '{match}'? A parameter that is really called '{name}' goes under extra_body",
    )


def _value_problem(name: str, value: Any, where: Location | None) -> Problem | None:
    if name not in _TYPES or value is None:
        return None
    types, expected = _TYPES[name]
    low, high = _RANGES.get(name, (float("-inf"), float("inf")))
    fits = isinstance(value, types) and not isinstance(value, bool)
    if fits and not (isinstance(value, int | float) and not low <= value <= high):
        return None
    return Problem(
        slug="prompt-param-value",
        message=f"the parameter '{name}' must be {expected}, not {value!r:.80}",
        where=where,
    )
