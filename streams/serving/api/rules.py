"""`/v1/rules`: alert rules with their versions, and what a rule would have done."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.hindsight import Stretch
from storage.rules import RuleConflictError, StoredRule, put_rule, read_versions
from storage.upgrade import server_time_ns
from streams.alerts.report import BackTestBody, report
from streams.alerts.rule import RuleError, RuleSpec, plain, said, shipped_rules, spec_from_json
from streams.alerts.stored import TooMuchError, run_back_test
from streams.serving.access.caller import Supervisor, Viewer
from streams.serving.answers import json_answer
from streams.serving.api.bodies_rules import (
    BackTestRequest,
    RuleBody,
    RuleDetail,
    RulePage,
    newest_bodies,
    shipped_body,
    stored_body,
)
from streams.serving.api.conversations import ID, CursorParam, to_ns
from streams.serving.api.cursors import from_cursor, to_cursor
from streams.serving.api.schemas import TEMPLATE, answers
from streams.serving.problems import ProblemError, documented

PAGE: Final = 100
LARGEST_PAGE: Final = 500
MOST_WINDOWS: Final = 100_000
"""Of a back-test by HTTP: 28 hours of talk, well under a minute (370 us a window were measured on
SQLite, on a busy core)."""
MOST_RULES: Final = 100
"""Of a tenant: every window of every participant is shown to each."""
AUTHOR: Final = 256
"""Longest name of an author that is kept."""
AT_ONCE: Final = 2
"""Back-tests of one process; more wait, so that the other routes stay quick."""

RuleName = Annotated[str, Path(pattern=ID)]
IfMatch = Annotated[
    str | None,
    Header(description='The version that was read, in quotes (`"3"`), or `*` for any.'),
]


def router(engine: AsyncEngine) -> APIRouter:
    """Routes over the rules of the caller's tenant."""
    routes = APIRouter(prefix="/v1/rules", tags=["rules"])
    _add_reading(routes, engine)
    _add_writing(routes, engine)
    _add_trying(routes, engine)
    return routes


def _add_reading(routes: APIRouter, engine: AsyncEngine) -> None:
    @routes.get("", responses=answers(RulePage) | documented(422, 503))
    async def rules(
        caller: Viewer,
        cursor: CursorParam = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    ) -> Response:
        """The newest version of each rule by name, shipped ones that are switched off included.

        A version that was just written holds for windows that start at its `valid_from`.
        """
        after = "" if cursor is None else from_cursor(cursor, str)
        bodies = await newest_bodies(engine, caller.tenant)
        found = [body for body in bodies if body.name > after]
        page = found[:limit]
        more = to_cursor(page[-1].name) if len(found) > limit else None
        return json_answer(RulePage(items=tuple(page), next=more))

    @routes.get("/{name}", responses=answers(RuleDetail) | documented(404, 422, 503))
    async def rule(caller: Viewer, name: RuleName) -> Response:
        """One rule with all of its versions. `ETag` names the newest."""
        versions = await _versions(engine, caller.tenant, name)
        newest = msgspec.structs.asdict(versions[0])
        return json_answer(
            RuleDetail(**newest, versions=tuple(versions)),
            headers=_version(versions[0].version),
        )


