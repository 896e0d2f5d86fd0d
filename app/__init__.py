"""The viewer: a Streamlit application that reads results of `medsym screen`; it writes nothing."""
