"""What commands do with chains: wallets, deployments and where both are kept."""
