"""Tables that cross stages, records read from files, pages, and which source files decide a step's output."""
