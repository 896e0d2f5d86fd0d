"""The figures of `medsym science`; they only draw what was measured."""
