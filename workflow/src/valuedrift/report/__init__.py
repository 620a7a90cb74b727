"""Tables, figures, a scorecard and self-contained HTML pages of a study's values and drifts."""
