"""Images in prompts: URLs pass, local files become data URLs, and no other file is ever read."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from support.prompt_folder import PromptFolder, render_problem, texts

PIXEL = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def folder(tmp_path: Path) -> PromptFolder:
    return PromptFolder(tmp_path / "prompts")


def test_a_local_image_becomes_a_data_url(folder: PromptFolder) -> None:
    """A Markdown image on its own line of a user message is sent as an image."""
    folder.write("pics/写真.png", PIXEL)
    prompt = folder.prompt("user:\nWhat is this?\n![photo](pics/写真.png)\nAnswer briefly.\n")
    url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    assert prompt.render() == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "text", "text": "Answer briefly."},
            ],
        }
    ]


@pytest.mark.parametrize("url", ["https://example.com/a.png?x=(1)", "data:image/png;base64,AA=="])
def test_an_image_url_in_a_row_stays_as_it_is(folder: PromptFolder, url: str) -> None:
    """A variable can hold the image's address."""
    ((_, content),) = texts(folder.prompt("![a]({{ image }})").render(image=url))
    assert content == [{"type": "image_url", "image_url": {"url": url}}]


def test_a_part_of_a_chat_array_may_name_a_local_image(folder: PromptFolder) -> None:
    """JSON prompts get images the same way."""
    folder.write("a.gif", b"GIF89a")
    prompt = folder.prompt(
        '[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{ f }}", "detail": "low"}}]}]',
        "p.json",
    )
    ((_, content),) = texts(prompt.render(f="a.gif"))
    assert content == [{"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh", "detail": "low"}}]


@pytest.mark.parametrize(
    ("target", "slug"),
    [
        ("gone.png", "prompt-image-missing"),
        ("", "prompt-image-missing"),
        ("../outside.png", "prompt-image-outside"),
        ("/etc/passwd", "prompt-image-outside"),
        ("link.png", "prompt-image-outside"),
        ("notes.txt", "prompt-image-type"),
        ("file:///etc/passwd", "prompt-image-missing"),
        ("a\0b.png", "prompt-image-missing"),
        ("x" * 5000 + ".png", "prompt-image-missing"),
    ],
)
def test_a_row_cannot_reach_a_file_that_is_no_image_of_the_prompt(folder: PromptFolder, target: str, slug: str) -> None:
    """Only image files below the root are read, whatever path a row gives."""
    folder.write("../outside.png", PIXEL)
    folder.write("notes.txt", "secret")
    (folder.path / "link.png").symlink_to("../outside.png")
    assert render_problem(folder.prompt("![a]({{ image }})"), image=target).slug == slug


def test_an_image_outside_a_user_message_is_text(folder: PromptFolder) -> None:
    """Endpoints take images from users only; a system message may show Markdown."""
    assert texts(folder.prompt("system:\n![a](b.png)\nuser:\nx").render()) == [("system", "![a](b.png)"), ("user", "x")]


def test_an_image_within_a_line_is_text(folder: PromptFolder) -> None:
    """Only an image alone on its line is sent as one."""
    assert texts(folder.prompt("see ![a](b.png)").render()) == [("user", "see ![a](b.png)")]
