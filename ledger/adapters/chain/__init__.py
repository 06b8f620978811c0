"""The chain: contracts, web3, the nodes. Nothing outside this package imports web3."""
