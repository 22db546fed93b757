# Read because start.py sets JUPYTER_CONFIG_PATH to this folder.
c = get_config()  # noqa: F821  (JupyterLab defines it)
c.LabApp.default_url = "/lab/tree/01_Introduction_to_RNN/RNN_Introduction.ipynb"
