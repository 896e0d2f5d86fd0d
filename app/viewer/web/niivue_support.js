// Whether this browser can draw 3D with a graphics card. Software that pretends to be one takes
// seconds for every picture, so it does not count.

const SOFTWARE = /swiftshader|llvmpipe|softpipe|lavapipe|basic render|software|swrast/i;
const NONE_NEEDED = "the three planes and the mosaic need none.";
let found; // asked once a page: every question costs a context

// Asking for no "performance caveat" keeps browsers from starting their software renderer at all.
function lookForCard({ software }) {
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl2", { failIfMajorPerformanceCaveat: !software });
  if (!gl) return { size: 0, name: "" };
  const unmasked = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(unmasked ? unmasked.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  const size = gl.getParameter(gl.MAX_3D_TEXTURE_SIZE);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return { size, name };
}

// Why there is no 3D for a volume of this shape, in words; "" where there is.
// `?gl=software` in the address of the page lets tests use what is too slow for people.
export function no3dReason(shape) {
  const software = new URLSearchParams(window.location.search).get("gl") === "software";
  found ??= lookForCard({ software });
  if (!found.size) return `This browser has no hardware 3D; ${NONE_NEEDED}`;
  if (SOFTWARE.test(found.name) && !software) return `This browser draws 3D without a graphics card, which is too slow; ${NONE_NEEDED}`;
  if (Math.max(...shape) > found.size) return `The graphics card takes ${found.size} voxels in a row at most, this scan has ${Math.max(...shape)}; ${NONE_NEEDED}`;
  return "";
}
