"""What a learner meets in JupyterLab, driven in a real browser on a copy of the course.

Screenshots of every lesson, top to bottom, are left in artifacts/screenshots/.
"""

import json
import re
import types

import nbformat
import pytest
from running import jupyterlab, python

from tools.build import ROOT, lessons
from tools.course_copy import copy_course

LESSONS = [path.relative_to(ROOT).as_posix() for _, path in lessons()]
SCREENSHOTS = ROOT / "artifacts" / "screenshots"
LSTM = "02_LSTM_RNN/2_LSTM"
pytest_plugins = "chromium"
MINUTE = 60_000  # Playwright counts in milliseconds
each_lesson = pytest.mark.parametrize("lesson", LESSONS)


@pytest.fixture(scope="module")
def lab(tmp_path_factory, chromium):  # without a browser there is nothing to start
    """JupyterLab on a copy of the course; `url(path)` is an address with the token."""
    folder = tmp_path_factory.mktemp("lab")
    course = copy_course(folder / "the course")  # with a space, as on many a desktop
    # The reader's own Jupyter is kept out.
    names = ("_CONFIG", "_DATA", "_RUNTIME", "LAB_SETTINGS", "LAB_WORKSPACES")
    variables = {f"JUPYTER{name}_DIR": str(folder / name) for name in names}
    variables["TQDM_DISABLE"] = ""  # learners see progress bars
    # All cells in the page, also those out of sight: the test looks at every one.
    tracker = folder / "LAB_SETTINGS/@jupyterlab/notebook-extension"
    tracker.mkdir(parents=True)
    setting = json.dumps({"windowingMode": "none"})
    (tracker / "tracker.jupyterlab-settings").write_text(setting)
    # So that the test can ask JupyterLab itself.
    options = ["--LabApp.expose_app_in_browser=True"]
    # Should pytest be killed, the kernels and then the server end by themselves.
    options.append("--MappingKernelManager.cull_idle_timeout=1200")
    options.append("--ServerApp.shutdown_no_activity_timeout=1800")
    log = folder / "server.log"
    with jupyterlab(course, log, options, **variables) as url:
        yield types.SimpleNamespace(url=url, course=course)


@pytest.fixture
def page(chromium):
    """A page of a new visitor; the scripts of JupyterLab must not fail in it."""
    page = chromium.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(2 * MINUTE)
    failures = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    # The next test gets a kernel of its own.
    page.evaluate("() => window.jupyterapp?.serviceManager.sessions.shutdownAll()")
    page.close()
    assert not failures


# ----------------------------------------------------------------- what the tests share
PANEL = "const panel = window.jupyterapp.shell.currentWidget;"


def ask(page, what):
    """The value of a JavaScript expression about the open notebook, `panel`."""
    return page.evaluate(f"() => {{ {PANEL} return {what}; }}")


def open_lesson(page, lab, lesson=None):
    """Open a lesson (without one: what `start.py lab` opens), wait for its kernel.

    `reset` forgets which files the test before had open.
    """
    page.goto(lab.url(f"/lab/tree/{lesson}") + "&reset" if lesson else lab.url("/"))
    page.wait_for_function(
        "window.jupyterapp?.shell?.currentWidget?.content?.model?.cells?.length > 0"
    )
    page.evaluate(
        f"""async () => {{ {PANEL}
            await panel.context.ready;
            await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info; }}"""
    )
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()


def no_questions(page):
    """No dialog and no notification stands between the reader and the lesson."""
    for kind in (".jp-Dialog", ".Toastify__toast"):
        assert page.locator(kind).count() == 0, page.locator(kind).all_inner_texts()


def photograph(page, lesson):
    """The whole lesson, one screenshot for each screenful."""
    name = lesson.rsplit("/", 1)[1].removesuffix(".ipynb")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for old in SCREENSHOTS.glob(f"{name}-[0-9]*.png"):
        old.unlink()
    scroller = page.locator(".jp-WindowedPanel-outer").first
    height, screen = scroller.evaluate("e => [e.scrollHeight, e.clientHeight]")
    for number, top in enumerate(range(0, height, screen), 1):
        scroller.evaluate("(e, top) => { e.scrollTop = top; }", top)
        page.wait_for_timeout(150)  # the formulas are drawn when they come into sight
        page.screenshot(path=SCREENSHOTS / f"{name}-{number:02}.png")


# --------------------------------------------------------------------------- the course
def test_opens_on_the_first_lesson_with_the_readme_one_click_away(lab, page):
    open_lesson(page, lab)
    first = "01_Introduction_to_RNN/RNN_Introduction.ipynb"
    assert ask(page, "panel.context.path") == first
    page.wait_for_timeout(3000)  # a prompt would come late
    no_questions(page)
    files = page.locator(".jp-DirListing-item")
    for name in ("01_Introduction_to_RNN", "02_LSTM_RNN", "README.md"):
        files.filter(has_text=name).wait_for()
    files.filter(has_text="README.md").dblclick()
    heading = page.locator(".jp-MarkdownViewer h1")
    heading.wait_for()
    assert "Recurrent neural networks" in heading.inner_text()


