// Builds niivue-0.69.0.js and its notices from the sources that the npm package carries:
// only what draws a volume that is handed over in memory. Run: npm ci && npm run build

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";

const MODULES = path.resolve("node_modules");
const NIIVUE = path.join(MODULES, "@niivue/niivue"), SOURCE = path.join(NIIVUE, "src");
const { version } = JSON.parse(readFileSync(path.join(NIIVUE, "package.json"), "utf8"));
const BUNDLE = `niivue-${version}.js`, NOTICES = `niivue-${version}.LICENSES.txt`;

// What the viewer never uses, with what stands in its place. Letters are drawn by the viewer itself
// (no font), shading comes from a table that it draws (no picture), colours from colours.js.
const PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const REPLACED = {
  "package.json": `export default { version: ${JSON.stringify(version)} };`,
  "src/cmaps/index.ts": "export const gray = { R: [0, 255], G: [0, 255], B: [0, 255], A: [0, 255], I: [0, 255] };",
  "src/fonts/Roboto-Regular.png": `export default ${JSON.stringify(PIXEL)};`,
  "src/fonts/Roboto-Regular.json": "export default { atlas: { distanceRange: 2, size: 1, width: 1, height: 1 }, glyphs: [] };",
  "src/matcaps/Shiny.jpg": `export default ${JSON.stringify(PIXEL)};`,
  "src/nvmesh-loaders.ts": "export class NVMeshLoaders {}",
  "src/nvimage/zarr/NVZarrHelper.ts": "export class NVZarrHelper {}",
  "src/nvimage/ImageReaders/zarr.ts": "export {};",
  ...Object.fromEntries(["afni", "brainvoyager", "dsistudio", "ecat", "image", "itk", "mgh", "mrtrix", "nrrd", "numpy"].map((name) => [`src/nvimage/ImageReaders/${name}.ts`, "export {};"])),
};
const CODECS = /^(zarrita|numcodecs)$/;

const trimmed = {
  name: "trimmed",
  setup(build) {
    build.onResolve({ filter: /^@\// }, ({ path: name, kind }) => build.resolve(`./${name.slice(2)}`, { resolveDir: SOURCE, kind }));
    build.onResolve({ filter: CODECS }, ({ path: name }) => ({ path: name, namespace: "nothing" }));
    build.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "module.exports = {};", loader: "js" }));
    build.onLoad({ filter: /@niivue[\\/]niivue[\\/]/ }, ({ path: file }) => {
      const name = path.relative(NIIVUE, file).split(path.sep).join("/");
      if (name in REPLACED) return { contents: REPLACED[name], loader: "js" };
      if (name !== "src/shader-srcs.ts") return undefined;
      // Shaders are texts that no minifier reads: comments, some with web addresses, go here.
      return { contents: readFileSync(file, "utf8").replace(/[ \t]*\/\/.*$/gm, ""), loader: "ts" };
    });
  },
};

const answer = await esbuild.build({
  stdin: { contents: `export { Niivue } from "@/niivue/index.ts"; export { NVImage } from "@/nvimage/index.ts";`, resolveDir: path.resolve(".") },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  banner: { js: `/* NiiVue ${version}, BSD-2-Clause, (c) 2021 Niivue; see ${NOTICES} */` },
  plugins: [trimmed],
  metafile: true,
  write: false,
});
const [{ contents }] = answer.outputFiles;
writeFileSync(BUNDLE, contents);
writeFileSync(NOTICES, notices(Object.keys(answer.metafile.inputs)));
console.log(`${createHash("sha256").update(contents).digest("hex")}  ${BUNDLE}  ${contents.length} bytes`);

// Licence of every package that has a line in the bundle.
function notices(inputs) {
  const names = new Set(inputs.map((file) => file.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean));
  return [...names].sort().map((name) => {
    const about = JSON.parse(readFileSync(path.join(MODULES, name, "package.json"), "utf8"));
    const file = readdirSync(path.join(MODULES, name)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(path.join(MODULES, name, file), "utf8") : readFileSync(`LICENSE-${name.split("/").pop()}.txt`, "utf8");
    return `${name} ${about.version} (${about.license})\n${"-".repeat(72)}\n${text.trim().replace(/\r\n/g, "\n")}\n`;
  }).join("\n\n");
}
