# Read because start.py sets JUPYTER_CONFIG_PATH to this folder.
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import course_server

c = get_config()  # noqa: F821  (JupyterLab defines it)
c.LabApp.default_url = "/start"
c.ServerApp.extra_services = ["course_server"]
c.ServerApp.contents_manager_class = course_server.LessonContents
