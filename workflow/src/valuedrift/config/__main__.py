from valuedrift.config.reference import write

write()
