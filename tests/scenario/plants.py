def plant(world):
    pass
