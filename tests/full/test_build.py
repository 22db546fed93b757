"""The builder of the notebooks."""

import json
import re

import nbformat
import pytest
from course_texts import contents, markdown
from running import python

from tools import build
from tools.build import Problem, from_text, lessons, navigation, notebooks
from tools.course_copy import copy_course

TITLE = "# %% [markdown]\n# # A lesson\n\n"
CLAIMS = '# %% tags=["claims"]\nassert x == 1, "x is one"\n\n'
END = "# %% [markdown]\n# The end.\n"


@pytest.mark.parametrize("before", [TITLE, f"# %%\nx = 1\n\n{CLAIMS}"])
def test_claims_that_belong_to_no_cell_are_told(before):
    with pytest.raises(Problem, match="right after the code cell"):
        from_text(before + CLAIMS + END)


@pytest.mark.parametrize(
    "claims, told",
    [("assert x == 2, 'x is two'", "x is two"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_build_fails_with_a_false_claim(claims, told, tmp_path):
    notebook = from_text(f'# %%\nx = 1\n\n# %% tags=["claims"]\n{claims}\n')
    with pytest.raises(Exception, match=told):
        build.run(notebook, tmp_path)


def test_a_build_stores_outputs_and_claims_and_leaves_measuring_out(tmp_path):
    claims = "# %% tags=[\"claims\"]\nprint('unseen')\n\n"
    measure = '# %% tags=["measure"]\ndef measure(seed):\n    return {}\n\n'
    notebook = from_text(f"{TITLE}# %%\nprint(1)\n\n{claims}{measure}# %%\nprint(2)\n")
    build.run(notebook, tmp_path)
    title, *code = notebook.cells
    assert title.cell_type == "markdown"
    assert [cell.source for cell in code] == ["print(1)", "print(2)"]
    assert [cell.execution_count for cell in code] == [1, 2]
    assert [cell.outputs[0].text for cell in code] == ["1\n", "2\n"]
    assert code[0].metadata["claims"] == "print('unseen')"


@pytest.mark.parametrize("script, path", notebooks(), ids=lambda path: path.stem)
def test_a_lesson_links_to_its_neighbours_and_says_how_to_clear_outputs(script, path):
    links = navigation(script, build.REPOSITORY)
    cells = nbformat.read(path, 4).cells
    assert cells[0].source.startswith("# ")
    assert cells[0].source.partition("\n\n")[2].startswith(links)
    onwards = re.sub("\n· before: .*", "", links)
    assert cells[-1].source.endswith(onwards)
    assert markdown(path).count(links) == 1 + (links == onwards)
    assert "lear Outputs of All Cells*" in cells[0].source
    path_of_learners = [other for other, _ in lessons()]
    assert ("next: " in links) == (script in path_of_learners[:-1])
    assert ("before: " in links) == (script in path_of_learners[1:])
    assert ("belongs to: " in links) == (script not in path_of_learners)


# Owners below are pages of GitHub itself (github.com/settings, /login): nobody can have
# such an account, so no address in here leads to a stranger's code.
@pytest.fixture
def course(tmp_path, monkeypatch):
    copy = copy_course(tmp_path / "course")
    monkeypatch.setattr(build, "ROOT", copy)
    monkeypatch.setattr(build, "__file__", str(copy / "tools" / "build.py"))
    return copy


NOT_ON_GITHUB = """settings settings/ /course settings/rnn/course -settings/course
settings-/course set--tings/course settings/.. settings/.git settings/c"; http://a/b
git@github.com:settings/course http://github.com/settings/course
https://github.com.example.org/settings/course https://gitlab.com/settings/course
https://github.com/settings/course/tree/main"""
ODD = ["", "settings/my course", "settings/course\n", "a" * 40 + "/course"]


@pytest.mark.parametrize("text", [*NOT_ON_GITHUB.split(), *ODD])
def test_what_is_not_on_github_is_refused(text):
    with pytest.raises(Problem, match="not a repository on GitHub"):
        build.set_repository(text)


def test_the_address_is_written_everywhere_and_outputs_stay(course):
    def build_here(*options):
        return python(course / "tools" / "build.py", *options)

    old = {path: nbformat.read(path, 4) for _, path in notebooks()}
    address = "https://github.com/settings/rnn-course"
    assert build_here("--repository", address + ".git").returncode == 0
    once, readme = contents(course), (course / "README.md").read_text(encoding="utf-8")
    for _, path in notebooks():
        notebook = nbformat.read(path, 4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert f'REPOSITORY = "{address}.git"' in code[0].source
        stored = [cell.outputs for cell in old[path].cells if cell.cell_type == "code"]
        assert [cell.outputs for cell in code] == stored
        link = build.colab(path, "settings/rnn-course")
        assert markdown(path).count(f"[open in Colab]({link})") == 2
        assert (link in readme) == (path in dict(lessons()).values())
    checked = build_here("--check")
    assert checked.returncode == 0, checked.stdout
    assert build_here("--repository", "settings/rnn-course").returncode == 0
    assert contents(course) == once
    assert build_here("--repository", "login/lessons.2").returncode == 0
    texts = [text for p, text in contents(course).items() if "tests" not in p.parts]
    assert not [text for text in texts if b"settings/rnn-course" in text]


def test_a_stale_notebook_or_a_readme_without_marks_changes_nothing(course):
    script, path = lessons()[2]
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("\nset_up(", "\nset_up()\nset_up(", 1), "utf-8")
    before = contents(course)
    with pytest.raises(Problem, match=f"{path.name} differs .* build {script.stem}"):
        build.set_repository("settings/rnn-course")
    assert contents(course) == before
    script.write_text(text, "utf-8")
    readme = course / "README.md"
    old = readme.read_text(encoding="utf-8")
    readme.write_text(old.replace("<!-- /colab -->", ""), encoding="utf-8")
    before = contents(course)
    with pytest.raises(Problem, match="marks"):
        build.set_repository("settings/rnn-course")
    assert contents(course) == before


def test_check_names_a_stale_notebook_and_fails(course, capsys):
    script, path = lessons()[0]
    assert build.main(["--check"]) == 0
    text = script.read_text(encoding="utf-8")
    for changed in (
        text.replace("# # ", "# # Other ", 1),
        re.sub(r"^assert ", "assert True or ", text, count=1, flags=re.MULTILINE),
    ):
        assert changed != text
        script.write_text(changed, encoding="utf-8")
        assert build.main(["--check"]) == 1 and path.name in capsys.readouterr().out


def test_only_prose_changed_keeps_the_outputs(course):
    script, path = lessons()[1]
    before = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("# # ", "# # Other ", 1), encoding="utf-8")
    assert build.main(["--text", script.stem]) == 0
    after = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert after[0] != before[0] and after[1:] == before[1:]


def test_a_cells_type_counts_and_dead_widgets_are_left_out(tmp_path):
    code, text = (from_text(f"# %%{kind}\n# 1\n") for kind in ("", " [markdown]"))
    text.cells[0].source = code.cells[0].source
    kinds = [build.parts(n)[0][0] for n in (code, text)]
    assert kinds == ["code", "markdown"]
    notebook = from_text("# %%\nimport ipywidgets\n\nipywidgets.IntSlider()\n")
    build.run(notebook, tmp_path)
    assert list(notebook.cells[0].outputs[0].data) == ["text/plain"]
