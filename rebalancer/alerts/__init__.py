"""Who hears of it when something happens, is wrong, or is silent."""
