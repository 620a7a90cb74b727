"""Statistics that several stages use: intervals of means, and agreement between raters."""
