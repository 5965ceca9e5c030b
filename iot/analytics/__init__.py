"""Pure sums over sensors' readings: numpy in, dataclasses out. No Django, clock or network; instants, metres and seeds are arguments."""
