from valuedrift.cli import dispatch

dispatch(__package__, {"stances": "stances of every response of one run, by one judge"})
