"""What flows through retest: frozen data, standard library only."""
