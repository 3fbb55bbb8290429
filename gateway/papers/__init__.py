"""Papers: documents that leave the house as files, drawn from figures that are handed in.

Floor 1. May import the rules, fpdf and the standard library; reads no table and no clock. The
fonts are embedded, so that a paper looks the same everywhere and for ever (PDF/A-3B).
"""
