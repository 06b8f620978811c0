"""Work on rules, beside the engine and by its own code: check, test, try on history, explain, replay.

Nothing here writes to an installation. What is run is the fold, as it runs live.
"""
