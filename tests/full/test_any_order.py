"""After a whole lesson each section runs again, in any order, in the same kernel.

Trainings take one epoch here: it is about names and settings, not scores.
"""

import pytest
from running import python

from tools.build import ROOT, lessons

RUN = """
import builtins, json, os, pathlib, re, sys
import matplotlib; matplotlib.use("Agg")
sys.path.insert(0, sys.argv[1])
import matplotlib.pyplot as plt, numpy as np, torch
from utils import training
whole = training.fit
training.fit = lambda *parts, **options: whole(*parts, **{**options, "epochs": 1})
path = pathlib.Path(sys.argv[2])
os.chdir(path.parent)
sections = [[]]
for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown" and "\\n## " in "\\n" + source:
        sections.append([])
    if cell["cell_type"] == "code":
        sections[-1].append(re.sub(r"(epochs=|.epochs.: )\\d+", r"\\g<1>1", source))
names = {"__name__": "__main__"}
def settings():
    told = [torch.get_default_dtype(), torch.get_num_threads(), os.getcwd()]
    told += [torch.is_grad_enabled(), np.geterr()]
    return {**dict(enumerate(told)), **plt.rcParams}
def run(section, place):
    for source in section:
        exec(compile(source, f"section {place}", "exec"), names)
def same(place):
    moved = {k: v for k, v in settings().items() if v != after.get(k, v)}
    assert not moved, f"section {place} changed what all share: {moved}"
    assert not plt.get_fignums(), f"section {place} left a figure open"
    hidden = vars(builtins).keys() & names.keys() - {"__name__", "__builtins__"}
    assert not hidden, f"section {place} hides {hidden}"
after = {}
for place, section in enumerate(sections):
    run(section, place)
    same(place)
    if any("set_up(seed=0)" in source for source in section):
        after = settings()
for place, section in reversed(list(enumerate(sections))):
    run(section, place)
    same(place)
print("RAN", len(sections))
"""


@pytest.mark.parametrize("path", [p for _, p in lessons()], ids=lambda p: p.stem)
def test_each_section_runs_again_from_the_last_to_the_first(path):
    done = python("-c", RUN, ROOT, path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split("RAN ")[-1]) > 4
