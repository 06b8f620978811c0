"""What an enterprise installs: sign, spool, push, check receipts, read spreadsheets. No server code, no database.

The order is: `Book.build` signs a record, `Spool.add` makes it durable, `Pusher` sends it and keeps its receipt.
"""
