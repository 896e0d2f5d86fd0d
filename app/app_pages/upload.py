"""Upload: a scan from the reader's computer, analysed here, for this browser session alone."""

import math
from html import escape

import streamlit as st

from app import draft_state, identity, state
from app.uploads.download import NAME
from app.uploads.files import refuse_content
from app.uploads.queue import CANCELLED, DONE, FAILED, RUNNING, WAITING, JobStatus
from app.uploads.service import GONE_AFTER_S, Uploads
from app.uploads.work import UploadedScan
from medsym.commands.viewing import MAX_UPLOAD_MIB
from medsym.errors import MedsymError

SWITCHED_OFF = (
    "Uploads are switched off here. Whoever starts the viewer can switch them on:"
    " medsym view FOLDER --upload, or medsym view --upload without a folder."
)
PRIVACY = (
    "The scan stays on the machine that runs this viewer, in a folder of this browser tab that no"
    " other reader sees. It is deleted, with its results, when you close or reload the tab (within"
    f" {math.ceil(GONE_AFTER_S)} seconds) and when the viewer is stopped. Download the results"
    " before, if you want to keep them."
)
KINDS = (
    "A NIfTI scan (.nii, .nii.gz), or a DICOM examination packed as .zip, of which every series of"
    f" a head is analysed; up to {MAX_UPLOAD_MIB} MiB."
)
LOOK_EVERY_S = 1.0
STAGES = {
    "read": "reading the scan",
    "prepare": "finding the mid-plane",
    "anatomy": "finding the structures",
    "refine": "refining the mid-plane",
    "compare": "comparing the two sides",
    "judge": "judging the differences",
    "figures": "drawing pictures",
    "maps": "writing the maps",
    "page": "writing the report",
}


def page() -> None:
    """Draw the page."""
    uploads = state.uploads()
    st.subheader("Upload a scan")
    if uploads is None:
        st.info(SWITCHED_OFF)
        return
    st.text(PRIVACY)
    _take_in(uploads)
    jobs = uploads.of(state.session())
    busy = any(job.state in (WAITING, RUNNING) for job in jobs)
    st.fragment(_jobs, run_every=LOOK_EVERY_S if busy else None)(uploads, busy=busy)
    _results(uploads)


def _take_in(uploads: Uploads) -> None:
    """The field for a file; it is emptied once the file is taken, so that memory is freed."""
    with st.form("upload", clear_on_submit=True, border=False):
        given = st.file_uploader(KINDS, type=["nii", "gz", "zip"], key="upload_file")
        sent = st.form_submit_button("Analyse", type="primary", key="analyse")
    if not sent:
        return
    if given is None:
        st.text("Choose a file first.")
        return
    try:
        refuse_content(given.name, given.getbuffer())
        uploads.add(state.session(), given.name, given.getbuffer())
    except MedsymError as error:
        st.error("This file was not taken.")
        _refusal(error.code, error.cause, error.fix)


def _jobs(uploads: Uploads, *, busy: bool) -> None:
    """Every upload of this session, the newest first; drawn again while one is under way."""
    if not identity.is_still_in():
        st.rerun()  # the whole page, which says why
    jobs = uploads.of(state.session())
    for job in jobs:
        with st.container(border=True):
            _job(job, uploads)
    if busy and not any(job.state in (WAITING, RUNNING) for job in jobs):
        state.show_upload(own=True)
        st.rerun()  # the whole page, once all are done; below the buttons, or a click were lost


def _job(job: JobStatus, uploads: Uploads) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{job.name}: {_words(job)}")
        if job.state in (WAITING, RUNNING):
            st.button(
                "Cancel",
                key=f"cancel_{job.number}",
                on_click=identity.for_who_is_in(uploads.cancel),
                args=(state.session(), job.number),
            )
    if job.state == RUNNING:
        st.progress(_share(job), text="Progress of the analysis")
    if job.error is not None:
        _refusal(job.error.code, job.error.cause, job.error.fix)
    for scan in sorted(job.ended, key=lambda ended: bool(ended.code)):
        _scan(scan, number=job.number)


def _words(job: JobStatus) -> str:
    if job.state == WAITING:
        return "waiting; yours is next" if job.before < 2 else f"waiting, {job.before} before it"
    if job.state == RUNNING:
        stage = STAGES.get(job.stage, "starting")
        which = f"scan {job.scan} of {job.scans}, " if job.scans > 1 else ""
        return f"{which}{stage}, {job.seconds:.0f} s so far"
    refused = all(scan.code for scan in job.ended)
    ends = {
        DONE: "refused" if refused else f"analysed in {job.seconds:.0f} s",
        FAILED: "not analysed",
        CANCELLED: "cancelled",
    }
    return ends[job.state]


def _share(job: JobStatus) -> float:
    """Stages begun, of all stages of all scans, 0 to 1."""
    names = list(STAGES)
    begun = names.index(job.stage) + 1 if job.stage in names else 0
    scans = max(job.scans, 1)
    return min(1.0, (max(job.scan - 1, 0) + begun / (len(names) + 1)) / scans)


def _scan(scan: UploadedScan, *, number: int) -> None:
    if scan.code:
        st.text(scan.case)
        _refusal(scan.code, scan.cause, scan.fix)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Open in Review", key=f"open_{number}_{scan.case}", type="primary"):
            state.show_upload(own=True)
            state.choose_case(scan.case)
            st.switch_page("app_pages/review.py")
        st.text(scan.case)
        if scan.stage == "not assessable":
            st.text(f"Not assessable, no map is shown: {'; '.join(scan.reasons)}")


def _refusal(code: str, cause: str, fix: str) -> None:
    """Why something was refused and what to do; plain text, since names may stand in it."""
    st.text(f"Refused: {cause}.\nWhat to do: {fix}. ({code})")


def _results(uploads: Uploads) -> None:
    folder = uploads.results(state.session())
    with st.container(horizontal=True, vertical_alignment="center"):
        if folder is not None:
            st.html(
                f'<a class="medsym-download" href="{escape(state.download_address())}"'
                f' download="{NAME}">Download the results (ZIP)</a>',
                width="content",
            )
        if uploads.of(state.session()):
            st.button("Delete my uploads now", key="discard", on_click=_discard, args=(uploads,))
        if folder is not None and state.cohort_folder() is not None:
            own = state.shows_upload()
            st.button(
                "Back to the folder" if own else "Show my uploads on all pages",
                key="switch",
                on_click=lambda: state.show_upload(own=not own),
            )


@identity.for_who_is_in
def _discard(uploads: Uploads) -> None:
    folder = uploads.results(state.session())
    if folder is not None:
        draft_state.drop_folder(folder)
    uploads.discard(state.session())
    state.show_upload(own=False)


page()
