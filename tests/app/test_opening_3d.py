"""3D takes one share of the graphics card, however often it is asked for."""

from pathlib import Path

from tests.app.browser_modules import answer_of

SCRIPT = """
    import { writeFileSync } from "node:fs";
    writeFileSync(new URL("./niivue_view.js", import.meta.url), `
      export const open3d = () =>
        new Promise((made, failed) => globalThis.asked.push({ made, failed }));
    `);
    const { Views } = await import("./views.js");
    globalThis.asked = [];
    const engine = () => ({ close() { this.closed = true; } });
    const turn = () => new Promise((done) => setTimeout(done, 20));
    const views = Object.assign(Object.create(Views.prototype), {
      viewer: { arrived: Promise.resolve() }, note: {}, look() {}, mark() {}, name: "planes",
    });
    const said = [];
    const press = async () => (views.show("3d"), said.push(views.note.textContent), turn());

    await press();
    await press();
    const twice = asked.length;
    asked.forEach(({ failed }) => failed(new Error("none")));
    await turn();
    said.push(views.note.textContent);
    await press();
    await press();
    const engines = asked.slice(twice).map(() => engine());
    engines.forEach((one, number) => asked[twice + number].made(one));
    await turn();
    await press();
    const open = engines.filter((one) => !one.closed).length;
    answer({ twice, engines: engines.length, open, name: views.name, said, asked: asked.length });
"""


def test_3d_is_made_once_however_often_it_is_pressed_and_again_after_a_failure(
    tmp_path: Path,
) -> None:
    found = answer_of(SCRIPT, folder=tmp_path)
    assert found["twice"] == 1, "a second press waits for the first"
    assert found["engines"] == found["open"] == 1
    assert found["name"] == "3d"
    assert found["asked"] == 2, "what is open is shown, not made again"
    assert found["said"][:2] == ["Loading 3D"] * 2
    assert found["said"][2].startswith("3D could not be started: none.")
    assert found["said"][3] == "Loading 3D"