def test_what_a_learner_wrote_is_there_after_an_update_of_the_course(lab, page):
    def prepare():
        code = "import start; print(start.own_copy())"
        return python("-c", code, cwd=lab.course).stdout

    copy = prepare().strip().replace("01_Introduction_to_RNN/RNN_Introduction", LSTM)
    open_lesson(page, lab, copy)
    no_questions(page)
    assert page.locator(".jp-OutputArea-output").count() == 0
    place = "panel.content.model.cells"
    sources = f"[...Array({place}.length).keys()].map(i => {place}.get(i))"
    stub = "def half_life_bias(n):"
    answer = f"{stub}\n    f = 0.5 ** (1 / n)\n    return np.log(f / (1 - f))"
    needed = ["finds the course", "set_up(seed=0)", stub, "checks.half_life_bias("]
    page.evaluate(
        f"""async ([words, stub, answer]) => {{ {PANEL}
            const cells = {sources};
            for (const word of words) {{
                const at = cells.findIndex(c => c.type === 'code'
                    && c.sharedModel.source.includes(word));
                if (word === stub) cells[at].sharedModel.source = answer;
                panel.content.activeCellIndex = at;
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }}
            await panel.context.save(); }}""",
        [needed, stub, answer],
    )
    assert page.get_by_text("✔ half_life_bias is right").count() == 1
    lesson = lab.course / f"{LSTM}.ipynb"
    before = lesson.read_bytes()
    try:
        lesson.write_bytes(before.replace(b"Two years of sunspots", b"Another title"))
        assert "--fresh 2_LSTM" in prepare()
    finally:
        lesson.write_bytes(before)
    open_lesson(page, lab, copy)
    code = f"{sources}.filter(c => c.type === 'code')"
    text = ask(page, f"{code}.map(c => c.sharedModel.source).join()")
    assert answer in text
    assert page.get_by_text("✔ half_life_bias is right").count() == 1
    page_of_progress = (lab.course / "my_course" / "PROGRESS.md").read_text("utf-8")
    assert "[2 LSTM](02_LSTM_RNN/2_LSTM.ipynb) | 1 of 3" in page_of_progress


@each_lesson
def test_a_stored_lesson_shows_its_figures_and_closes_without_a_question(
    lab, page, lesson
):
    before = (lab.course / lesson).read_bytes()
    open_lesson(page, lab, lesson)
    figures = page.locator(".jp-OutputArea-output img")
    stored = json.dumps(nbformat.reads(before.decode(), 4))
    assert figures.count() == stored.count("<img ")
    broken = "all => all.filter(i => !i.complete || !i.naturalWidth || !i.alt).length"
    assert not figures.evaluate_all(broken)
    page.wait_for_timeout(2000)  # what marks it as modified comes with the kernel
    assert not ask(page, "panel.context.model.dirty")
    page.evaluate("() => { window.jupyterapp.commands.execute('application:close'); }")
    page.wait_for_timeout(1000)
    no_questions(page)
    assert not ask(page, "panel?.context?.path")
    assert (lab.course / lesson).read_bytes() == before


def move(page, handle):
    """Press an arrow key on a slider; wait until a picture of its cell is another."""
    cell = handle.locator("xpath=ancestor::div[contains(@class,'jp-Cell ')][1]")
    images = "e => [...e.querySelectorAll('img')].map(i => i.src).join()"
    before = cell.evaluate(images)
    assert before, "a slider without a figure"
    handle.focus()
    now, end = (handle.get_attribute(f"aria-value{which}") for which in ("now", "max"))
    page.keyboard.press("ArrowLeft" if now == end else "ArrowRight")
    other = f"([cell, before]) => ({images})(cell) !== before"
    page.wait_for_function(other, arg=[cell.element_handle(), before])


@each_lesson
def test_run_all_without_error_and_every_slider_moves_its_figure(lab, page, lesson):
    page.set_default_timeout(15 * MINUTE)
    open_lesson(page, lab, lesson)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    cells = ask(page, "panel.content.model.toJSON().cells")
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error"]
    sources = ["".join(cell["source"]) for cell in code]
    ran = [cell["execution_count"] for cell in code]
    assert not [s for s, count in zip(sources, ran, strict=True) if s and not count]
    page.wait_for_timeout(1000)
    no_questions(page)
    missing = re.compile("Error displaying widget|Loading widget")
    assert page.get_by_text(missing).count() == 0
    sliders = page.locator(".jp-Notebook .noUi-handle")
    promised = re.findall(r"^\s*explore\(", "\n".join(sources), re.MULTILINE)
    assert sliders.count() >= len(promised)
    for handle in sliders.all():
        move(page, handle)
    photograph(page, lesson)
