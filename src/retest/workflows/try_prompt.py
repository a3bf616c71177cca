"""One prompt, one input, one answer: to look at, not stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, content_hash
from retest.domain.prompt import Prompt
from retest.domain.sample import CallError, CallOutcome, Response
from retest.domain.suite import TargetSpec
from retest.errors import IncompleteError, Location, Problem, SuiteError, UsageError
from retest.suites.prompt_params import param_problems
from retest.suites.suggestions import did_you_mean, listing
from retest.targets.base import Request, Target
from retest.targets.registry import TargetContext, open_target, providers
from retest.targets.streaming import StreamError, StreamingTarget
from retest.workflows.check import check_suites
from retest.workflows.render import load_prompt_file, refuse_unused
from retest.workflows.workspace import Workspace

_READ_VARIABLES = frozenset({"http", "python", "command", "replay"})  # providers that may use what the prompt does not


@dataclass(frozen=True, slots=True, kw_only=True)
class TryRequest:
    """What to ask whom: a target of a suite, or a provider with its options."""

    path: str
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    suite: str | None = None
    target: str | None = None
    provider: str = "openai"
    model: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    params: Mapping[str, JsonValue] = field(default_factory=dict)


def try_prompt(request: TryRequest, workspace: Workspace, show: Callable[[str], None]) -> Response:
    """Ask once, showing the answer piece by piece where the target can.

    Raises:
        SuiteError: the prompt or the suite is wrong.
        UsageError: an unknown provider, a parameter that no endpoint would take, a variable that nothing uses.
        IncompleteError: the call failed.
    """
    wrong = list(param_problems(request.params, lambda name: Location(path=f"--param {name}")))
    if wrong:
        raise UsageError(*wrong)
    prompt = load_prompt_file(request.path, workspace)
    spec = _find_target(request, prompt, workspace)
    if spec.provider not in _READ_VARIABLES:
        refuse_unused(prompt, request.variables)
    messages = prompt.template.render(request.variables)
    call = Request(
        messages=messages,
        model=request.model or spec.model or prompt.model,
        params={**prompt.params, **spec.params, **request.params},
        case=Case(case_id="try", vars=request.variables, content_hash=content_hash(dict(request.variables))),
        sample_index=0,
        prompt_name=prompt.name,
    )
    outcome = asyncio.run(_ask(spec, call, workspace, show))
    if isinstance(outcome, CallError):
        raise IncompleteError(
            Problem(slug="try-failed", message=f"no answer: {outcome.message}", details=(f"kind: {outcome.kind}",))
        )
    return outcome


async def _ask(spec: TargetSpec, call: Request, workspace: Workspace, show: Callable[[str], None]) -> CallOutcome:
    context = TargetContext(env=workspace.env, prices=workspace.prices(), concurrency=1)
    target = await asyncio.to_thread(open_target, spec, context)
    try:
        return await _answer(target, call, show)
    finally:
        await target.aclose()


async def _answer(target: Target, call: Request, show: Callable[[str], None]) -> CallOutcome:
    if not isinstance(target, StreamingTarget):
        outcome = await target.call(call)
        if isinstance(outcome, Response):
            show(outcome.output)
        return outcome
    pieces: list[str] = []
    try:
        async for piece in target.stream(call):
            pieces.append(piece)
            show(piece)
    except StreamError as error:
        return error.error
    return Response(output="".join(pieces))


def _find_target(request: TryRequest, prompt: Prompt, workspace: Workspace) -> TargetSpec:
    if request.suite is None:
        _check_request(request)
        if request.provider == "openai" and not (request.model or prompt.model):
            raise UsageError(
                Problem(
                    slug="try-without-model",
                    message="which model?",
                    fix="give --model, --suite, or name the model in the prompt's front matter",
                )
            )
        return TargetSpec(
            name=request.provider,
            provider=request.provider,
            model=request.model or prompt.model,
            options=request.options,
            base_dir=workspace.cwd,
        )
    checked = check_suites([request.suite], workspace)
    if checked.errors:
        raise SuiteError(*checked.errors)
    specs = {arm.target.name: arm.target for suite in checked.suites for arm in suite.arms}
    if request.target is not None and request.target not in specs:
        raise UsageError(
            Problem(
                slug="target-unknown",
                message=f"the suite has no target '{request.target}'",
                details=(f"it has: {', '.join(specs)}",),
            )
        )
    return specs[request.target] if request.target is not None else next(iter(specs.values()))


def _check_request(request: TryRequest) -> None:
    """Check a provider named on the command line as one in a suite would be."""
    known = providers()
    if request.provider not in known:
        raise UsageError(
            Problem(
                slug="suite-unknown-provider",
                message=f"unknown provider '{request.provider}'",
                details=(f"known providers: {listing(known)}",),
                fix=did_you_mean(request.provider, known),
            )
        )
    missing = _missing_options(request.provider, request.options)
    if missing:
        raise UsageError(
            Problem(
                slug="try-needs-suite",
                message=f"the provider '{request.provider}' needs more than flags can say: {', '.join(missing)}",
                fix="describe the target in a suite, and give --suite",
            )
        )


def _missing_options(provider: str, options: Mapping[str, JsonValue]) -> list[str]:
    """Return the options that a provider cannot do without and that are not given."""
    fields = providers()[provider].info.options().model_fields
    return [name for name, about in fields.items() if about.is_required() and name not in options]
