"""Charts, which aiomql imports and this test does not draw."""
