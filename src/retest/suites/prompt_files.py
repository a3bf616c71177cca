"""Prompt files: read, checked and compiled, with every problem of a file reported at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retest.domain.json_value import content_hash
from retest.domain.prompt import Prompt, Template
from retest.errors import Location, Problem, SuiteError
from retest.suites.front_matter import FileParts, HeaderReader, Place, PromptHeader, split_front_matter
from retest.suites.prompt_arrays import ChatArray, conversation_source, has_jinja, message_problems, read_array
from retest.suites.prompt_images import ImageFolder
from retest.suites.prompt_labels import without_labels
from retest.suites.prompt_sources import SourceReader
from retest.suites.prompt_template import ArrayTemplate, CompiledText, TextTemplate
from retest.suites.source_text import SourceText
from retest.suites.suggestions import did_you_mean
from retest.suites.text_files import UnreadableTextError, read_text
from retest.suites.yaml_nodes import MapNode, locate, plain
from retest.suites.yaml_reader import read_yaml

TEXT_SUFFIXES = (".prompty", ".md", ".markdown", ".txt", ".j2", ".jinja", ".jinja2", ".prompt")
ARRAY_SUFFIXES = (".json", ".yaml", ".yml")


def read_prompt(path: Path, *, display: str, name: str | None = None, root: Path) -> Prompt:
    """Read a prompt file; `root` is the folder that its includes and local images must stay below.

    The prompt's name is `name`, else the front matter's, else the file's stem.

    Raises:
        SuiteError: every problem found, with its place.
    """
    text = _read(path, display)
    key = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow a link away from the folder of the includes
    build = _PromptBuild(key=key, display=display, root=root)
    if path.suffix.lower() in ARRAY_SUFFIXES:
        return build.array_prompt(text, name=name, is_json=path.suffix.lower() == ".json")
    if path.suffix.lower() not in TEXT_SUFFIXES:
        raise SuiteError(_unknown_suffix(path, display))
    return build.text_prompt(text, name=name)


def inline_prompt(text: str, *, name: str, where: Location, root: Path) -> Prompt:
    """Build a prompt from text in a suite: role lines and includes work, front matter too.

    Problems are placed at `where`, the text in the suite.

    Raises:
        SuiteError: every problem found.
    """
    normalised = text.replace("\r\n", "\n").replace("\r", "\n")
    key = os.path.abspath(root / "<inline prompt>")  # noqa: PTH100 - as in read_prompt
    build = _PromptBuild(key=key, display=where.path, root=root, inline_at=where)
    return build.text_prompt(normalised, name=name, path=None)


def _read(path: Path, display: str) -> str:
    try:
        return read_text(path, display=display)
    except UnreadableTextError as error:
        problem = error.problem()
        if path.exists():
            raise SuiteError(problem) from None
    folder = path.parent
    siblings = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    raise SuiteError(
        Problem(
            slug="prompt-file-missing",
            message=f"the prompt file {display} does not exist",
            where=Location(path=display),
            fix=did_you_mean(path.name, siblings) or "paths start at the folder of the file that names them",
        )
    )


def _unknown_suffix(path: Path, display: str) -> Problem:
    return Problem(
        slug="prompt-file-type",
        message=f"'{path.suffix or path.name}' is no kind of prompt file",
        where=Location(path=display),
        details=(f"known: {', '.join((*TEXT_SUFFIXES, *ARRAY_SUFFIXES))}",),
        fix="rename the file, .md or .txt for plain text",
    )


class _PromptBuild:
    """One prompt on its way from text to `Prompt`."""

    def __init__(self, *, key: str, display: str, root: Path, inline_at: Location | None = None) -> None:
        self._key = key
        self._display = display
        self._inline_at = inline_at
        self._start = inline_at or Location(path=display, line=1)
        self._reader = SourceReader(root)
        self._images = ImageFolder(base=Path(key).parent, root=root)
        self._problems: list[Problem] = []

    def text_prompt(self, text: str, *, name: str | None, path: str | None = "") -> Prompt:
        parts = split_front_matter(text)
        header = self._header(parts)
        if not parts.body.strip():
            self._problems.append(Problem(slug="prompt-empty", message="the prompt is empty", where=self._start))
        self._reader.add(
            SourceText(
                key=self._key,
                display=self._display,
                body=parts.body,
                first_line=parts.body_line,
                fixed_at=self._inline_at,
            )
        )
        self._raise()
        template = TextTemplate(self._reader, self._key, self._images)
        return self._prompt(text, header, template, name, path)

    def array_prompt(self, text: str, *, name: str | None, is_json: bool) -> Prompt:
        array = read_array(text, display=self._display, is_json=is_json)
        header = self._checked_header(array.header, array.place)
        self._problems.extend(message_problems(array))
        self._raise()
        tree = self._compiled(array)
        return self._prompt(text, header, ArrayTemplate(tree, images=self._images, where=self._start), name, "")

    def _header(self, parts: FileParts) -> PromptHeader:
        if not parts.closed:
            self._problems.append(
                Problem(
                    slug="prompt-front-matter",
                    message="the front matter that starts with '---' has no closing '---'",
                    where=self._start,
                    fix="add a line '---' after it; for text that begins with a rule, put an empty '---' pair above",
                )
            )
        if parts.header is None or not parts.header.strip():
            return PromptHeader()
        try:
            node = read_yaml(parts.header, self._display, first_line=parts.header_line)
        except SuiteError as error:
            self._problems.extend(error.problems)
            return PromptHeader()
        if isinstance(node, MapNode):
            values = {key: plain(entry.node) for key, entry in node.entries.items()}
            return self._checked_header(values, lambda path: locate(node, path, key=True))
        self._problems.append(
            Problem(
                slug="prompt-front-matter",
                message="the text between the first two '---' lines is no YAML mapping",
                where=self._start,
                fix="write keys such as model: and params:; for plain text, put an empty '---' pair above",
            )
        )
        return PromptHeader()

    def _checked_header(self, values: Mapping[str, Any], place: Place) -> PromptHeader:
        reader = HeaderReader(values, place)
        header = reader.read()
        self._problems.extend(reader.problems)
        return header

    def _compiled(self, array: ChatArray) -> list[dict[str, Any]]:
        """Compile the strings of all messages; the first pass parses them all so that all problems are found."""
        pending = [
            self._with_sources(message, index, array.where(index)) for index, message in enumerate(array.messages)
        ]
        self._raise()
        return [self._with_texts(message) for message in pending]

    def _with_sources(self, value: Any, index: int, where: Location) -> Any:
        if isinstance(value, list):
            return [self._with_sources(item, index, where) for item in value]
        if isinstance(value, dict):
            if set(value) == {"messages"}:
                return {"messages": self._source(conversation_source(value["messages"]), index, where)}
            return {key: self._with_sources(item, index, where) for key, item in value.items()}
        return self._source(value, index, where) if isinstance(value, str) and has_jinja(value) else value

    def _source(self, text: str, index: int, where: Location) -> SourceText:
        count = len(self._reader.included)
        source = SourceText(
            key=f"{self._key}#{count}",
            display=self._display,
            body=text,
            label=f"message {index + 1}",
            fixed_at=where,
        )
        self._reader.add(source)
        return source

    def _with_texts(self, value: Any) -> Any:
        if isinstance(value, SourceText):
            return CompiledText(self._reader, value.key)
        if isinstance(value, list):
            return [self._with_texts(item) for item in value]
        if isinstance(value, dict):
            return {key: self._with_texts(item) for key, item in value.items()}
        return value

    def _prompt(
        self, text: str, header: PromptHeader, template: Template, name: str | None, path: str | None
    ) -> Prompt:
        return Prompt(
            name=name or header.name or Path(self._key).stem,
            path=None if path is None else self._display,
            source=text,
            # Labels say what a version is for; they are no part of what it is.
            content_hash=content_hash({"source": without_labels(text), "includes": self._includes()}),
            template=template,
            model=header.model,
            params=header.params,
            description=header.description,
            labels=header.labels,
        )

    def _includes(self) -> dict[str, str]:
        """Return the included texts by their path from the prompt's folder, the same on every machine."""
        folder = Path(self._key).parent
        return {
            Path(os.path.relpath(key, folder)).as_posix(): body
            for key, body in self._reader.included.items()
            if not key.startswith(self._key)
        }

    def _raise(self) -> None:
        problems = [*self._problems, *self._reader.problems]
        if problems:
            raise SuiteError(*problems)
