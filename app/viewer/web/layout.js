// Room for the viewer: from where it begins down to the lower edge of the window, so that the page need not scroll.

const MARGIN_PX = 8;

export function fitHeight(root) {
  const page = root.getRootNode().host?.closest('[data-testid="stMain"]');
  const top = root.getBoundingClientRect().top + (page?.scrollTop || 0);
  root.style.setProperty("--room", `${Math.floor(window.innerHeight - top - MARGIN_PX)}px`);
}