def _add_writing(routes: APIRouter, engine: AsyncEngine) -> None:
    @routes.put(
        "/{name}",
        responses=answers(RuleBody) | documented(412, 422, 503),
        openapi_extra=_body(RuleSpec),
    )
    async def put(
        caller: Supervisor, name: RuleName, request: Request, if_match: IfMatch = None
    ) -> Response:
        """Write the next version. It holds for windows that start at its `valid_from`.

        Running alerts of the version before end with the reason `rule_changed`, unless only
        `severity`, `notify`, `summary` or `runbook` changed.
        """
        try:
            spec = spec_from_json(await request.body(), "rule")
        except RuleError as exc:
            raise _invalid(str(exc).removeprefix("rule: ")) from exc
        held = {body.name for body in await newest_bodies(engine, caller.tenant) if body.spec}
        if len(held | {name}) > MOST_RULES:
            raise _invalid(f"a tenant has at most {MOST_RULES} rules: delete one first")
        stored = await _put(engine, caller, name, spec, if_match)
        return json_answer(stored_body(stored), headers=_version(stored.version))

    @routes.delete(
        "/{name}",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=documented(404, 412, 422, 503),
    )
    async def delete(caller: Supervisor, name: RuleName, if_match: IfMatch = None) -> Response:
        """Switch the rule off, a shipped one too. Its versions stay readable."""
        versions = await _versions(engine, caller.tenant, name)
        if versions[0].spec is None:
            raise _unknown()
        await _put(engine, caller, name, None, if_match)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_trying(routes: APIRouter, engine: AsyncEngine) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    @routes.post(
        "/backtest",
        responses=answers(BackTestBody) | documented(422, 503),
        openapi_extra=_body(BackTestRequest),
    )
    async def backtest(caller: Supervisor, request: Request) -> Response:
        """Show a rule the stored scores of conversations that ran between `from` and `to`.

        Rates are alerts in an hour of watched time. Nothing is stored.
        """
        asked = _asked(await request.body())
        stretch = Stretch(
            tenant=caller.tenant,
            from_ns=to_ns(asked.begin),
            to_ns=to_ns(asked.end),
            queue=asked.queue,
        )
        if stretch.from_ns >= stretch.to_ns:
            raise _invalid("to: is not after from")
        try:
            async with turns:
                findings = await run_back_test(
                    engine,
                    asked.rule,
                    stretch,
                    wanted_per_hour=asked.wanted_per_hour,
                    most_windows=MOST_WINDOWS,
                )
        except TooMuchError as exc:
            raise _invalid(f"from: {exc}") from exc
        return json_answer(report(findings, stretch))


async def _versions(engine: AsyncEngine, tenant: str, name: str) -> list[RuleBody]:
    """Newest first, the shipped one last. Raises ProblemError (404) where there is none."""
    versions = [stored_body(rule) for rule in await read_versions(engine, tenant, name)]
    shipped = shipped_rules().get(name)
    if shipped is not None:
        versions.append(shipped_body(name, shipped))
    if not versions:
        raise _unknown()
    return versions


async def _put(
    engine: AsyncEngine,
    caller: Supervisor,
    name: str,
    spec: RuleSpec | None,
    if_match: str | None,
) -> StoredRule:
    try:
        return await put_rule(
            engine,
            caller.tenant,
            name,
            None if spec is None else plain(spec),
            author=caller.name[:AUTHOR],
            now_ns=await server_time_ns(engine),
            expected_version=_expected(if_match),
        )
    except RuleConflictError as exc:
        raise ProblemError(HTTPStatus.PRECONDITION_FAILED, str(exc), version=exc.found) from exc


def _expected(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    version = re.fullmatch(r'\s*"(\d{1,9})"\s*', if_match, re.ASCII)
    if version is None:
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED,
            'If-Match: is no version of a rule; send the ETag that was read, as `"3"`',
        )
    return int(version[1])


def _asked(data: bytes) -> BackTestRequest:
    try:
        return msgspec.json.decode(data, type=BackTestRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _invalid(said(exc)) from exc


def _invalid(detail: str) -> ProblemError:
    """From `field: what to change`, or from what is wrong with all of it."""
    named = re.match(r"(?P<field>[^\s:]+): (?P<message>.+)", detail, re.DOTALL)
    wrong = named.groupdict() if named else {"field": "", "message": detail}
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=[wrong])


def _body(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """OpenAPI of a body that msgspec reads."""
    schema = {"$ref": TEMPLATE.format(name=kind.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _version(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


def _unknown() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "No rule of this tenant has this name.")
