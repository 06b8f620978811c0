"""What the rules listen to, topic by topic: each module turns records into rows of closed schemas (its `Subject`s).

A topic keeps what it must remember in a msgspec struct of its own, which is one field of `state.FoldState`; so its module
never imports `state`. It is listed in `ledger.engine.registry`. `base.Topic` says what the fold asks of it.
"""
