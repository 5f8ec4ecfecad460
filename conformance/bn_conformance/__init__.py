"""The conformance suite: contract, cases, matrix, verdicts, results, reports and the command line."""
