"""How the learned fusers are trained: what is drawn, what is lost, what is kept."""
