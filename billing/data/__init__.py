"""Tables of the outside world that the rules look things up in; each file names its source."""
