from valuedrift.command import dispatch

dispatch(__package__, {"values": "values of one run at every checkpoint", "magnitude_and_time": "drift of every run of a study"})
