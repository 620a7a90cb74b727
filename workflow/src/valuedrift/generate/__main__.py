from valuedrift.cli import dispatch

dispatch(__package__, {"responses": "responses of every checkpoint of one run"})
