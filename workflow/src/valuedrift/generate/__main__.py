from valuedrift.command import dispatch

dispatch(__package__, {"responses": "responses of every checkpoint of one run"})
