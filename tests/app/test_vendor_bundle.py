"""The library that the viewer ships: the built one, with its licences, silent on the network."""

import hashlib
import json
import re
import tomllib

from app.viewer.routes import WEB, WEB_FILES

ROOT = WEB.parents[2]
VENDOR = WEB / "vendor"
BUNDLE = VENDOR / "niivue-0.69.0.js"
# What `npm ci && npm run build` makes of build.mjs and package-lock.json.
BUILT = "0f525cb065fc1cf1ee29b6806c49082c2dc7469e43176be84a8904d5730d56cc"


def test_bundle_is_the_one_that_the_build_makes() -> None:
    assert hashlib.sha256(BUNDLE.read_bytes()).hexdigest() == BUILT


def test_bundle_is_served_and_is_the_one_that_the_viewer_asks_for() -> None:
    body, kind = WEB_FILES[BUNDLE.name]
    assert body == BUNDLE.read_bytes()
    assert kind == "text/javascript"
    asked = re.findall(r'"\./(niivue-[\d.]+\.js)"', (WEB / "niivue_engine.js").read_text())
    assert asked == [BUNDLE.name]


def test_bundle_holds_no_address_and_runs_no_text() -> None:
    text = BUNDLE.read_bytes().decode("ascii")
    assert re.findall(r"(?:https?|wss?):/+\w[^\s\"'`]*", text) == []
    assert re.findall(r"\beval\(|new Function|new Worker|importScripts|sendBeacon", text) == []


def test_everything_in_the_bundle_comes_with_its_licence() -> None:
    notices = (VENDOR / "niivue-0.69.0.LICENSES.txt").read_text(encoding="utf-8")
    headings = dict(re.findall(r"^(\S+) [\d.]+ \(([\w-]+)\)\n-+\n", notices, re.MULTILINE))
    lock = json.loads((VENDOR / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    needed = set(lock["node_modules/@niivue/niivue"]["dependencies"]) - {"zarrita"}  # stubbed
    assert needed | {"@niivue/niivue"} <= set(headings)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["license"].split(" AND ")) == {"Apache-2.0", *headings.values()}
    shipped = {path for pattern in project["license-files"] for path in ROOT.glob(pattern)}
    assert {ROOT / "LICENSE", *VENDOR.glob("*LICENSE*.txt")} == shipped
    assert BUNDLE.read_text(encoding="ascii").startswith("/* NiiVue 0.69.0, BSD-2-Clause")
