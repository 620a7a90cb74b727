from valuedrift.command import dispatch

dispatch(__package__, {"stances": "stances of every response of one run, by one judge"})
