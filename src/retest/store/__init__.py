"""The ledger of paid-for responses and the runs made from them."""
