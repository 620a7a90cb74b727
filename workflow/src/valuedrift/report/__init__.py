"""Tables, figures and one self-contained HTML report of a study's values and drifts."""
