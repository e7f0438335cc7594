"""How the shared space is learnt."""
