"""The same market as Numba functions over one array of words, with the tape of the reference engine."""
