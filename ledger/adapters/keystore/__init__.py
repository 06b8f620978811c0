"""Private keys and the last signed head, in files of their own."""
