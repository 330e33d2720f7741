"""Banks that learn from each other's customers without seeing them; one pays nothing in."""
