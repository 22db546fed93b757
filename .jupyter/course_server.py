"""Two things JupyterLab has no setting for. jupyter_lab_config.py turns them on."""

import os

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.base.handlers import RedirectWithParams
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

# start.py names the learner's own copy.
FIRST_LESSON = os.environ.get(
    "COURSE_FIRST_LESSON", "01_Introduction_to_RNN/RNN_Introduction.ipynb"
)
# The folder with the README.
TOP = "/my_course" if FIRST_LESSON.startswith("my_course/") else "/"


class LessonContents(AsyncLargeFileManager):
    """Hands out notebooks that are not marked as modified as soon as they are opened.

    When a kernel starts, JupyterLab writes what the kernel says about its language into
    the notebook, the number of the Python version included. If the notebook said
    anything else, it counts as modified: closing asks whether to save, and autosave
    writes. A file cannot know the reader's Python, so it is told here, on reading.
    """

    async def get(self, path, content=True, *args, **kwargs):
        model = await super().get(path, content, *args, **kwargs)
        if content and model["type"] == "notebook":
            metadata = model["content"]["metadata"]
            if metadata.get("language_info", {}).get("name") == "python":
                metadata["language_info"] = dict(IPythonKernel.language_info)
        return model


# With the lesson's own address the file browser would show the lesson's folder, without
# the README. The full address cannot be the default_url: the token, added to that with
# a second "?", would be lost.
default_handlers = [
    (
        "/start",
        RedirectWithParams,
        {
            "url": f"lab/tree/{FIRST_LESSON}?file-browser-path={TOP}",
            "permanent": False,
        },
    )
]
