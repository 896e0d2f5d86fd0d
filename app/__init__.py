"""The viewer: a Streamlit application that shows results of `medsym screen`.

It keeps readers' verdicts beside them (``reviews/``) and, if asked to, analyses uploaded scans.
"""
