"""What each method costs: multiplications, parameters, seconds (MINT-AD, Table 6)."""
