"""Images of a prompt: URLs stay as they are, local files become ``data:`` URLs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from retest.suites.prompt_errors import RenderError

MAX_IMAGE_BYTES = 20_000_000

_MIME_BY_SUFFIX = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
    ".heic": "image/heic",
}
_REMOTE = ("http://", "https://", "data:image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """Where local images may lie: a path starts at `base` (or at `root`) and stays below `root`.

    Paths may come from dataset rows, so nothing but image files below `root` is ever read.
    """

    base: Path
    root: Path

    def url(self, target: str) -> str:
        """Return what goes into ``image_url``.

        Raises:
            RenderError: no such file, outside `root`, no known image type, too large.
        """
        if target.lower().startswith(_REMOTE):
            return target
        path = self._find(target)
        mime = _MIME_BY_SUFFIX[path.suffix.lower()]
        return f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"

    def _find(self, target: str) -> Path:
        if not target:
            raise RenderError(
                slug="prompt-image-missing",
                message="an image of the prompt has an empty path",
                fix="guard it with {% if image %} ... {% endif %}",
            )
        for folder in (self.base, self.root):
            path = self._inside(folder, target)
            if _is_file(path):
                return _checked(path, target)
        raise RenderError(
            slug="prompt-image-missing",
            message=f"no image file '{target:.200}'",
            details=(f"looked in {self.base} and {self.root}",),
            fix="give an http(s) URL, a data: URL, or a path relative to the prompt file",
        )

    def _inside(self, folder: Path, target: str) -> Path:
        try:
            path = (folder / target).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise RenderError(
                slug="prompt-image-missing", message=f"'{target[:80]}' is no image URL and no usable path ({error})"
            ) from None
        if not path.is_relative_to(self.root.resolve()):
            raise RenderError(
                slug="prompt-image-outside",
                message=f"the image '{target}' lies outside {self.root}",
                fix="move it below that folder, or give its URL",
            )
        return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes
        return False


def _checked(path: Path, target: str) -> Path:
    if path.suffix.lower() not in _MIME_BY_SUFFIX:
        raise RenderError(
            slug="prompt-image-type",
            message=f"'{target}' is no image file",
            details=(f"known: {', '.join(sorted(_MIME_BY_SUFFIX))}",),
        )
    size = path.stat().st_size
    if size > MAX_IMAGE_BYTES:
        raise RenderError(
            slug="prompt-image-size",
            message=f"the image '{target}' has {size:,} bytes; the limit is {MAX_IMAGE_BYTES:,}",
            fix="make it smaller, or give its URL",
        )
    return path
